/** Counts of several threads in shared memory: a file of any size shows progress while one call works on it. */
export class ProgressMeter {
  readonly shared = new SharedArrayBuffer(16);
  #counts = new BigInt64Array(this.shared);
  #report: (bytes: number, entries: number) => void;
  #timer: NodeJS.Timeout | undefined;
  #last = '';

  constructor(report: (bytes: number, entries: number) => void) {
    this.#report = report;
  }

  /** Reports four times a second, where something changed, until `stop`. */
  start(): void {
    this.#timer = setInterval(() => this.tick(), 250);
    this.#timer.unref();
  }

  tick(): void {
    const now = Array.from(this.#counts, (count) => Number(count)) as [number, number];
    if (now.join() === this.#last) return;
    this.#last = now.join();
    this.#report(...now);
  }

  /** Another step begins to count. */
  reset(): void {
    this.#counts.fill(0n);
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}

/** The side of a thread. */
export class ProgressCounter {
  #counts: BigInt64Array;

  constructor(shared: SharedArrayBuffer) {
    this.#counts = new BigInt64Array(shared);
  }

  bytes(count: number): void {
    Atomics.add(this.#counts, 0, BigInt(count));
  }

  entry(): void {
    Atomics.add(this.#counts, 1, 1n);
  }
}
