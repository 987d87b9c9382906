/**
 * The server's time, estimated. Durations and countdowns are told on it, never on the browser's clock, which may be an hour off.
 * Ticks on `performance.now()`, so that a clock set by hand meanwhile changes nothing.
 */
const WINDOW = 60_000;

export class ServerClock {
  #offset = $state<number | undefined>();
  #learntAt = 0;
  #rough = true;
  /** Grows once a second; reading `now` follows it. */
  #tick = $state(0);
  readonly #monotonic: () => number;
  readonly #wall: () => number;

  constructor(monotonic = () => performance.now(), wall = () => Date.now()) {
    this.#monotonic = monotonic;
    this.#wall = wall;
  }

  /** Epoch ms. Before the server was heard: the browser's clock. */
  get now(): number {
    void this.#tick;
    return this.peek();
  }

  /** The same without following the tick. */
  peek(): number {
    return this.#offset === undefined ? this.#wall() : this.#monotonic() + this.#offset;
  }

  get known(): boolean {
    return this.#offset !== undefined;
  }

  /**
   * `serverTime` as told in a message just received. Messages arrive late, never early: the largest offset of the last minute is the best.
   * A message replayed after a reconnect is old; it is never taken for news.
   */
  learn(serverTime: string): void {
    this.#take(Date.parse(serverTime), false);
  }

  /** The Date header: whole seconds, only until something better is heard. */
  learnRoughly(httpDate: string | null): void {
    if (httpDate !== null && this.#rough) this.#take(Date.parse(httpDate) + 500, true);
  }

  #take(at: number, rough: boolean): void {
    if (Number.isNaN(at)) return;
    const local = this.#monotonic();
    const offset = at - local;
    const outdated = local - this.#learntAt > WINDOW;
    if (this.#offset === undefined || outdated || offset > this.#offset || (this.#rough && !rough)) {
      this.#offset = offset;
      this.#learntAt = local;
      this.#rough = rough;
    }
  }

  tick(): void {
    this.#tick += 1;
  }
}

export const clock = new ServerClock();
