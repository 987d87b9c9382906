import type { OperationState, OperatorGuide, SituationApp } from '@tiny-forge/contracts/domain';
import { hostActivities } from './activity-options.ts';
import type { FailureDetails, Job, OpaquePlan, RecoveredEnd } from './activity-types.ts';
import type { OperationInput } from './operation-types.ts';
import { failure, stepFailureOf } from './step-failure.ts';
import { StepRunner, Stopped } from './step-runner.ts';
import type { Timings } from './timings.ts';
import { UndoChain, type Undo } from './undo-chain.ts';
import { now, ViewKeeper } from './view-keeper.ts';

/** All that one operation has: its input, its view, its steps, its activities and what it would have to undo. */
export class OperationRun {
  readonly input: OperationInput;
  readonly job: Job;
  readonly keeper: ViewKeeper;
  readonly steps: StepRunner;
  readonly host: ReturnType<typeof hostActivities>;
  /** How the operation ends that this one recovers. */
  recovered: RecoveredEnd | null = null;
  readonly #undos: UndoChain;
  #plan: OpaquePlan | null = null;

  constructor(input: OperationInput, timings: Timings) {
    this.input = input;
    this.job = {
      installation: input.installation,
      hostId: input.hostId,
      operationId: input.operationId,
      workloadId: input.workloadId,
    };
    this.keeper = new ViewKeeper(input, timings);
    this.steps = new StepRunner(input, this.keeper, timings);
    this.host = hostActivities(input, timings);
    this.#undos = new UndoChain(input.hostId, timings);
  }

  /** From now on a failing undo leaves a journal that holds the workload. */
  holds(plan: OpaquePlan): void {
    this.#plan = plan;
  }

  undo(name: Undo['name'], step: string, undo: () => Promise<void>): void {
    this.#undos.register({ name, step, run: undo });
  }

  /** A cancellation through Temporal itself; refused like any other abort. */
  abortFromOutside(): void {
    const { state, pastDecision } = this.keeper.view;
    if (state === 'WAITING' || (state === 'RUNNING' && !pastDecision)) this.steps.abort('Temporal');
  }

  /** An error that no step reports, as the end of the step that was next. */
  unexpected(error: Error): Stopped {
    const { steps } = this.keeper.view;
    const step = steps.find((candidate) => candidate.state !== 'DONE' && candidate.state !== 'SKIPPED') ?? steps[0];
    const details = { ...failure('INTERNAL', { reportId: this.input.operationId }), message: error.message };
    if (step) this.keeper.finishStep(step.name, 'FAILED', details.message);
    return new Stopped(step?.name ?? '', details, false);
  }

  appIsBack(app: SituationApp): void {
    this.keeper.situation({ app });
    const { downtime } = this.keeper.view;
    if (downtime?.to === null && app === 'running') this.keeper.set({ downtime: { ...downtime, to: now() } });
  }

  dataIs(details: FailureDetails): void {
    if (details.data !== undefined) this.keeper.situation({ data: details.data });
  }

  /**
   * Takes everything back and says how the operation ends. An undo that fails ends the chain: the journal gets OPERATOR, nothing is started.
   */
  async compensate(
    stopped: Stopped,
  ): Promise<{ readonly state: OperationState; readonly guide: OperatorGuide | null }> {
    const { keeper } = this;
    if (!this.#undos.isEmpty) {
      keeper.set({ state: 'COMPENSATING' }, ['waitingUntil']);
      keeper.fail(stopped.failure);
    }
    const failed = await this.#undos.run(keeper);
    if (failed) return this.#hold(failed);
    const step = keeper.step(stopped.step);
    if (step.state === 'RUNNING' || step.state === 'WAITING') keeper.finishStep(stopped.step, 'UNDONE');
    keeper.fail(stopped.failure);
    if (keeper.view.hadEffect) return { state: 'ROLLED_BACK', guide: null };
    return { state: stopped.aborted ? 'CANCELLED' : 'FAILED', guide: null };
  }

  async #hold(failed: { readonly undo: Undo; readonly failure: FailureDetails }): Promise<{
    readonly state: OperationState;
    readonly guide: OperatorGuide | null;
  }> {
    const { undo } = failed;
    const details = failed.failure.code === 'ROLLBACK_FAILED' ? failed.failure : undoFailed(failed.failure, undo.name);
    if (this.keeper.step(undo.step).state === 'UNDOING') this.keeper.finishStep(undo.step, 'FAILED', details.message);
    this.dataIs(
      undo.name === 'swapBack' ? { ...failed.failure, data: failed.failure.data ?? 'unclear' } : failed.failure,
    );
    this.keeper.fail(details);
    if (this.#plan === null) return { state: 'FAILED', guide: null };
    return { state: 'NEEDS_OPERATOR', guide: await this.operatorRecord(this.#plan, details) };
  }

  /** Writes OPERATOR into the journal; null where even that failed. */
  async operatorRecord(plan: OpaquePlan, details: FailureDetails): Promise<OperatorGuide | null> {
    try {
      const { guide } = await this.host.needsOperator({
        job: this.job,
        plan,
        code: details.code,
        detail: details.message,
      });
      return guide;
    } catch (error) {
      // The open journal holds the workload even without the record.
      const why = stepFailureOf(error, this.input.hostId);
      this.keeper.fail({ ...details, message: `${details.message} ${why.message}` });
      return null;
    }
  }
}

const undoFailed = (cause: FailureDetails, step: string): FailureDetails => ({
  ...failure('UNDO_FAILED', { step, why: cause.message }),
  ...(cause.data === undefined ? {} : { data: cause.data }),
});
