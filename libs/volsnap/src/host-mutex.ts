import { ForgeError } from '@tiny-forge/contracts/domain';

interface Holder {
  readonly controller: AbortController;
  readonly settled: Promise<void>;
}

/**
 * One attempt at a time per workload (restore.md 5.4). A newer attempt aborts the older one's signal and begins only after it has really
 * returned: a step whose worker was thought dead can never run beside its successor. Shared by both engines of a host.
 */
export class WorkloadMutex {
  readonly #tails = new Map<string, Holder>();

  /** @throws CANCELLED when `signal` was aborted before the turn came. */
  async run<T>(workloadId: string, signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const controller = new AbortController();
    const older = this.#tails.get(workloadId);
    let settle = (): void => undefined;
    const settled = new Promise<void>((resolve) => {
      settle = resolve;
    });
    const holder: Holder = { controller, settled };
    this.#tails.set(workloadId, holder);
    const forward = (): void => controller.abort(signal.reason);
    signal.addEventListener('abort', forward, { once: true });
    if (signal.aborted) forward();
    try {
      older?.controller.abort(new ForgeError({ code: 'CANCELLED' }));
      await older?.settled;
      throwIfAborted(controller.signal);
      return await work(controller.signal);
    } finally {
      signal.removeEventListener('abort', forward);
      if (this.#tails.get(workloadId) === holder) this.#tails.delete(workloadId);
      settle();
    }
  }
}

/** @throws CANCELLED */
export function throwIfAborted(signal: AbortSignal): void {
  if (signal.aborted) throw new ForgeError({ code: 'CANCELLED', cause: signal.reason });
}
