import { LABELS } from '@tiny-forge/contracts/domain';
import type { ContainerSummary, DockerPort } from '@tiny-forge/docker';

export interface WorkloadKey {
  readonly installation: string;
  readonly workloadId: string;
}

/** Every container of a workload, holders included. The labels of this installation are the only way containers are found. */
export function listOwn(docker: DockerPort, key: WorkloadKey, signal?: AbortSignal): Promise<ContainerSummary[]> {
  return docker.listContainers({ [LABELS.installation]: key.installation, [LABELS.workload]: key.workloadId }, signal);
}

export const isInstance = (container: ContainerSummary): boolean => container.labels[LABELS.role] === 'instance';

/** Instances only, newest first. A holder is never started nor counted. */
export async function listInstances(
  docker: DockerPort,
  key: WorkloadKey,
  signal?: AbortSignal,
): Promise<ContainerSummary[]> {
  const own = await listOwn(docker, key, signal);
  return own.filter(isInstance).sort((left, right) => right.createdAt.getTime() - left.createdAt.getTime());
}

export const serviceOf = (container: ContainerSummary): string => container.labels[LABELS.service] ?? 'main';

/** Ids of what a container was made to replace. */
export const replacesOf = (container: ContainerSummary): string[] =>
  (container.labels[LABELS.replaces] ?? '').split(',').filter((id) => id !== '');
