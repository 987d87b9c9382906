import { ForgeError } from '@tiny-forge/contracts/domain';
import { transactionOf, type EngineParts } from '../engine-parts.ts';
import { txIdOf } from '../journal/journal-name.ts';
import { gatherHostFacts } from '../plan/gather-host-facts.ts';
import { planRestore, type PlannedRestore } from '../plan/plan-restore.ts';
import { assertSameManifest } from '../ports/archive-safe-port.ts';
import type { FrozenPlan, PlanInput, StepContext } from '../restore-engine.ts';
import { holdImage, releaseImage } from './holder.ts';
import { assertUnblocked, probeParents } from './probe-parents.ts';

export type PreflightInput = PlanInput & { readonly operationId: string; readonly confirmedPlanHash: string | null };

export async function makePlan(parts: EngineParts, input: PlanInput, signal: AbortSignal): Promise<PlannedRestore> {
  const context = await parts.scopeContext(input.workload.id);
  const facts = await gatherHostFacts({ ...parts, context }, input, signal);
  return planRestore(input, facts, { now: parts.clock.now(), reserve: parts.reserve });
}

/** Each target with its link tier, as captured. */
const withLinks = (input: PreflightInput, targets: PlannedRestore['targets']) => {
  const links = new Map(input.snapshot.manifest.volumes.map((volume) => [volume.index, volume.links ?? 2]));
  return targets.map((target) => ({ ...target, links: links.get(target.index) ?? 2 }));
};

/** All checks again, with what a plan may not do: probes, the whole archive, the image. Leaves nothing but the holder. */
export async function preflight(parts: EngineParts, input: PreflightInput, context: StepContext): Promise<FrozenPlan> {
  const txId = txIdOf(input.operationId);
  const begun = await transactionOf(parts, { txId });
  if (begun?.state === 'CLOSED')
    throw new ForgeError({ code: 'TX_STATE', params: { step: 'preflight', needs: 'NONE', found: 'CLOSED' } });
  if (begun) return begun.begin.plan;

  const { signal } = context;
  const planned = await makePlan(parts, input, signal);
  const { plan, targets } = planned;
  if (input.confirmedPlanHash !== null && input.confirmedPlanHash !== plan.planHash)
    throw new ForgeError({
      code: 'PLAN_CHANGED',
      params: { what: 'the volumes, their directories, the containers that run, the image or the workload' },
    });
  assertUnblocked(plan.blockers);

  const verified = await parts.archive.verify({
    file: input.snapshot.file,
    sha256: input.snapshot.archiveSha256,
    signal,
    onProgress: context.onProgress,
  });
  assertSameManifest(verified.manifest, input.snapshot.manifest);

  const owner = { workloadId: input.workload.id, operationId: input.operationId };
  try {
    const held = planned.image ? await holdImage(parts, { ...owner, image: planned.image }, signal) : null;
    // Last, because it is the one check that writes beside the volumes (I2).
    assertUnblocked(await probeParents(parts, txId, withLinks(input, targets)));
    return {
      txId,
      ...owner,
      workloadName: input.workload.name,
      revision: input.workload.revision,
      snapshotId: input.snapshot.id,
      archiveFile: input.snapshot.file,
      archiveSha256: input.snapshot.archiveSha256,
      planHash: plan.planHash,
      safety: input.safety,
      safetyDays: input.safetyDays,
      targets,
      image: held?.image ?? null,
      holderContainerId: held?.holderContainerId ?? null,
      stopTimeoutSeconds: input.workload.config.stopTimeoutSeconds,
    };
  } catch (error) {
    await releaseImage(parts, owner, AbortSignal.timeout(10_000)).catch(() => undefined);
    throw error;
  }
}
