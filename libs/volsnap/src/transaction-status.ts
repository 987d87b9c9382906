import type { CorruptJournal, FoundJournal } from './journal/journal-store.ts';
import { keepsOldTrees, type Transaction } from './journal/transaction.ts';
import { keptRecordOf } from './kept/kept-record.ts';
import type { TransactionStatus } from './restore-engine.ts';

/** Where a transaction stands, as its journal tells. */
function statusOf(tx: Transaction): TransactionStatus {
  return {
    txId: tx.txId,
    operationId: tx.operationId,
    workloadId: tx.workloadId,
    snapshotId: tx.begin.plan.snapshotId,
    record: tx.state,
    done: tx.done !== null,
    before: tx.quiescing?.before ?? null,
    safetySnapshotId: tx.safe?.snapshotId ?? null,
    keepsOldTrees: keepsOldTrees(tx),
    kept: keptRecordOf(tx),
    plan: tx.begin.plan,
    startedAt: tx.startedAt,
  };
}

/** As long as it is open a corrupt journal waits for a person, whatever its readable records say. */
function statusOfCorrupt({ owner, readable }: CorruptJournal): TransactionStatus {
  if (readable) return { ...statusOf(readable), record: 'OPERATOR', done: false, kept: null };
  const { txId, operationId, workloadId } = owner;
  const unknown = { snapshotId: null, before: null, safetySnapshotId: null, keepsOldTrees: false, kept: null };
  return { txId, operationId, workloadId, ...unknown, record: 'OPERATOR', done: false, plan: null, startedAt: null };
}

/** null: a corrupt journal that was put away, of which nothing more can be said. */
export function statusOfFound(found: FoundJournal): TransactionStatus | null {
  if (found.kind === 'transaction') return statusOf(found.tx);
  return found.closed ? null : statusOfCorrupt(found);
}
