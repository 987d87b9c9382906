import { ForgeError, type Note } from '@tiny-forge/contracts/domain';
import { forwardTransaction, type EngineParts } from '../engine-parts.ts';
import type { FrozenPlan, StepContext } from '../restore-engine.ts';
import { accepted } from '../journal/transaction.ts';
import { assertSide } from '../swap/swap-volumes.ts';
import { collectDone } from './collect.ts';
import { assertNobodyUses, holdOthers } from './quiet.ts';
import { ownInstances } from './swap.ts';

/** DONE is the end of the restore; all after it can only warn. */
export async function finish(
  parts: EngineParts,
  plan: FrozenPlan,
  instances: readonly string[],
  context: StepContext,
): Promise<{ readonly warnings: readonly Note[] }> {
  let tx = await forwardTransaction(parts, plan, 'finish', 'SWAPPED');
  if (tx.state === 'CLOSED') return { warnings: [] };
  if (!tx.done) {
    if (tx.state !== 'SWAPPED')
      throw new ForgeError({ code: 'TX_STATE', params: { step: 'finish', needs: 'SWAPPED', found: tx.state } });
    await holdOthers(parts, plan, [...instances, ...(await ownInstances(parts, plan, context.signal))], context.signal);
    const volumes = tx.commit?.volumes ?? [];
    const paths = volumes.flatMap((volume) => [volume.livePath, volume.oldPath]);
    await assertNobodyUses(parts, paths, instances, context.signal);
    // The old trees are deleted next.
    if (!accepted(tx)) await assertSide(parts.fs, volumes, 'new');
    tx = await parts.journals.append(tx, { type: 'DONE', instances });
  }
  const { warnings } = await collectDone(parts, tx, 'start', context.signal);
  return { warnings };
}
