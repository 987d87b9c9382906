import { isForgeError, type Note } from '@tiny-forge/contracts/domain';
import type { RestartPolicy } from '@tiny-forge/docker';
import type { EngineParts } from '../engine-parts.ts';
import { keepOldTrees } from '../kept/kept-trees.ts';
import { accepted, keepsOldTrees, type Transaction } from '../journal/transaction.ts';
import { assertSide } from '../swap/swap-volumes.ts';
import { putTimeBack } from '../swap/inner-swap.ts';
import { discardTree } from '../swap/discard-tree.ts';
import { closeJournal } from './close-journal.ts';
import { discardAttempts } from './discard-attempts.ts';
import { releaseImage } from './holder.ts';
import { isUp } from './stop.ts';

export interface Collected {
  readonly warnings: readonly Note[];
  readonly closed: boolean;
}

/**
 * What is left after DONE: policies back, the new app up, old trees away, holder away, journal closed. Nothing here can fail the restore: each
 * failure is a warning and leaves the journal open for the next sweep, but a failing start, which must not hold the next restore back.
 * @param down what to do with a new container that does not run: a power cut before its policy was back leaves it down for ever. The sweep starts
 * nothing: it leaves the journal open for whoever may.
 */
export async function collectDone(
  parts: EngineParts,
  tx: Transaction,
  down: 'start' | 'leave',
  signal: AbortSignal,
): Promise<Collected> {
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
  // Before anything is deleted: a DONE that another process wrote may be in memory only, and a power cut would make it SWAPPED again.
  await attempt(() => parts.journals.trust(tx));
  if (warnings.length > 0) return { warnings, closed: false };
  await attempt(() => policiesBack(parts, tx, signal));
  if (keepsOldTrees(tx)) await attempt(() => keepOldTrees(parts, tx));
  for (const volume of keepsOldTrees(tx) ? [] : (tx.commit?.volumes ?? [])) {
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
  if (tx.done?.instances.length === 0) await attempt(() => putTimeBack(parts.fs, tx.commit?.volumes ?? [], 'new'));
  await attempt(() => releaseImage(parts, tx, signal));
  if (warnings.length > 0) return { warnings, closed: false };
  let waits = false;
  await attempt(async () => {
    const instances = await downInstances(parts, tx, signal);
    if (instances.length > 0 && down === 'start' && !accepted(tx))
      await assertSide(parts.fs, tx.commit?.volumes ?? [], 'new');
    for (const id of instances) {
      if (down === 'start') await parts.docker.startContainer(id, signal);
      else waits = true;
    }
  });
  if (waits) return { warnings, closed: false };
  const before = warnings.length;
  await attempt(() => closeJournal(parts, tx));
  return { warnings, closed: warnings.length === before };
}

async function downInstances(parts: EngineParts, tx: Transaction, signal: AbortSignal): Promise<string[]> {
  const down: string[] = [];
  for (const id of tx.done?.instances ?? []) {
    const instance = await parts.docker.inspectContainer(id, signal);
    if (instance && !isUp(instance)) down.push(id);
  }
  return down;
}

/** New instances get the policy every instance has; where the app stays stopped the old ones get theirs back. */
async function policiesBack(parts: EngineParts, tx: Transaction, signal: AbortSignal): Promise<void> {
  const instances = tx.done?.instances ?? [];
  for (const id of instances) await parts.docker.setRestartPolicy(id, 'unless-stopped', signal);
  if (instances.length > 0) return;
  for (const container of tx.quiescing?.containers ?? [])
    await parts.docker.setRestartPolicy(container.id, container.restartPolicy as RestartPolicy, signal);
}
