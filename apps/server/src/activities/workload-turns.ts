interface Turn {
  readonly controller: AbortController;
  readonly settled: Promise<unknown>;
}

/**
 * One activity at a time per workload on this host (restore.md 5.4). A newer one means that the older one's attempt was given up: its signal is
 * aborted, and the newer one begins only when the older one has really returned.
 */
export class WorkloadTurns {
  readonly #turns = new Map<string, Turn>();

  async run<T>(workloadId: string, signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const older = this.#turns.get(workloadId);
    const controller = new AbortController();
    const both = AbortSignal.any([signal, controller.signal]);
    const result = (async () => {
      older?.controller.abort(new DOMException('a newer attempt took over', 'AbortError'));
      await older?.settled;
      both.throwIfAborted();
      return work(both);
    })();
    const turn: Turn = { controller, settled: result.catch(() => undefined) };
    this.#turns.set(workloadId, turn);
    try {
      return await result;
    } finally {
      if (this.#turns.get(workloadId) === turn) this.#turns.delete(workloadId);
    }
  }
}
