import type { EngineParts } from '../engine-parts.ts';
import type { Transaction } from '../journal/transaction.ts';
import { discardTree } from '../swap/discard-tree.ts';

/** Removes every staging tree of the transaction, each known by identity. Never one that is live. */
export async function discardAttempts(parts: EngineParts, tx: Transaction, signal: AbortSignal): Promise<void> {
  const attempts = [...tx.attempts, ...(tx.staged ? [tx.staged] : [])];
  const done = new Set<string>();
  for (const { attempt, volumes } of attempts) {
    for (const { index, staging } of volumes) {
      const target = tx.begin.plan.targets.find((one) => one.index === index);
      if (!staging || !target || done.has(staging.path)) continue;
      done.add(staging.path);
      await discardTree(
        parts,
        {
          parent: target.parent,
          identity: staging.identity,
          likely: [staging.path],
          trashName: `${tx.txId}-${index}-new-${attempt}`,
          livePath: target.hostPath,
        },
        signal,
      );
    }
  }
}
