import { isForgeError, ForgeError, LABELS, type HealthConfig, type ImageRef } from '@tiny-forge/contracts/domain';
import type { ContainerSummary, DockerPort } from '@tiny-forge/docker';
import type { DesiredContainer, WorkloadVolume } from '@tiny-forge/plugin-api';
import type { Clock } from './clock.ts';
import { desiredInstance, type DesiredInstance } from './desired-instance.ts';
import { awaitHealthy } from './health-gate.ts';
import { resolveImage, resolvePinned, type Pull } from './image-resolution.ts';
import type { DeployCause, ExistingInstance } from './plan-deploy.ts';
import { replacesOf, serviceOf } from './workload-containers.ts';

export interface WantedInput {
  readonly docker: DockerPort;
  readonly cause: DeployCause;
  /** What the source type wants, at least one. */
  readonly wanted: readonly DesiredContainer[];
  /** Of the first of them. */
  readonly pinnedImage: ImageRef | null;
  readonly volumes: readonly WorkloadVolume[];
  readonly found: readonly ContainerSummary[];
  readonly signal: AbortSignal;
  readonly onProgress: (detail: string) => void;
}

/** What is wanted, with every image resolved to its id. @throws ForgeError IMAGE_MISSING */
export async function gatherDesired(input: WantedInput): Promise<{ desired: DesiredInstance[]; image: ImageRef }> {
  const desired: DesiredInstance[] = [];
  const images: ImageRef[] = [];
  for (const [index, container] of input.wanted.entries()) {
    input.onProgress(`looking for image ${container.image}`);
    const image = await imageOf(container, index === 0 ? input.pinnedImage : null, input);
    images.push(image);
    desired.push(desiredInstance(container, image.imageId, input.volumes));
  }
  const [image] = images;
  if (image === undefined) throw new TypeError('a source type that wants no container');
  return { desired, image };
}

async function imageOf(container: DesiredContainer, pinned: ImageRef | null, input: WantedInput): Promise<ImageRef> {
  const { docker, cause, found, signal } = input;
  if (pinned !== null) return resolvePinned(docker, pinned, signal);
  if (cause === 'resume') throw new ForgeError({ code: 'IMAGE_MISSING', params: { image: container.image } });
  // What was stopped is started with the image it had, whatever its tag says by now.
  const stopped = cause === 'start' ? found.find((candidate) => wasMadeFor(candidate, container)) : undefined;
  if (stopped !== undefined) {
    const image = await resolveImage(docker, stopped.imageId, 'never', signal);
    return { ...image, reference: container.image };
  }
  const pull: Pull = cause !== 'deploy' && container.pull === 'always' ? 'missing' : container.pull;
  return resolveImage(docker, container.image, pull, signal);
}

const wasMadeFor = (candidate: ContainerSummary, container: DesiredContainer): boolean =>
  serviceOf(candidate) === container.service &&
  candidate.labels[LABELS.image] === container.image &&
  candidate.state !== 'created';

/** Long enough for one probe of each kind, short enough for a deploy that will replace the container anyway. */
const QUICK_GATE_SECONDS = 3;

export interface ExistingInput {
  readonly docker: DockerPort;
  readonly clock: Clock;
  readonly found: readonly ContainerSummary[];
  readonly desired: readonly DesiredInstance[];
  readonly health: HealthConfig;
  readonly signal: AbortSignal;
}

/** What is there, as the plan sees it. Only a container that may be the very same thing is asked whether it is healthy. */
export function gatherExisting(input: ExistingInput): Promise<ExistingInstance[]> {
  return Promise.all(
    input.found.map(async (container) => {
      const { id, imageId, state } = container;
      const specHash = container.labels[LABELS.spec] ?? '';
      const maybeSame =
        state === 'running' && input.desired.some((want) => want.specHash === specHash && want.imageId === imageId);
      const detail = maybeSame ? await input.docker.inspectContainer(id, input.signal) : null;
      return {
        id,
        service: serviceOf(container),
        imageId,
        specHash,
        state,
        restartPolicy: detail?.restartPolicy ?? '',
        operationId: container.labels[LABELS.operation] ?? '',
        replaces: replacesOf(container),
        healthy: detail !== null && (await isHealthy(id, detail.restartCount, input)),
      };
    }),
  );
}

async function isHealthy(containerId: string, restartsBefore: number, input: ExistingInput): Promise<boolean> {
  const { docker, clock, health, signal } = input;
  const timeoutSeconds =
    health.type === 'stable'
      ? health.stableSeconds + QUICK_GATE_SECONDS
      : Math.min(health.timeoutSeconds, QUICK_GATE_SECONDS);
  try {
    await awaitHealthy({ docker, clock, containerId, health: { ...health, timeoutSeconds }, signal, restartsBefore });
    return true;
  } catch (error) {
    if (isForgeError(error) && (error.code === 'APP_UNHEALTHY' || error.code === 'APP_EXITED')) return false;
    throw error;
  }
}
