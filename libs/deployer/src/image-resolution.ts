import { ForgeError, type ImageRef } from '@tiny-forge/contracts/domain';
import type { DockerPort, ImageDetail } from '@tiny-forge/docker';

export type Pull = 'missing' | 'always' | 'never';

/** @throws ForgeError IMAGE_MISSING */
export async function resolveImage(
  docker: DockerPort,
  reference: string,
  pull: Pull,
  signal?: AbortSignal,
): Promise<ImageRef> {
  const local = pull === 'always' ? null : await docker.inspectImage(reference, signal);
  if (local === null && pull === 'never') throw new ForgeError({ code: 'IMAGE_MISSING', params: { image: reference } });
  return imageRef(reference, local ?? (await docker.pullImage(reference, signal)));
}

/**
 * The image that was recorded, by id: a moved tag changes nothing. Gone: by its registry digest, and only if that still is the same image.
 * @throws ForgeError IMAGE_MISSING
 */
export async function resolvePinned(docker: DockerPort, pinned: ImageRef, signal?: AbortSignal): Promise<ImageRef> {
  const local = await docker.inspectImage(pinned.imageId, signal);
  if (local !== null) return pinned;
  const missing = new ForgeError({
    code: 'IMAGE_MISSING',
    params: { image: `${pinned.reference} (${pinned.imageId})` },
  });
  if (pinned.digest === null) throw missing;
  const pulled = await docker.pullImage(pinned.digest, signal);
  if (pulled.id !== pinned.imageId) throw missing;
  return pinned;
}

export function imageRef(reference: string, image: ImageDetail): ImageRef {
  const repository = reference.replace(/@.*$/, '').replace(/:[^/:]*$/, '');
  const digest = image.repoDigests.find((entry) => entry.startsWith(`${repository}@`)) ?? image.repoDigests[0] ?? null;
  return { reference, imageId: image.id, digest };
}
