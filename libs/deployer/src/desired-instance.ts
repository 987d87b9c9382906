import { createHash } from 'node:crypto';
import type { ContainerSpec, MountSpec } from '@tiny-forge/docker';
import type { DesiredContainer, WorkloadVolume } from '@tiny-forge/plugin-api';

/** One container a deploy wants, image resolved and directories known. */
export interface DesiredInstance {
  readonly service: string;
  readonly imageReference: string;
  readonly imageId: string;
  /** Equal hash and image id mean: the very same thing. Name, labels, revision and restart policy do not count. */
  readonly specHash: string;
  readonly env: Readonly<Record<string, string>>;
  readonly command: readonly string[] | null;
  readonly mounts: readonly MountSpec[];
  readonly ports: ContainerSpec['ports'];
  readonly stopTimeoutSeconds: number;
}

export function desiredInstance(
  container: DesiredContainer,
  imageId: string,
  volumes: readonly WorkloadVolume[],
): DesiredInstance {
  const mounts = volumes
    .filter(({ volume }) => container.volumeTargets.includes(volume.target))
    .map(({ volume, resolved }) => ({
      source: resolved.hostPath,
      target: volume.target,
      readOnly: volume.readOnly,
    }));
  const made = {
    env: container.env,
    command: container.command,
    mounts,
    ports: container.ports,
    stopTimeoutSeconds: container.stopTimeoutSeconds,
  };
  return {
    service: container.service,
    imageReference: container.image,
    imageId,
    specHash: specHash({ service: container.service, ...made }),
    ...made,
  };
}

/** SHA-256 over the sorted form: the order of keys, mounts and ports in a config is no difference. */
function specHash(spec: {
  readonly service: string;
  readonly env: Readonly<Record<string, string>>;
  readonly command: readonly string[] | null;
  readonly mounts: readonly MountSpec[];
  readonly ports: ContainerSpec['ports'];
  readonly stopTimeoutSeconds: number;
}): string {
  const canonical = [
    1,
    spec.service,
    Object.entries(spec.env).sort(([left], [right]) => (left < right ? -1 : 1)),
    spec.command,
    spec.mounts.map((mount) => JSON.stringify([mount.target, mount.source, mount.readOnly])).sort(),
    spec.ports
      .map((port) => JSON.stringify([port.container, port.protocol, port.published ?? null, port.hostIp ?? null]))
      .sort(),
    spec.stopTimeoutSeconds,
  ];
  return createHash('sha256').update(JSON.stringify(canonical)).digest('hex');
}
