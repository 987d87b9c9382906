import type { ImageRef } from '@tiny-forge/contracts/domain';
import type { ContainerSummary, DockerPort } from '@tiny-forge/docker';
import type { PluginRegistry } from '@tiny-forge/plugin-api';
import type { PlanInput, WorkloadAtRevision } from '../restore-engine.ts';
import type { ImageFacts } from './host-facts.ts';

/**
 * The image a restore runs with: of the newest running instance, else of the last good deployment, else the configured one (restore.md 2). Pinned
 * by id: local images have no digest of a registry.
 */
export async function resolveImage(
  from: { readonly docker: DockerPort; readonly registry: PluginRegistry },
  input: PlanInput,
  instances: readonly ContainerSummary[],
  signal: AbortSignal,
): Promise<ImageFacts | null> {
  const { docker } = from;
  const running = instances.find((container) => container.state === 'running' || container.state === 'paused');
  if (running) {
    const image = await docker.inspectImage(running.imageId, signal);
    const digest = image?.repoDigests[0] ?? input.lastGoodImage?.digest ?? null;
    const reference = referenceOf(running, input.lastGoodImage);
    return {
      ref: { reference, imageId: running.imageId, digest },
      available: image !== null,
      pullable: digest !== null,
    };
  }
  if (input.lastGoodImage) {
    const { digest, imageId } = input.lastGoodImage;
    const available = (await docker.inspectImage(imageId, signal)) !== null;
    return { ref: input.lastGoodImage, available, pullable: digest !== null };
  }
  const wanted = configuredImage(from.registry, input.workload);
  if (!wanted) return null;
  const image = await docker.inspectImage(wanted.reference, signal);
  const ref: ImageRef = {
    reference: wanted.reference,
    imageId: image?.id ?? '',
    digest: image?.repoDigests[0] ?? null,
  };
  return { ref, available: image !== null, pullable: wanted.pullable };
}

/** Containers are made by image id, so Docker names them by it; the deployment knows the name a person gave. */
function referenceOf(container: ContainerSummary, lastGood: ImageRef | null): string {
  return lastGood?.imageId === container.imageId ? lastGood.reference : container.image;
}

function configuredImage(
  registry: PluginRegistry,
  workload: WorkloadAtRevision,
): { readonly reference: string; readonly pullable: boolean } | null {
  const { config, id } = workload;
  const desired = registry.sourceType(config.source.type).instance.desired({ ...config, id, env: {} });
  const first = desired[0];
  return first ? { reference: first.image, pullable: first.pull !== 'never' } : null;
}
