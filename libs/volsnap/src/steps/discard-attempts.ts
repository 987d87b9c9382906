import type { EngineParts } from '../engine-parts.ts';
import type { Transaction } from '../journal/transaction.ts';
import { naming } from '../ports/fs-error.ts';
import { discardTree, removeEmpty } from '../swap/discard-tree.ts';
import { oldPathOf, stagingPathOf } from '../swap/swap-plan.ts';

export const nextAttempt = (tx: Transaction): number => Math.max(0, ...tx.attempts.map((one) => one.attempt)) + 1;

/** Roots that a kill left between their making and STAGING: empty directories under names of ours. What is not empty stays. */
export async function removeUnrecorded(parts: EngineParts, tx: Transaction): Promise<void> {
  for (let attempt = nextAttempt(tx); ; attempt++) {
    let found = false;
    for (const target of tx.begin.plan.targets) {
      const staging = stagingPathOf(tx.begin.plan, target, attempt);
      if ((await naming('stat', staging, () => parts.fs.stat(staging))) === null) continue;
      found = true;
      await removeEmpty(parts.fs, staging);
    }
    if (!found) return;
  }
}

/** The old tree of a mount point, made before COMMIT and empty again once everything is back. What is not empty stays. */
export async function removeInnerOld(parts: EngineParts, tx: Transaction): Promise<void> {
  for (const target of tx.begin.plan.targets)
    if (target.swap === 'inner') await removeEmpty(parts.fs, oldPathOf(tx.begin.plan, target));
}

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
