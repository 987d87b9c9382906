import { ERRORS, renderDetail, type ErrorCode, type Note } from '@tiny-forge/contracts/domain';
import type { FrozenPlan, RedeployRecorded, TransactionStatus } from '@tiny-forge/volsnap';
import type { HostActivities, KeptView, OpaquePlan } from '@tiny-forge/workflows';
import type { FailureExtras } from './activity-failure.ts';
import type { ActivityContext } from './guard-activities.ts';
import type { HostParts } from './host-parts.ts';
import { planInput } from './plan-input.ts';
import { dropWarmSnapshot, makeSafe, warmSafetySnapshot } from './safety-snapshot.ts';
import { appState, assertNotHeld, dispatch, frozenWorkload, livingWorkload } from './workload-work.ts';

type RestoreActivity =
  | 'preflight'
  | 'extract'
  | 'stop'
  | 'preRestoreSnapshot'
  | 'swap'
  | 'redeploy'
  | 'finish'
  | 'removeNew'
  | 'swapBack'
  | 'resume'
  | 'dropStaging'
  | 'close'
  | 'needsOperator'
  | 'recoverStatus';

export type WithContext<T, K extends keyof T> = {
  [P in K]: T[P] extends (request: infer R) => infer A ? (request: R, context: ActivityContext) => A : never;
};

export const frozen = (plan: OpaquePlan): FrozenPlan => plan as unknown as FrozenPlan;

/** The steps of a restore and their undo (restore.md 1): each joins one call of the restore engine with deployer, catalogue and tables. */
export function restoreActivities(parts: HostParts): WithContext<HostActivities, RestoreActivity> {
  const engine = parts.restoreEngine;

  /** `resume` calls it where a recorded container is gone: the recorded image again, through the one dispatch. */
  const redeployRecorded =
    (plan: FrozenPlan): RedeployRecorded =>
    async (image, signal) => {
      await dispatch(parts, {
        record: await frozenWorkload(parts, plan.workloadId, plan.revision),
        operationId: plan.operationId,
        cause: 'resume',
        pinnedImage: image,
        restartPolicy: 'unless-stopped',
        signal,
      });
    };

  return {
    preflight: async ({ job, snapshotId, planHash, safety }, context) => {
      await assertNotHeld(parts, job.workloadId, job.operationId);
      const record = await livingWorkload(parts, job.workloadId);
      const input = await planInput(parts, record, snapshotId, safety);
      const plan = await engine.preflight(
        { ...input, operationId: job.operationId, confirmedPlanHash: planHash },
        context,
      );
      return { plan: plan as unknown as OpaquePlan, app: await appState(parts, record, context.signal) };
    },
    extract: async ({ plan }, context) => {
      const staged = await engine.extract(frozen(plan), context);
      await warmSafetySnapshot(parts, frozen(plan), context);
      return staged;
    },
    stop: async ({ plan }, context) => {
      const { before, stoppedAt } = await engine.stop(frozen(plan), context);
      return { before, stoppedAt };
    },
    preRestoreSnapshot: ({ plan, safety }, context) => makeSafe(parts, frozen(plan), safety, context),
    swap: ({ plan }, context) => engine.swap(frozen(plan), context),
    redeploy: async ({ plan: opaque }, { signal }) => {
      const plan = frozen(opaque);
      await engine.assertMayRedeploy(plan, signal);
      const { instances } = await dispatch(parts, {
        record: await frozenWorkload(parts, plan.workloadId, plan.revision),
        operationId: plan.operationId,
        cause: 'restore',
        pinnedImage: plan.image,
        restartPolicy: 'no',
        signal,
      });
      return { instances: instances.map(({ containerId }) => containerId) };
    },
    finish: async ({ plan, instances }, context) => {
      const { warnings } = await engine.finish(frozen(plan), instances, context);
      const kept = keptView(await engine.status(frozen(plan).operationId));
      return { warnings: warnings.map(sentence), ...(kept && { kept }) };
    },

    removeNew: ({ plan }, { signal }) => engine.removeNew(frozen(plan), signal),
    swapBack: ({ plan }, { signal }) => engine.swapBack(frozen(plan), signal),
    resume: ({ plan }, { signal }) => engine.resume(frozen(plan), redeployRecorded(frozen(plan)), signal),
    dropStaging: async ({ plan }, { signal }) => {
      await dropWarmSnapshot(parts, frozen(plan));
      await engine.dropStaging(frozen(plan), signal);
    },
    close: ({ plan }, { signal }) => engine.close(frozen(plan), signal),
    needsOperator: async ({ plan, code, detail }) => ({
      guide: await engine.needsOperator(frozen(plan), { code, detail }),
    }),

    recoverStatus: async ({ job, recovers, recheck, accept }, { signal }) => {
      const record = await parts.state.workloads.getEvenDeleted(job.workloadId);
      const app = record ? await appState(parts, record, signal) : 'absent';
      let guide = null;
      if ((await engine.status(recovers))?.record === 'OPERATOR') {
        const examined = await engine.examine(recovers);
        guide = examined.guide;
        if (!recheck) return { record: 'OPERATOR', plan: null, done: false, before: null, app, guide };
        if (examined.verdict !== 'unclear') await engine.acceptVerdict(recovers, examined.verdict, job.operationId);
        else if (accept === 'as-is') await engine.acceptVerdict(recovers, 'all-old', job.operationId);
      }
      const status = await engine.status(recovers);
      const kept = keptView(status);
      return {
        record: status?.record ?? 'CLOSED',
        plan: (status?.plan ?? null) as OpaquePlan | null,
        done: status?.done ?? false,
        ...(kept && { kept }),
        before: status?.before ?? null,
        app,
        guide: status?.record === 'OPERATOR' ? guide : null,
      };
    },
  };
}

/** What people are told of old trees that are kept; null: none are. */
export function keptView(status: Pick<TransactionStatus, 'kept'> | null): KeptView | null {
  const kept = status?.kept;
  if (!kept) return null;
  return {
    until: kept.keptUntil,
    trees: kept.trees.map(({ target, livePath, path }) => ({ target, livePath, path })),
  };
}

const sentence = (note: Note): string =>
  note.code in ERRORS ? renderDetail(note.code as ErrorCode, note.params) : note.code;

/** Where a failed step left the data: the journal knows, the error does not. */
export async function journalExtras(parts: HostParts, step: string, request: unknown): Promise<FailureExtras> {
  const plan = (request as { plan?: OpaquePlan } | undefined)?.plan;
  if (!plan || !['swap', 'redeploy', 'finish', 'swapBack'].includes(step)) return {};
  const status = await parts.restoreEngine.status(frozen(plan).operationId);
  switch (status?.record) {
    case 'COMMIT':
    case 'ROLLBACK':
    case 'OPERATOR':
      return { data: 'unclear' };
    case 'SWAPPED':
      return { data: 'restored' };
    case 'ROLLED_BACK':
      return { data: 'current' };
    case 'DONE':
    case 'CLOSED': {
      const kept = keptView(status);
      return { data: 'restored', done: true, ...(kept && { kept }) };
    }
    default:
      return { data: 'staged' };
  }
}
