import path from 'node:path';
import { ownNames } from '@tiny-forge/contracts/domain';
import type { StagedVolume, SwapVolume } from '../journal/record.ts';
import type { FrozenPlan, RestoreTarget, TreeIdentity } from '../restore-engine.ts';

export const stagingPathOf = (plan: FrozenPlan, target: RestoreTarget, attempt: number): string =>
  path.join(
    target.parent,
    target.swap === 'inner'
      ? ownNames.innerStaging(plan.txId, attempt)
      : ownNames.staging(path.basename(target.hostPath), plan.txId, attempt),
  );

export const oldPathOf = (plan: FrozenPlan, target: RestoreTarget): string =>
  path.join(
    target.parent,
    target.swap === 'inner' ? ownNames.innerOld(plan.txId) : ownNames.old(path.basename(target.hostPath), plan.txId),
  );

/** What the swap will move: pure. A volume that is absent before and after moves nothing and is left out. */
export function planSwap(plan: FrozenPlan, staged: readonly StagedVolume[]): SwapVolume[] {
  return plan.targets.flatMap((target) => {
    const staging = staged.find((volume) => volume.index === target.index)?.staging ?? null;
    if (staging === null && target.live === null) return [];
    return {
      index: target.index,
      target: target.target,
      parent: target.parent,
      livePath: target.hostPath,
      oldPath: oldPathOf(plan, target),
      old: target.live,
      stagingPath: staging?.path ?? null,
      staging: staging?.identity ?? null,
      ...(target.swap === 'inner' && target.live !== null && innerOf(target.live)),
    };
  });
}

/** The old tree is made when the swap begins. */
const innerOf = (root: TreeIdentity): Pick<SwapVolume, 'old' | 'inner'> => ({
  old: null,
  inner: { root, oldEntries: [], newEntries: [], oldRoot: null, newRoot: null },
});
