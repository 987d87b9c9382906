import { Refusal } from './refusal.ts';

export interface TimeLimits {
  /** Milliseconds from the call to its end. */
  totalMs?: number;
  /** Milliseconds without any progress. */
  idleMs?: number;
}

/** A signal that is aborted by another one, or when a limit is passed; then its reason is the refusal to throw. */
export class LimitedSignal {
  readonly signal: AbortSignal;
  #own = new AbortController();
  #limits: TimeLimits;
  #total: NodeJS.Timeout | undefined;
  #idle: NodeJS.Timeout | undefined;

  constructor(outer: AbortSignal | undefined, limits: TimeLimits = {}) {
    this.#limits = limits;
    this.signal = outer === undefined ? this.#own.signal : AbortSignal.any([outer, this.#own.signal]);
    if (limits.totalMs !== undefined) {
      this.#total = setTimeout(() => this.#pass('TIME', limits.totalMs as number), limits.totalMs);
    }
  }

  /** The idle time begins anew; before the first call nothing is idle. */
  progress(): void {
    const { idleMs } = this.#limits;
    if (idleMs === undefined) return;
    if (this.#idle === undefined) this.#idle = setTimeout(() => this.#pass('IDLE', idleMs), idleMs);
    else this.#idle.refresh();
  }

  /** To be called at the end, whatever came of it. */
  stop(): void {
    clearTimeout(this.#total);
    clearTimeout(this.#idle);
  }

  #pass(rule: 'TIME' | 'IDLE', limitMs: number): void {
    const message = rule === 'TIME' ? 'It took longer than it may' : 'Nothing happened for longer than it may';
    this.#own.abort(new Refusal('IO_ERROR', message, { rule, limitMs }));
  }
}
