import { ApplicationFailure } from '@temporalio/common';
import { CancellationScope, condition, setHandler, sleep, workflowInfo } from '@temporalio/workflow';
import { isEnded, taskQueues, type OperationState } from '@tiny-forge/contracts/domain';
import { waitActivities } from './activity-options.ts';
import type { FailureDetails } from './activity-types.ts';
import { abortRun, operationView, retryStep, type RetryStepRequest } from './messages.ts';
import type { OperationInput } from './operation-types.ts';
import { errorView, failure, isJournalState, isOutage, stepFailureOf } from './step-failure.ts';
import type { Timings } from './timings.ts';
import { inMs, now, type ViewKeeper } from './view-keeper.ts';

/** Ends the forward direction of an operation: undo follows. */
export class Stopped extends Error {
  readonly step: string;
  readonly failure: FailureDetails;
  /** Aborted by a person while nothing was wrong. */
  readonly aborted: boolean;

  constructor(step: string, details: FailureDetails, aborted: boolean) {
    super(details.code);
    this.step = step;
    this.failure = details;
    this.aborted = aborted;
  }
}

export const never = (): boolean => false;

export interface StepOptions {
  /** Whether a failure waits for a person (restore.md 1: from `stop` on). */
  readonly waits: (details: FailureDetails) => boolean;
  /** Set in the moment the step is scheduled: its failure or abort is then undone, not just ended. */
  readonly effect?: boolean;
  /** `swap`: from its scheduling on an abort is refused, until WAITING. */
  readonly decision?: boolean;
  readonly onFailure?: (details: FailureDetails) => unknown;
  /** Whether `retry-step` may say what becomes of the live data instead; told before the step is tried again. */
  readonly onSafety?: (safety: NonNullable<RetryStepRequest['safety']>) => void;
}

/** Runs the steps of one operation forward, one at a time: attempts, waiting for a person, abort, and a host that went silent. */
export class StepRunner {
  readonly #input: OperationInput;
  readonly #keeper: ViewKeeper;
  readonly #timings: Timings;
  readonly #waits: ReturnType<typeof waitActivities>;
  #abortedBy: string | null = null;
  #scope: CancellationScope | null = null;
  #asking = false;
  #takesSafety = false;
  #answer:
    | { readonly kind: 'retry'; readonly safety: RetryStepRequest['safety'] }
    | { readonly kind: 'abort'; readonly who: string }
    | null = null;

