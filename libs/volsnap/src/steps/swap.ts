import path from 'node:path';
import { ForgeError, type AppBefore } from '@tiny-forge/contracts/domain';
import { parseMountinfo } from '@tiny-forge/docker';
import { forwardTransaction, type EngineParts } from '../engine-parts.ts';
import { throwIfAborted } from '../host-mutex.ts';
import { mountsInTheWay } from '../identity/mount-table.ts';
import { isTree, standingAt } from '../identity/tree-identity.ts';
import type { SwapVolume } from '../journal/record.ts';
import { accepted, type Transaction } from '../journal/transaction.ts';
import { formatBytes } from '../plan/blocker.ts';
import { instanceLabels, operationLabels } from '../plan/directory-users.ts';
import { naming } from '../ports/fs-error.ts';
import type { FrozenPlan, StepContext } from '../restore-engine.ts';
import { isInner } from '../swap/inner-swap.ts';
import { prepareInner } from '../swap/prepare-inner.ts';
import { planSwap } from '../swap/swap-plan.ts';
import { assertSide, swapForward } from '../swap/swap-volumes.ts';
import { assertNobodyUses, holdOthers } from './quiet.ts';
import { isUp } from './stop.ts';

/** Renames need room for two names in a directory, at worst a block each; less than this is a full disk. */
const RENAME_ROOM = 1024 ** 2;

export async function swap(parts: EngineParts, plan: FrozenPlan, context: StepContext): Promise<void> {
  let tx = await forwardTransaction(parts, plan, 'swap', 'SAFE');
  if (tx.state === 'SWAPPED' || tx.done) return;
  if (!tx.safe) throw new ForgeError({ code: 'TX_STATE', params: { step: 'swap', needs: 'SAFE', found: tx.state } });
  let volumes = tx.commit?.volumes ?? planSwap(plan, tx.staged?.volumes ?? []);
  await assertHeld(parts, plan, volumes, context.signal);
  if (!tx.commit) {
    await assertUnchanged(parts, plan, volumes);
    throwIfAborted(context.signal);
    volumes = await prepareInner(parts.fs, volumes);
    tx = await commit(parts, tx, volumes);
  }
  // Decided: from here on nothing listens to the signal, because half a swap serves nobody.
  await swapForward(parts.fs, volumes);
  await parts.journals.append(tx, { type: 'SWAPPED' });
}

/** A failed append of COMMIT leaves it unknown what a crash would find: neither direction until ROLLBACK is durable in a file that supersedes. */
async function commit(parts: EngineParts, tx: Transaction, volumes: readonly SwapVolume[]): Promise<Transaction> {
  try {
    return await parts.journals.append(tx, { type: 'COMMIT', volumes });
  } catch (error) {
    if (parts.journals.isSuspect(tx.txId))
      await parts.journals.append(tx, { type: 'ROLLBACK', reason: 'COMMIT undecided' });
    throw error;
  }
}

/** Nothing runs, and nobody has a live or old tree mounted. @throws CONTAINER_APPEARED */
async function assertHeld(
  parts: EngineParts,
  plan: FrozenPlan,
  volumes: readonly SwapVolume[],
  signal: AbortSignal,
): Promise<void> {
  const instances = await parts.docker.listContainers(instanceLabels(parts.installation, plan.workloadId), signal);
  const running = instances.find(isUp);
  if (running)
    throw new ForgeError({
      code: 'CONTAINER_APPEARED',
      params: { container: running.name, path: volumes[0]?.livePath ?? 'the data' },
    });
  const paths = volumes.flatMap((volume) => [volume.livePath, volume.oldPath]);
  await assertNobodyUses(parts, paths, [], signal);
}

/** The world as it was checked: same trees, plain directories all the way up, no mounts, a little room. */
async function assertUnchanged(parts: EngineParts, plan: FrozenPlan, volumes: readonly SwapVolume[]): Promise<void> {
  const { fs } = parts;
  const mounts = parseMountinfo(await naming('read', '/proc/self/mountinfo', () => fs.mountInfo()));
  for (const target of plan.targets) {
    const standing = await naming('stat', target.hostPath, () => standingAt(fs, target.hostPath));
    const same = target.live === null ? standing.kind === 'absent' : isTree(standing, target.live);
    if (!same) throw changed(target.hostPath);
    const mount = mountsInTheWay(mounts, target)[0];
    if (mount)
      throw new ForgeError({
        code: 'VOLUME_IS_MOUNT_POINT',
        params: { path: target.hostPath, mount: mount.mountPoint },
      });
  }
  for (const volume of volumes) {
    await assertPlainAncestors(parts, volume.parent);
    if (!isInner(volume) && (await fs.stat(volume.oldPath)) !== null) throw changed(volume.oldPath);
    if (volume.stagingPath !== null && !isTree(await standingAt(fs, volume.stagingPath), volume.staging))
      throw changed(volume.stagingPath);
    const { freeBytes } = await naming('statfs', volume.parent, () => fs.space(volume.parent));
    if (freeBytes < RENAME_ROOM)
      throw new ForgeError({
        code: 'INSUFFICIENT_SPACE',
        params: { mount: volume.parent, need: formatBytes(RENAME_ROOM), free: formatBytes(freeBytes) },
      });
  }
}

async function assertPlainAncestors(parts: EngineParts, directory: string): Promise<void> {
  for (let current = directory; current !== '/'; current = path.dirname(current)) {
    const found = await naming('stat', current, () => parts.fs.stat(current));
    if (found?.kind !== 'directory') throw changed(current);
  }
}

const changed = (at: string): ForgeError => new ForgeError({ code: 'DATA_CHANGED', params: { path: at } });

/** Whether the new data may be started; instances that this operation did not make are stopped for it. @throws TX_STATE, TX_ROLLED_BACK, CONTAINER_APPEARED */
export async function assertMayRedeploy(
  parts: EngineParts,
  plan: FrozenPlan,
  signal: AbortSignal,
): Promise<{ readonly before: AppBefore }> {
  const tx = await forwardTransaction(parts, plan, 'redeploy', 'SWAPPED');
  if (tx.state !== 'SWAPPED' && !tx.done)
    throw new ForgeError({ code: 'TX_STATE', params: { step: 'redeploy', needs: 'SWAPPED', found: tx.state } });
  if (!tx.done) {
    const own = await ownInstances(parts, plan, signal);
    await holdOthers(parts, plan, own, signal);
    const volumes = tx.commit?.volumes ?? [];
    const paths = volumes.flatMap((volume) => [volume.livePath, volume.oldPath]);
    await assertNobodyUses(parts, paths, own, signal);
    if (!accepted(tx)) await assertSide(parts.fs, volumes, 'new');
  }
  return { before: tx.quiescing?.before ?? 'absent' };
}

/** Containers that this very operation made. */
export async function ownInstances(
  parts: EngineParts,
  plan: Pick<FrozenPlan, 'workloadId' | 'operationId'>,
  signal: AbortSignal,
): Promise<string[]> {
  const labels = operationLabels(parts.installation, plan.workloadId, plan.operationId);
  const containers = await parts.docker.listContainers(labels, signal);
  return containers.map((container) => container.id);
}
