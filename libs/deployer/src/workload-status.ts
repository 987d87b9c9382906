import { LABELS, type HealthConfig, type WorkloadStatus } from '@tiny-forge/contracts/domain';
import type { ContainerDetail, ContainerSummary, DockerPort } from '@tiny-forge/docker';
import type { Clock } from './clock.ts';
import { probeOnce } from './health-gate.ts';
import { imageRef } from './image-resolution.ts';
import { isUp } from './plan-deploy.ts';
import { serviceOf } from './workload-containers.ts';

const PROBE_MS = 2000;

export interface StatusInput {
  readonly docker: DockerPort;
  readonly clock: Clock;
  /** Newest first. */
  readonly instances: readonly ContainerSummary[];
  readonly health: HealthConfig | null;
  readonly signal: AbortSignal;
}

/** `degraded`: something runs, but not all of it, or not healthy. Stopped leftovers of a deploy under way are not told. */
export async function workloadStatus(input: StatusInput): Promise<WorkloadStatus> {
  const up = input.instances.filter(isUp);
  const services = new Set(input.instances.map(serviceOf));
  const told = [...services].flatMap((service) => {
    const ofService = up.filter((container) => serviceOf(container) === service);
    const newest = input.instances.find(
      (container) => serviceOf(container) === service && container.state !== 'created',
    );
    return ofService.length > 0 ? ofService : newest === undefined ? [] : [newest];
  });
  const instances = (await Promise.all(told.map((container) => instanceOf(container, input)))).filter(
    (instance) => instance !== null,
  );
  const running = instances.filter((instance) => instance.state === 'running');
  const sound = running.filter((instance) => instance.health !== 'unhealthy');
  const state =
    instances.length === 0
      ? 'absent'
      : sound.length === instances.length
        ? 'running'
        : instances.every((instance) => !isUp({ state: instance.state }))
          ? 'stopped'
          : 'degraded';
  return { state, instances };
}

async function instanceOf(container: ContainerSummary, input: StatusInput) {
  const detail = await input.docker.inspectContainer(container.id, input.signal);
  if (detail === null) return null;
  const reference = detail.labels[LABELS.image] ?? detail.image;
  const image = await input.docker.inspectImage(detail.imageId, input.signal);
  return {
    containerId: detail.id,
    name: detail.name,
    image: reference,
    imageId: detail.imageId,
    digest: image === null ? null : imageRef(reference, image).digest,
    state: detail.state,
    health: await healthOf(detail, input),
    ports: detail.ports.map(({ container: port, published, protocol }) => ({ container: port, published, protocol })),
  };
}

async function healthOf(detail: ContainerDetail, input: StatusInput): Promise<string> {
  const { health } = input;
  if (detail.state !== 'running') return 'none';
  if (health === null) return detail.health;
  if (health.type === 'docker') return detail.health === 'none' ? 'unhealthy' : detail.health;
  const { ok } = await probeOnce({ ...input, health }, detail, PROBE_MS);
  if (ok) return 'healthy';
  return health.type === 'stable' && detail.restartCount === 0 ? 'starting' : 'unhealthy';
}