  constructor(input: OperationInput, keeper: ViewKeeper, timings: Timings) {
    this.#input = input;
    this.#keeper = keeper;
    this.#timings = timings;
    this.#waits = waitActivities(timings);
    setHandler(operationView, () => keeper.view);
    setHandler(
      retryStep,
      ({ safety }) => {
        this.#answer = { kind: 'retry', safety };
      },
      { validator: (request: RetryStepRequest) => this.#mayRetry(request.safety) },
    );
    setHandler(abortRun, ({ who }) => this.abort(who), { validator: (_request) => this.#mayAbort() });
  }

  abort(who: string): void {
    if (this.#asking) {
      this.#answer = { kind: 'abort', who };
      return;
    }
    this.#abortedBy ??= who;
    this.#scope?.cancel();
  }

  /** @throws Stopped */
  async run<T>(name: string, call: () => Promise<T>, options: StepOptions): Promise<T> {
    const keeper = this.#keeper;
    let attempts = 0;
    let outageUntil: number | null = null;
    for (;;) {
      this.#stopIfAborted(name);
      if (options.effect) keeper.set({ hadEffect: true });
      if (options.decision) keeper.set({ pastDecision: true });
      keeper.patchStep(
        name,
        {
          state: 'RUNNING',
          startedAt: keeper.step(name).startedAt ?? now(),
          endedAt: null,
          attempts: keeper.step(name).attempts + 1,
        },
        ['nextAttemptAt'],
      );
      keeper.set({ state: 'RUNNING' }, ['waitingUntil', 'error']);
      try {
        const result = await this.#cancellable(name, call);
        keeper.finishStep(name, 'DONE', null);
        return result;
      } catch (error) {
        const details = stepFailureOf(error, this.#input.hostId);
        if (details.code === 'CANCELLED') this.#stopIfAborted(name);
        options.onFailure?.(details);
        keeper.patchStep(name, { detail: details.message });
        if (isOutage(details) && options.waits(details)) {
          outageUntil ??= Date.now() + this.#timings.outageMs;
          if (Date.now() < outageUntil) {
            await this.#pause(name, attempts);
            continue;
          }
        } else if (details.retryable && ++attempts < this.#timings.maxAttempts) {
          await this.#pause(name, attempts);
          continue;
        }
        if (!options.waits(details) || isJournalState(details)) throw this.#failed(name, details);
        await this.#ask(name, details, options);
        attempts = 0;
        outageUntil = null;
      }
    }
  }

  #failed(name: string, details: FailureDetails): Stopped {
    this.#keeper.finishStep(name, 'FAILED', details.message);
    return new Stopped(name, details, false);
  }

  #stopIfAborted(name: string): void {
    if (this.#abortedBy === null) return;
    const details = failure('ABORTED', { who: this.#abortedBy });
    if (this.#keeper.step(name).state !== 'PENDING') this.#keeper.patchStep(name, { detail: details.message });
    throw new Stopped(name, details, true);
  }

  /** Waits for `retry-step` or `abort`, at most operatorWaitSeconds. Returns for a retry. */
  async #ask(name: string, details: FailureDetails, { onSafety }: StepOptions): Promise<void> {
    const keeper = this.#keeper;
    const waitMs = this.#input.operatorWaitSeconds * 1000;
    if (waitMs === 0) throw this.#failed(name, details);
    keeper.patchStep(name, { state: 'WAITING', detail: details.message }, ['nextAttemptAt']);
    keeper.set({
      state: 'WAITING',
      waitingUntil: inMs(waitMs),
      error: errorView(details, keeper.view.situation),
    });
    this.#answer = null;
    this.#asking = true;
    this.#takesSafety = onSafety !== undefined;
    await condition(() => this.#answer !== null, waitMs);
    this.#asking = false;
    const answer = this.#answer as { readonly kind: string; readonly safety?: RetryStepRequest['safety'] } | null;
    if (answer?.kind !== 'retry') throw this.#failed(name, details);
    if (answer.safety !== undefined) onSafety?.(answer.safety);
  }

  /** Before the next attempt; an abort ends it early. */
  async #pause(name: string, attempts: number): Promise<void> {
    const ms = Math.min(this.#timings.backoffMs * 2 ** Math.max(0, attempts - 1), this.#timings.maxBackoffMs);
    this.#keeper.patchStep(name, { nextAttemptAt: inMs(ms) });
    await condition(() => this.#abortedBy !== null, ms);
  }

  async #cancellable<T>(name: string, call: () => Promise<T>): Promise<T> {
    const watch = new CancellationScope({ cancellable: true });
    const watching = watch.run(() => this.#watchHost(name)).catch(() => undefined);
    try {
      const scope = new CancellationScope({ cancellable: true });
      this.#scope = scope;
      return await scope.run(call);
    } finally {
      this.#scope = null;
      watch.cancel();
      await watching;
      this.#hostIsBack(name);
    }
  }

  /** A host that takes nothing shows as WAITING HOST_OFFLINE: without a countdown, for there is nothing to decide. */
  async #watchHost(name: string): Promise<void> {
    const request = {
      operationId: this.#input.operationId,
      runId: workflowInfo().runId,
      hostQueue: taskQueues.host(this.#input.installation, this.#input.hostId),
      silentMs: this.#timings.hostSilentMs,
    };
    await sleep(this.#timings.hostSilentMs);
    for (;;) {
      await this.#waits.watchHost({ ...request, until: 'silent' });
      this.#keeper.patchStep(name, { state: 'WAITING' });
      this.#keeper.set({ state: 'WAITING' });
      this.#keeper.fail(failure('HOST_OFFLINE', { host: this.#input.hostId }));
      await this.#waits.watchHost({ ...request, until: 'taken' });
      this.#hostIsBack(name);
    }
  }

  #hostIsBack(name: string): void {
    if (this.#keeper.view.state !== 'WAITING' || this.#asking) return;
    this.#keeper.patchStep(name, { state: 'RUNNING' });
    this.#keeper.set({ state: 'RUNNING' }, ['error']);
  }

  #mayRetry(safety: string | undefined): void {
    if (!this.#asking || this.#answer !== null) throw refusal('NOT_WAITING');
    if (safety !== undefined && !this.#takesSafety) throw refusal('SAFETY_NOT_SUPPORTED');
  }

  #mayAbort(): void {
    const { state, pastDecision } = this.#keeper.view;
    if (this.#asking) {
      if (this.#answer !== null) throw refusal('NOT_WAITING');
      return;
    }
    if (pastDecision && !isOver(state)) throw refusal('PAST_DECISION');
    if (isOver(state)) throw refusal('NOT_WAITING');
  }
}

const isOver = (state: OperationState): boolean =>
  isEnded(state) || state === 'COMPENSATING' || state === 'NEEDS_OPERATOR';

const refusal = (code: string): ApplicationFailure => ApplicationFailure.nonRetryable(code, code);
