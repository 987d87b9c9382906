import { ForgeError } from '@tiny-forge/contracts/domain';
import type { EngineParts } from './engine-parts.ts';
import { overlaps } from './identity/mount-table.ts';
import { ownerOf, reservedBy } from './journal/journal-store.ts';
import type { Transaction } from './journal/transaction.ts';

/** Id of the operation whose OPERATOR (or corrupt) journal holds the workload. */
export async function heldBy(parts: EngineParts, workloadId: string): Promise<string | null> {
  const inMemory = parts.heldInMemory.get(workloadId);
  if (inMemory !== undefined) return inMemory;
  for (const found of await parts.journals.list()) {
    if (found.kind === 'corrupt' && found.owner.workloadId === workloadId) return found.owner.operationId;
    if (found.kind !== 'transaction' || found.tx.workloadId !== workloadId) continue;
    if (found.tx.state === 'OPERATOR') return found.tx.operationId;
  }
  return null;
}

/** The journal's own operation may start the app on new data once all of it is in place, and on old data once all of that is back. */
const mayStartItself = (tx: Transaction): boolean => tx.state === 'SWAPPED';

/** restore.md 5.5. @throws WORKLOAD_HELD, VOLUME_IN_USE */
export async function assertMayStart(
  parts: EngineParts,
  workloadId: string,
  hostPaths: readonly string[],
  operationId: string,
): Promise<void> {
  const holder = await heldBy(parts, workloadId);
  if (holder !== null) throw new ForgeError({ code: 'WORKLOAD_HELD', params: { operationId: holder } });
  for (const found of await parts.journals.list()) {
    const owner = ownerOf(found);
    if (found.kind === 'transaction' && owner.operationId === operationId && mayStartItself(found.tx)) continue;
    const reserved = reservedBy(found);
    const taken =
      hostPaths.find((path) => reserved.some((other) => overlaps(path, other))) ??
      // A start without volumes is still a start of an app that is being restored.
      (owner.workloadId === workloadId ? reserved[0] : undefined);
    if (taken !== undefined)
      throw new ForgeError({
        code: 'VOLUME_IN_USE',
        params: { path: taken, user: `restore ${owner.operationId}`, operationId: owner.operationId },
      });
  }
}
