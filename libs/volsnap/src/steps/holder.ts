import { ForgeError, LABELS, type ImageRef } from '@tiny-forge/contracts/domain';
import type { EngineParts } from '../engine-parts.ts';

export const holderLabels = (parts: Pick<EngineParts, 'installation'>, workloadId: string, operationId: string) => ({
  [LABELS.installation]: parts.installation,
  [LABELS.workload]: workloadId,
  [LABELS.role]: 'holder',
  [LABELS.operation]: operationId,
});

/**
 * Brings the image here where it is not, and keeps it from a prune by a container that is created and never started: `docker system prune -af`
 * while the app is stopped removes container and image.
 * @throws IMAGE_MISSING, DOCKER_AWAY
 */
export async function holdImage(
  parts: EngineParts,
  what: { readonly workloadId: string; readonly operationId: string; readonly image: ImageRef },
  signal: AbortSignal,
): Promise<{ readonly image: ImageRef; readonly holderContainerId: string }> {
  const { docker } = parts;
  const image = await bringImage(parts, what.image, signal);
  const labels = holderLabels(parts, what.workloadId, what.operationId);
  const [held] = await docker.listContainers(labels, signal);
  if (held) return { image, holderContainerId: held.id };
  const { id } = await docker.createContainer(
    {
      name: `tiny-forge-holder-${what.operationId}`,
      image: image.imageId,
      env: {},
      // Never run; an image without a command of its own could not be created otherwise.
      command: ['/tiny-forge-holder'],
      labels,
      mounts: [],
      ports: [],
      restartPolicy: 'no',
      stopTimeoutSeconds: 1,
      network: 'none',
    },
    signal,
  );
  return { image, holderContainerId: id };
}

async function bringImage(parts: EngineParts, image: ImageRef, signal: AbortSignal): Promise<ImageRef> {
  const { docker } = parts;
  if (image.imageId !== '' && (await docker.inspectImage(image.imageId, signal))) return image;
  const pulled = await docker.pullImage(image.digest ?? image.reference, signal);
  // By digest the same image comes back; by name another one may, and a restore never changes the image.
  if (image.imageId !== '' && pulled.id !== image.imageId)
    throw new ForgeError({ code: 'IMAGE_MISSING', params: { image: image.reference } });
  return { reference: image.reference, imageId: pulled.id, digest: pulled.repoDigests[0] ?? null };
}

/** Removes the holders of one operation. Idempotent. */
export async function releaseImage(
  parts: EngineParts,
  what: { readonly workloadId: string; readonly operationId: string },
  signal: AbortSignal,
): Promise<void> {
  const labels = holderLabels(parts, what.workloadId, what.operationId);
  for (const holder of await parts.docker.listContainers(labels, signal))
    await parts.docker.removeContainer(holder.id, { force: true }, signal);
}
