import { upsertSearchAttributes, workflowInfo } from '@temporalio/workflow';
import {
  STEPS_OF_KIND,
  type OperationState,
  type SituationApp,
  type SituationData,
  type StepState,
} from '@tiny-forge/contracts/domain';
import { controlActivities, recordActivity } from './activity-options.ts';
import type { FailureDetails, RecoveredEnd } from './activity-types.ts';
import type { OperationInput, OperationView, StepView } from './operation-types.ts';
import { searchAttributes } from './search-attributes.ts';
import { errorView } from './step-failure.ts';
import type { Timings } from './timings.ts';

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** Temporal's clock: the same in every replay. */
export const now = (): string => new Date().toISOString();
export const inMs = (ms: number): string => new Date(Date.now() + ms).toISOString();

/**
 * Keeps the whole view of one operation and tells it: to the row by `record` (at most one under way, the newest next, never awaited by a
 * step), to Temporal's visibility by search attributes.
 */
export class ViewKeeper {
  readonly view: Mutable<OperationView>;
  readonly #input: OperationInput;
  readonly #record: ReturnType<typeof recordActivity>;
  readonly #control: ReturnType<typeof controlActivities>;
  #seq = 0;
  #pending = false;
  #sending = false;
  #told = { state: '', step: '' };

  constructor(input: OperationInput, timings: Timings) {
    this.#input = input;
    this.#record = recordActivity(timings);
    this.#control = controlActivities(timings);
    this.view = {
      state: 'RUNNING',
      steps: STEPS_OF_KIND[input.kind].map((name) => pendingStep(name, timings.maxAttempts)),
      situation: { app: 'absent', data: 'current', since: now() },
      pastDecision: false,
      hadEffect: false,
    };
  }

  /** Whether the row lets this run begin; the operation must do nothing otherwise. */
  async begin(): Promise<boolean> {
    const { operationId } = this.#input;
    const { runId } = workflowInfo();
    const { outcome, app } = await this.#control.begin({ operationId, seq: ++this.#seq, view: this.view, runId });
    if (outcome === 'refused') return false;
    this.situation({ app });
    return true;
  }

  step(name: string): StepView {
    const found = this.view.steps.find((step) => step.name === name);
    if (!found) throw new Error(`no step ${name} in ${this.#input.kind}`);
    return found;
  }

  patchStep(name: string, patch: Partial<Mutable<StepView>>, drop: readonly (keyof StepView)[] = []): void {
    this.view.steps = this.view.steps.map((step) => {
      if (step.name !== name) return step;
      const next: Partial<Mutable<StepView>> = { ...step, ...patch };
      for (const key of drop) delete next[key];
      return next as StepView;
    });
    this.#changed();
  }

  finishStep(name: string, state: StepState, detail: string | null = this.step(name).detail): void {
    this.patchStep(name, { state, detail, endedAt: now() }, ['nextAttemptAt']);
  }

  set(patch: Partial<Mutable<OperationView>>, drop: readonly (keyof OperationView)[] = []): void {
    Object.assign(this.view, patch);
    for (const key of drop) delete (this.view as Partial<Mutable<OperationView>>)[key];
    this.#changed();
  }

  situation(patch: { readonly app?: SituationApp; readonly data?: SituationData }): void {
    const was = this.view.situation;
    const app = patch.app ?? was.app;
    const data = patch.data ?? was.data;
    if (app === was.app && data === was.data) return;
    this.set({ situation: { app, data, since: now() } });
  }

  fail(details: FailureDetails): void {
    this.set({ error: errorView(details, this.view.situation) });
  }

  /** Retried for ever: an operation has not ended before its row says so. */
  async end(state: OperationState, recovered: RecoveredEnd | null): Promise<void> {
    this.set({ state }, ['waitingUntil']);
    const { error } = this.view;
    if (state === 'SUCCEEDED' && error) this.set({}, ['error']);
    this.#pending = false;
    await this.#control.end({
      operationId: this.#input.operationId,
      seq: ++this.#seq,
      view: this.view,
      runId: workflowInfo().runId,
      ...(recovered === null ? {} : { recovered }),
    });
  }

  #changed(): void {
    this.#pending = true;
    this.#tellVisibility();
    if (!this.#sending) void this.#send();
  }

  async #send(): Promise<void> {
    this.#sending = true;
    // One record for all changes of one instant.
    await Promise.resolve();
    while (this.#pending) {
      this.#pending = false;
      try {
        await this.#record({ operationId: this.#input.operationId, seq: ++this.#seq, view: this.view });
      } catch {
        // The next record carries the whole view.
      }
    }
    this.#sending = false;
  }

  #tellVisibility(): void {
    const active = this.view.steps.find((step) => !['PENDING', 'DONE', 'SKIPPED', 'UNDONE'].includes(step.state));
    const step = active?.name ?? this.#told.step;
    const { state } = this.view;
    if (state === this.#told.state && step === this.#told.step) return;
    this.#told = { state, step };
    upsertSearchAttributes([
      { key: searchAttributes.opState, value: state },
      { key: searchAttributes.opStep, value: step === '' ? null : step },
    ]);
  }
}

function pendingStep(name: string, maxAttempts: number): StepView {
  return { name, state: 'PENDING', startedAt: null, endedAt: null, attempts: 0, maxAttempts, detail: null };
}
