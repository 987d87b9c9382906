import type { EngineParts } from '../engine-parts.ts';
import type { Transaction } from '../journal/transaction.ts';
import { existingAncestor } from '../plan/gather-host-facts.ts';
import { syncDirectories } from '../ports/fs-error.ts';

/**
 * The end of a transaction. What was removed must be gone for good before CLOSED: nobody looks for it afterwards, and a power cut would bring it
 * back. All parents, always: a process that died may have done the removal and not its fsync.
 */
export async function closeJournal(parts: EngineParts, tx: Transaction): Promise<void> {
  const parents = new Set<string>();
  for (const { parent } of tx.begin.plan.targets) parents.add(await existingAncestor(parts.fs, parent));
  await syncDirectories(parts.fs, parents);
  await parts.journals.close(tx);
}
