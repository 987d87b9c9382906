import { isForgeError, type Note } from '@tiny-forge/contracts/domain';
import type { RestartPolicy } from '@tiny-forge/docker';
import type { EngineParts } from '../engine-parts.ts';
import type { Transaction } from '../journal/transaction.ts';
import { discardTree } from '../swap/discard-tree.ts';
import { discardAttempts } from './discard-attempts.ts';
import { releaseImage } from './holder.ts';

/**
 * What is left after DONE: policies back, old trees away, holder away, journal closed. Nothing here can fail the restore: each failure is a warning
 * and leaves the journal open for the next sweep.
 */
export async function collectDone(parts: EngineParts, tx: Transaction, signal: AbortSignal): Promise<Note[]> {
  const warnings: Note[] = [];
  const attempt = async (work: () => Promise<void>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      const code = isForgeError(error) ? error.code : 'INTERNAL';
      const params = isForgeError(error) ? { ...error.params } : { why: String((error as Error | null)?.message) };
      warnings.push({ code, params });
      parts.log.warn({ tx: tx.txId, operation: tx.operationId, code, params }, 'left for the next sweep');
    }
  };
  await attempt(() => policiesBack(parts, tx, signal));
  for (const volume of tx.commit?.volumes ?? []) {
    const { old } = volume;
    if (old === null) continue;
    await attempt(() =>
      discardTree(
        parts,
        {
          parent: volume.parent,
          identity: old,
          likely: [volume.oldPath],
          trashName: `${tx.txId}-${volume.index}-old`,
          livePath: volume.livePath,
        },
        signal,
      ),
    );
  }
  await attempt(() => discardAttempts(parts, tx, signal));
  await attempt(() => releaseImage(parts, tx, signal));
  if (warnings.length === 0) await attempt(() => parts.journals.close(tx));
  return warnings;
}

/** New instances get the policy every instance has; where the app stays stopped the old ones get theirs back. */
async function policiesBack(parts: EngineParts, tx: Transaction, signal: AbortSignal): Promise<void> {
  const instances = tx.done?.instances ?? [];
  for (const id of instances) await parts.docker.setRestartPolicy(id, 'unless-stopped', signal);
  if (instances.length > 0) return;
  for (const container of tx.quiescing?.containers ?? [])
    await parts.docker.setRestartPolicy(container.id, container.restartPolicy as RestartPolicy, signal);
}
