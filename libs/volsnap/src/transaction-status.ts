import { keepsOldTrees, type Transaction } from './journal/transaction.ts';
import { keptRecordOf } from './kept/kept-record.ts';
import type { TransactionStatus } from './restore-engine.ts';

/** Where a transaction stands, as its journal tells. */
export function statusOf(tx: Transaction): TransactionStatus {
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
