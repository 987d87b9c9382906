import { ForgeError } from '@tiny-forge/contracts/domain';
import { type EngineParts } from '../engine-parts.ts';
import { directoryUsers, instanceLabels, processesUsing } from '../plan/directory-users.ts';
import type { DirectoryUser } from '../plan/host-facts.ts';
import { blocks, lastingUsers } from '../plan/lasting-users.ts';
import type { FrozenPlan } from '../restore-engine.ts';
import { isUp } from './stop.ts';

/**
 * Proves that nothing runs with one of `paths`: by Docker's list and, because that lies after a rename, by what the kernel shows of every process.
 * @param allowed ids of containers that are meant to
 * @throws CONTAINER_APPEARED
 */
export async function assertNobodyUses(
  parts: EngineParts,
  paths: readonly string[],
  allowed: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  if (paths.length === 0) return;
  const { docker, mountUsers } = parts;
  const expected = (container: { readonly id: string }): boolean => allowed.includes(container.id);
  await settled(() => directoryUsers({ docker, mountUsers, paths, expected }, signal));
}

/**
 * Stops every instance of the workload but `allowed`, with its policy `no` first: after the swap one that Docker itself started again, by a policy
 * that somebody set back, runs on new data and is in nobody's way but ours.
 */
export async function holdOthers(
  parts: EngineParts,
  plan: Pick<FrozenPlan, 'workloadId' | 'stopTimeoutSeconds'>,
  allowed: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const { docker, installation, log } = parts;
  for (const one of await docker.listContainers(instanceLabels(installation, plan.workloadId), signal)) {
    if (allowed.includes(one.id)) continue;
    const detail = await docker.inspectContainer(one.id, signal);
    if (!detail) continue;
    if (detail.restartPolicy !== 'no') await docker.setRestartPolicy(one.id, 'no', signal);
    if (!isUp(detail)) continue;
    log.warn(
      { workload: plan.workloadId, container: one.id },
      'an instance ran that nobody here had started; it is stopped',
    );
    await docker.stopContainer(one.id, plan.stopTimeoutSeconds, signal);
  }
}

/** The kernel's word alone: needs no Docker, and knows nothing of who only has a directory around. @throws CONTAINER_APPEARED */
export async function assertNoProcessUses(parts: EngineParts, paths: readonly string[]): Promise<void> {
  if (paths.length === 0) return;
  const mountUsers: EngineParts['mountUsers'] = async (trees) =>
    (await parts.mountUsers(trees)).filter((user) => user.relation !== 'around');
  await settled(() => processesUsing({ mountUsers, paths }, [], new Set()));
}

async function settled(look: () => Promise<readonly DirectoryUser[]>): Promise<void> {
  const user = (await lastingUsers(look)).find(blocks);
  if (user) throw new ForgeError({ code: 'CONTAINER_APPEARED', params: { container: user.name, path: user.path } });
}
