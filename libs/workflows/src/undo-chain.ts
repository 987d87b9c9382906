import { sleep } from '@temporalio/workflow';
import type { FailureDetails } from './activity-types.ts';
import { isOutage, stepFailureOf } from './step-failure.ts';
import type { Timings } from './timings.ts';
import type { ViewKeeper } from './view-keeper.ts';

export interface Undo {
  /** Name of the undo activity. */
  readonly name: string;
  /** The step whose effect it takes back. */
  readonly step: string;
  readonly run: () => Promise<void>;
}

/**
 * What has to be taken back, newest first. Registered before the step it belongs to, so that a step that failed half-way is undone too.
 * The first undo that fails after its attempts ends the chain (restore.md 1): nothing after it runs.
 */
export class UndoChain {
  readonly #undos: Undo[] = [];
  readonly #hostId: string;
  readonly #timings: Timings;

  constructor(hostId: string, timings: Timings) {
    this.#hostId = hostId;
    this.#timings = timings;
  }

  get isEmpty(): boolean {
    return this.#undos.length === 0;
  }

  register(undo: Undo): void {
    this.#undos.unshift(undo);
  }

  /** null: all undone. Run it in a non-cancellable scope. */
  async run(keeper: ViewKeeper): Promise<{ readonly undo: Undo; readonly failure: FailureDetails } | null> {
    for (const undo of this.#undos) {
      const { state, detail } = keeper.step(undo.step);
      // A step that failed keeps saying so; what was done or under way shows its way back.
      const shows = state !== 'PENDING' && state !== 'FAILED' && state !== 'SKIPPED';
      if (shows) keeper.patchStep(undo.step, { state: 'UNDOING' });
      const failed = await this.#attempt(undo, keeper);
      if (failed) return { undo, failure: failed };
      if (shows) keeper.finishStep(undo.step, 'UNDONE', detail);
      else if (keeper.step(undo.step).detail !== detail) keeper.patchStep(undo.step, { detail });
    }
    return null;
  }

  async #attempt(undo: Undo, keeper: ViewKeeper): Promise<FailureDetails | null> {
    let attempts = 0;
    let pauseMs = this.#timings.backoffMs;
    for (;;) {
      try {
        await undo.run();
        return null;
      } catch (error) {
        const details = stepFailureOf(error, this.#hostId);
        keeper.patchStep(undo.step, { detail: details.message });
        if (!isOutage(details) && (!details.retryable || ++attempts >= this.#timings.maxAttempts)) return details;
        await sleep(pauseMs);
        pauseMs = Math.min(pauseMs * 2, this.#timings.maxBackoffMs);
      }
    }
  }
}
