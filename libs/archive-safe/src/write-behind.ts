import { writeBack } from './settled.ts';

/** Less than that is written back by the sync at the end in a moment. */
const everyBytes = 256 << 20;

/**
 * Has the kernel write back what is dirty while the rest is still extracted: by itself it waits for seconds, and the sync at
 * the end has all of it to do (docs/archive-format.md, Speed). One sync at a time.
 */
export class WriteBehind {
  #roots: readonly number[];
  #signal: AbortSignal;
  #stop = new AbortController();
  #written = 0;
  #running: Promise<void> | undefined;
  #failure: Error | undefined;

  /** `roots`: open directories. */
  constructor(roots: readonly number[], signal: AbortSignal) {
    this.#signal = AbortSignal.any([signal, this.#stop.signal]);
    this.#roots = roots;
  }

  /** Told of the bytes that were written so far. */
  reached(bytes: number): void {
    if (this.#running !== undefined || this.#failure !== undefined || bytes - this.#written < everyBytes) return;
    this.#written = bytes;
    this.#running = writeBack(this.#roots, this.#signal)
      .catch((error: unknown) => {
        this.#failure = error as Error;
      })
      .finally(() => {
        this.#running = undefined;
      });
  }

  /**
   * Waits for what runs.
   *
   * @throws what a sync failed with: the kernel tells an error of writing back once, and a later sync would not see it
   */
  async finish(): Promise<void> {
    await this.#running;
    if (this.#signal.aborted) throw this.#signal.reason;
    const failure = this.#failure as NodeJS.ErrnoException | undefined;
    // Where there is no such program nothing was tried.
    if (failure !== undefined && failure.code !== 'ENOENT') throw failure;
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }
}
