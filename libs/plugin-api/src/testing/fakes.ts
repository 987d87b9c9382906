import path from 'node:path';
import { z } from 'zod';
import { ForgeError } from '@tiny-forge/contracts/domain';
import { defineSourceType, type SourceTypePlugin } from '../source-type.ts';
import { defineVolumeScope, type ScopeCapabilities, type VolumeScopePlugin } from '../volume-scope.ts';

const name = z.string().regex(/^[a-z0-9-]{1,64}$/, 'a lower-case name');

/** A scope for tests of engines: `<base>/<source>` on the host, made at deploy unless told otherwise. */
export function fakeVolumeScope(
  base: string,
  options: { readonly id?: string; readonly capabilities?: Partial<ScopeCapabilities> } = {},
): VolumeScopePlugin {
  const capabilities = { captured: true, createsDirectory: true, deletable: true, ...options.capabilities };
  return defineVolumeScope({
    id: options.id ?? 'fake',
    apiVersion: 1,
    source: name,
    capabilities,
    create: () => ({
      async resolve(volume) {
        if (!name.safeParse(volume.source).success) {
          throw new ForgeError({ code: 'VOLUME_PATH_UNSAFE', params: { path: volume.source, why: 'not a name' } });
        }
        return { hostPath: path.join(base, volume.source), parent: base, base, capabilities };
      },
    }),
  });
}

const fakeSource = z.strictObject({
  type: z.string(),
  image: z.string(),
  pull: z.enum(['missing', 'always', 'never']).default('missing'),
});

/** A source type for tests of engines: one container of `source.image`, paused or stopped one after the other. */
export function fakeSourceType(id = 'fake'): SourceTypePlugin {
  return defineSourceType({
    id,
    apiVersion: 1,
    config: fakeSource,
    create: () => ({
      desired(workload) {
        const { image, pull } = fakeSource.parse(workload.source);
        return [
          {
            service: 'main',
            image,
            pull,
            env: workload.env,
            command: workload.command,
            ports: workload.ports,
            volumeTargets: workload.volumes.map((volume) => volume.target),
            stopTimeoutSeconds: workload.stopTimeoutSeconds,
          },
        ];
      },
      async quiesce({ docker, mode, containers, stopTimeoutSeconds, signal }) {
        const running = containers.filter((container) => container.state === 'running');
        for (const { id: container } of running) {
          if (mode === 'pause') await docker.pauseContainer(container, signal);
          else await docker.stopContainer(container, stopTimeoutSeconds, signal);
        }
        return running.map((container) => container.id);
      },
      async resume({ docker, mode }, changed) {
        for (const container of changed) {
          if (mode === 'pause') await docker.unpauseContainer(container);
          else await docker.startContainer(container);
        }
      },
    }),
  });
}
