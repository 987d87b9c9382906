import type { StepProgress } from '@tiny-forge/contracts/domain';

/** Byte progress of the steps that run in this process: by heartbeat to Temporal, by this memory to readers here, never through SQLite. */
export class ProgressMemory {
  readonly #steps = new Map<string, Map<string, StepProgress>>();

  set(operationId: string, step: string, progress: StepProgress): void {
    let steps = this.#steps.get(operationId);
    if (!steps) this.#steps.set(operationId, (steps = new Map<string, StepProgress>()));
    steps.set(step, progress);
  }

  clear(operationId: string, step: string): void {
    const steps = this.#steps.get(operationId);
    steps?.delete(step);
    if (steps?.size === 0) this.#steps.delete(operationId);
  }

  /** null: nothing of it runs here. */
  of(operationId: string): Readonly<Record<string, StepProgress>> | null {
    const steps = this.#steps.get(operationId);
    return steps ? Object.fromEntries(steps) : null;
  }
}
