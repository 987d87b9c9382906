import { ApplicationFailure, TemporalFailure } from '@temporalio/common';
import { allHandlersFinished, CancellationScope, condition } from '@temporalio/workflow';
import type { OperationState, OperatorGuide } from '@tiny-forge/contracts/domain';
import { OperationRun } from './operation-run.ts';
import type { OperationInput } from './operation-types.ts';
import { recover } from './recover-steps.ts';
import { restore } from './restore-steps.ts';
import { captureSnapshot, deleteWorkload, deploy, importSnapshot, startApp, stopApp } from './single-steps.ts';
import { Stopped } from './step-runner.ts';
import { DEFAULT_TIMINGS, type Timings } from './timings.ts';

const KINDS: Partial<Record<OperationInput['kind'], (run: OperationRun) => Promise<void | OperationState>>> = {
  deploy,
  stop: stopApp,
  start: startApp,
  snapshot: captureSnapshot,
  import: importSnapshot,
  restore,
  'undo-restore': restore,
  recover,
  delete: deleteWorkload,
};

export interface OperationResult {
  readonly state: OperationState;
}

/**
 * One operation. Ends normally whatever happened to the workload: the outcome is its result, its row and its search attributes.
 * `refused` (state CANCELLED): the row would not begin, nothing was done.
 */
export async function operation(input: OperationInput, timings: Partial<Timings> = {}): Promise<OperationResult> {
  const run = new OperationRun(input, { ...DEFAULT_TIMINGS, ...timings });
  // A cancellation from outside is an abort: it must not tear a step from its undo.
  CancellationScope.current().cancelRequested.catch(() => run.abortFromOutside());
  return CancellationScope.nonCancellable(async () => {
    if (!(await run.keeper.begin())) return { state: 'CANCELLED' };
    const { state, guide } = await perform(run);
    if (guide !== null) run.keeper.set({ operatorGuide: guide });
    await run.keeper.end(state, run.recovered);
    await condition(allHandlersFinished);
    return { state };
  });
}

async function perform(
  run: OperationRun,
): Promise<{ readonly state: OperationState; readonly guide: OperatorGuide | null }> {
  const kind = KINDS[run.input.kind];
  try {
    if (!kind) throw ApplicationFailure.nonRetryable(`operations of kind ${run.input.kind} are not built yet`);
    return { state: (await kind(run)) ?? 'SUCCEEDED', guide: null };
  } catch (error) {
    if (error instanceof Stopped) return run.compensate(error);
    if (error instanceof TemporalFailure) return run.compensate(run.unexpected(error));
    // A mistake of this code: the task fails and is tried again until a mended version runs.
    throw error;
  }
}
