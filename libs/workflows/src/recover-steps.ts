import type { EndedState, OperationState } from '@tiny-forge/contracts/domain';
import type { FailureDetails, OpaquePlan, PlanJob, RecoverStatus } from './activity-types.ts';
import type { OperationRun } from './operation-run.ts';
import { failure } from './step-failure.ts';
import { never, Stopped } from './step-runner.ts';

/**
 * Finishes the open journal of an operation that Temporal no longer runs (restore.md 4), with the same activities. One step with several
 * activities: what it does depends on the journal, and every one of them reads the journal first.
 */
export async function recover(run: OperationRun): Promise<OperationState> {
  const { host, job, keeper } = run;
  const recovers = run.input.options.recovers ?? '';
  const recheck = run.input.options.recheckAccept !== undefined;
  const status = await run.steps.run(
    'recover',
    () => host.recoverStatus({ job, recovers, recheck, accept: run.input.options.recheckAccept ?? null }),
    { waits: never },
  );
  keeper.situation({ app: status.app });
  if (status.record === 'OPERATOR') return stays(run, recovers, status);
  if (status.plan === null || status.record === 'CLOSED') {
    const undone = status.record === 'CLOSED' && status.before !== null ? 'ROLLED_BACK' : 'FAILED';
    if (status.kept) keeper.set({ kept: status.kept });
    tell(run, recovers, status.done ? 'SUCCEEDED' : undone);
    return 'SUCCEEDED';
  }
  run.holds(status.plan);
  const ended = await finishJournal(run, status.plan, status);
  tell(run, recovers, ended);
  return 'SUCCEEDED';
}

async function finishJournal(run: OperationRun, plan: OpaquePlan, status: RecoverStatus): Promise<EndedState> {
  const of: PlanJob = { job: run.job, plan };
  const { host, keeper } = run;
  switch (status.record) {
    case 'NONE':
    case 'BEGIN':
    case 'STAGED':
      await undoAll(run, plan, ['dropStaging', 'close']);
      return 'FAILED';
    case 'COMMIT':
    case 'SWAPPED':
    case 'DONE':
      break;
    default:
      await undoAll(run, plan, ['removeNew', 'swapBack', 'resume', 'dropStaging', 'close']);
      return 'ROLLED_BACK';
  }
  if (status.record !== 'DONE') {
    try {
      await phase(run, 'swap', () => host.swap(of));
      keeper.situation({ data: 'restored' });
    } catch (error) {
      return back(run, plan, error);
    }
  }
  try {
    let instances: readonly string[] = [];
    if (status.before !== 'stopped' && status.record !== 'DONE') {
      instances = (await phase(run, 'redeploy', () => host.redeploy(of))).instances;
      run.appIsBack('running');
    }
    const { kept } = await phase(run, 'finish', () => host.finish({ ...of, instances }));
    if (kept) keeper.set({ kept });
    return 'SUCCEEDED';
  } catch (error) {
    if (!(error instanceof Stopped) || error.failure.done !== true) return back(run, plan, error);
    if (error.failure.kept) keeper.set({ kept: error.failure.kept });
    return 'SUCCEEDED';
  }
}

async function back(run: OperationRun, plan: OpaquePlan, error: unknown): Promise<EndedState> {
  if (!(error instanceof Stopped)) throw error;
  run.keeper.patchStep('recover', { state: 'RUNNING', endedAt: null });
  await undoAll(run, plan, ['removeNew', 'swapBack', 'resume', 'dropStaging', 'close']);
  return 'ROLLED_BACK';
}

type UndoName = 'removeNew' | 'swapBack' | 'resume' | 'dropStaging' | 'close';

/** In the order given; the first that fails holds the recovered operation. @throws Stopped */
async function undoAll(run: OperationRun, plan: OpaquePlan, names: readonly UndoName[]): Promise<void> {
  const of: PlanJob = { job: run.job, plan };
  for (const name of names) {
    try {
      const answer = await phase(run, name, async () => run.host[name](of));
      if (name === 'resume' && answer) run.appIsBack(answer.app);
    } catch (error) {
      if (error instanceof Stopped) await hold(run, plan, name, error.failure);
      throw error;
    }
  }
  run.keeper.situation({ data: 'current' });
}

async function hold(run: OperationRun, plan: OpaquePlan, name: UndoName, cause: FailureDetails): Promise<void> {
  const details = cause.code === 'ROLLBACK_FAILED' ? cause : failure('UNDO_FAILED', { step: name, why: cause.message });
  if (name === 'swapBack') run.keeper.situation({ data: cause.data ?? 'unclear' });
  const guide = await run.operatorRecord(plan, details);
  const { app, data } = run.keeper.view.situation;
  run.recovered = {
    operationId: run.input.options.recovers ?? '',
    state: 'NEEDS_OPERATOR',
    app,
    data,
    error: { code: details.code, params: details.params, detail: details.message },
    ...(guide === null ? {} : { operatorGuide: guide }),
  };
}

function stays(run: OperationRun, recovers: string, status: RecoverStatus): OperationState {
  run.keeper.situation({ data: 'unclear' });
  run.recovered = {
    operationId: recovers,
    state: 'NEEDS_OPERATOR',
    app: status.app,
    data: 'unclear',
    ...(status.guide === null ? {} : { operatorGuide: status.guide }),
  };
  const details = failure('WORKLOAD_HELD', { operationId: recovers });
  run.keeper.finishStep('recover', 'FAILED', details.message);
  run.keeper.fail(details);
  return 'FAILED';
}

/** Nobody is asked: what cannot go forward goes back. */
function phase<T>(run: OperationRun, name: string, call: () => Promise<T>): Promise<T> {
  run.keeper.patchStep('recover', { detail: name });
  return run.steps.run('recover', call, { waits: never, decision: true });
}

function tell(run: OperationRun, recovers: string, state: EndedState): void {
  const { situation, kept } = run.keeper.view;
  const { app, data } = situation;
  run.recovered = {
    operationId: recovers,
    state,
    app,
    data,
    ...(state === 'SUCCEEDED'
      ? kept && { kept }
      : {
          error: {
            code: 'RECOVERED',
            params: { operationId: run.input.operationId },
            detail: failure('RECOVERED', { operationId: run.input.operationId }).message,
          },
        }),
  };
}
