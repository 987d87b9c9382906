import { ForgeError, type OperatorGuide } from '@tiny-forge/contracts/domain';
import type { EngineParts } from './engine-parts.ts';
import { txIdOf } from './journal/journal-name.ts';
import { corrupt } from './journal/journal-store.ts';
import type { SwapVolume } from './journal/record.ts';
import type { Transaction } from './journal/transaction.ts';
import { operatorGuide, viewVolumes } from './operator-guide.ts';
import type { FrozenPlan } from './restore-engine.ts';
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

/** Looks at every tree by identity; touches nothing. @throws NOT_FOUND, TX_CORRUPT */
export async function examine(
  parts: EngineParts,
  operationId: string,
): Promise<{ readonly verdict: 'all-new' | 'all-old' | 'unclear'; readonly guide: OperatorGuide }> {
  const tx = await openTransaction(parts, operationId);
  const volumes = volumesOf(tx);
  const verdict = await examineVolumes(parts.fs, volumes);
  return { verdict, guide: operatorGuide(await viewVolumes(parts.fs, volumes), tx.txId) };
}

/** @throws NOT_FOUND, TX_STATE, TX_CORRUPT */
export async function acceptVerdict(
  parts: EngineParts,
  operationId: string,
  verdict: 'all-new' | 'all-old',
  by: string,
): Promise<void> {
  let tx = await openTransaction(parts, operationId);
  const reached = verdict === 'all-new' ? 'SWAPPED' : 'ROLLED_BACK';
  if (tx.state === reached) return;
  if (tx.state !== 'OPERATOR') {
    if (!parts.heldInMemory.has(tx.workloadId))
      throw new ForgeError({ code: 'TX_STATE', params: { step: 'recheck', needs: 'OPERATOR', found: tx.state } });
    tx = await parts.journals.append(tx, { type: 'OPERATOR', code: 'UNDO_FAILED', detail: 'recorded late' });
  }
  await parts.journals.append(tx, { type: 'ACCEPTED', verdict, by: by.slice(0, 256) });
  parts.heldInMemory.delete(tx.workloadId);
}

async function openTransaction(parts: EngineParts, operationId: string): Promise<Transaction> {
  const found = await parts.journals.find(txIdOf(operationId));
  if (found?.kind === 'corrupt') throw corrupt(found.file, found.offset);
  if (found?.kind !== 'transaction' || found.closed)
    throw new ForgeError({ code: 'NOT_FOUND', params: { what: `An open restore journal of ${operationId}` } });
  await parts.journals.trust(found.tx);
  return found.tx;
}
