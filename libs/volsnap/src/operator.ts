import { ForgeError, type OperatorGuide } from '@tiny-forge/contracts/domain';
import type { EngineParts } from './engine-parts.ts';
import { isTree, standingAt } from './identity/tree-identity.ts';
import { txIdOf } from './journal/journal-name.ts';
import { ownerOf, type FoundJournal } from './journal/journal-store.ts';
import type { SwapVolume } from './journal/record.ts';
import type { Transaction } from './journal/transaction.ts';
import { lostEntries, operatorGuide, unreadableGuide, viewVolumes } from './operator-guide.ts';
import { naming } from './ports/fs-error.ts';
import type { FsPort } from './ports/fs-port.ts';
import type { FrozenPlan } from './restore-engine.ts';
import { isInner } from './swap/inner-swap.ts';
import { planSwap } from './swap/swap-plan.ts';
import { examineVolumes } from './swap/swap-volumes.ts';

const volumesOf = (tx: Transaction): readonly SwapVolume[] =>
  tx.commit?.volumes ?? planSwap(tx.begin.plan, tx.staged?.volumes ?? []);

/**
 * The chain of undo failed: OPERATOR, nothing is touched any more. Where even that record cannot be written the workload is held for the life of
 * this process, and by its open journal after that.
 */
export async function needsOperator(
  parts: EngineParts,
  plan: FrozenPlan,
  reason: { readonly code: string; readonly detail: string },
): Promise<OperatorGuide> {
  parts.heldInMemory.set(plan.workloadId, plan.operationId);
  const found = await parts.journals.find(plan.txId);
  if (found?.kind === 'corrupt' && !found.closed) {
    // The open journal itself holds the workload.
    parts.heldInMemory.delete(plan.workloadId);
    return guideOf(parts, found);
  }
  if (found?.kind !== 'transaction') return operatorGuide(await viewVolumes(parts.fs, planSwap(plan, [])), plan.txId);
  const { tx } = found;
  const guide = operatorGuide(await viewVolumes(parts.fs, volumesOf(tx)), tx.txId);
  if (tx.state === 'OPERATOR' || tx.state === 'CLOSED' || tx.state === 'DONE') {
    parts.heldInMemory.delete(plan.workloadId);
    return guide;
  }
  try {
    const detail = reason.detail.slice(0, 1024);
    await parts.journals.append(tx, { type: 'OPERATOR', code: reason.code, detail });
    parts.heldInMemory.delete(plan.workloadId);
  } catch (error) {
    parts.log.error({ tx: tx.txId, err: error }, 'OPERATOR could not be recorded; the workload is held in memory');
  }
  return guide;
}

/**
 * Looks at every tree by identity; touches nothing. Without COMMIT there is no way forward: a corrupt journal may have lost it, and then all trees may
 * be new though nothing says which are old.
 * @throws NOT_FOUND
 */
export async function examine(
  parts: EngineParts,
  operationId: string,
): Promise<{ readonly verdict: 'all-new' | 'all-old' | 'unclear'; readonly guide: OperatorGuide }> {
  const found = await openJournal(parts, operationId);
  const guide = await guideOf(parts, found);
  const tx = known(found);
  if (!tx) return { verdict: 'unclear', guide };
  const volumes = volumesOf(tx);
  const verdict = await examineVolumes(parts.fs, volumes);
  if (tx.commit || verdict === 'unclear') return { verdict, guide };
  const isOld = verdict === 'all-old' && (found.kind === 'transaction' || (await areUntouched(parts.fs, volumes)));
  return { verdict: isOld ? 'all-old' : 'unclear', guide };
}

/**
 * Whether no swap inside a mount point can have begun, where the record of its entries is lost: it begins with the making of the old tree, and its
 * staging tree is gone after its end. Of a directory the identity says enough.
 */
async function areUntouched(fs: FsPort, volumes: readonly SwapVolume[]): Promise<boolean> {
  for (const { oldPath, staging, stagingPath } of volumes.filter(isInner)) {
    if (staging === null || stagingPath === null) return false;
    if ((await naming('stat', oldPath, () => fs.stat(oldPath))) !== null) return false;
    if (!isTree(await naming('stat', stagingPath, () => standingAt(fs, stagingPath)), staging)) return false;
  }
  return true;
}

/** @throws NOT_FOUND, TX_STATE */
export async function acceptVerdict(
  parts: EngineParts,
  operationId: string,
  verdict: 'all-new' | 'all-old',
  by: string,
): Promise<void> {
  const found = await openJournal(parts, operationId);
  let tx = known(found);
  if (!tx) {
    if (found.kind !== 'corrupt') return;
    await parts.journals.giveUp(found);
    parts.heldInMemory.delete(found.owner.workloadId);
    return;
  }
  const reached = verdict === 'all-new' ? 'SWAPPED' : 'ROLLED_BACK';
  if (found.kind === 'corrupt') {
    const isEnd = tx.state === 'DONE' || tx.state === 'CLOSED';
    const detail = `corrupt at byte ${found.offset}`;
    // In one file with what could be read: by themselves those records may name a state long passed.
    tx = await parts.journals.supersede(tx, isEnd ? null : { type: 'OPERATOR', code: 'TX_CORRUPT', detail });
    if (isEnd) {
      parts.heldInMemory.delete(tx.workloadId);
      return;
    }
  } else if (tx.state === reached) return;
  else if (tx.state !== 'OPERATOR') {
    if (!parts.heldInMemory.has(tx.workloadId))
      throw new ForgeError({ code: 'TX_STATE', params: { step: 'recheck', needs: 'OPERATOR', found: tx.state } });
    tx = await parts.journals.append(tx, { type: 'OPERATOR', code: 'UNDO_FAILED', detail: 'recorded late' });
  }
  await parts.journals.append(tx, { type: 'ACCEPTED', verdict, by: by.slice(0, 256) });
  parts.heldInMemory.delete(tx.workloadId);
}

const known = (found: FoundJournal): Transaction | null => (found.kind === 'transaction' ? found.tx : found.readable);

async function openJournal(parts: EngineParts, operationId: string): Promise<FoundJournal> {
  const found = await parts.journals.find(txIdOf(operationId));
  if (!found || found.closed)
    throw new ForgeError({ code: 'NOT_FOUND', params: { what: `An open restore journal of ${operationId}` } });
  if (found.kind === 'transaction') await parts.journals.trust(found.tx);
  return found;
}

async function guideOf(parts: EngineParts, found: FoundJournal): Promise<OperatorGuide> {
  const tx = known(found);
  if (tx) {
    const volumes = volumesOf(tx);
    const guide = operatorGuide(await viewVolumes(parts.fs, volumes), tx.txId);
    const lost = found.kind === 'corrupt' && !tx.commit ? volumes.filter(isInner) : [];
    return { ...guide, commands: [...guide.commands, ...lost.map(lostEntries)] };
  }
  return unreadableGuide(found.file, ownerOf(found).txId);
}
