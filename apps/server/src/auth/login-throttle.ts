/** Failures that are free before the first wait. */
const FREE = 5;
const FIRST_WAIT_MS = 10_000;
const MAX_WAIT_MS = 900_000;
const FORGET_MS = 3_600_000;
const MAX_ENTRIES = 10_000;

interface Entry {
  failures: number;
  blockedUntil: number;
  lastAt: number;
}

/** Slows down guessing, per address and user and, more generously, per address and per user alone. Memory only: a restart forgets. */
export class LoginThrottle {
  readonly #entries = new Map<string, Entry>();
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  /**
   * Counts an attempt as failed until `succeeded` says otherwise, so that parallel guesses count before they are checked.
   * @returns 0 when it may be checked, else the seconds to wait
   */
  attempt(address: string, user: string): number {
    const now = this.#now();
    const keys = keysOf(address, user);
    const waits = keys.map(({ key }) => (this.#entries.get(key)?.blockedUntil ?? 0) - now);
    const wait = Math.max(...waits);
    if (wait > 0) return Math.ceil(wait / 1000);
    for (const { key, free } of keys) this.#count(key, free, now);
    return 0;
  }

  succeeded(address: string, user: string): void {
    for (const { key } of keysOf(address, user)) this.#entries.delete(key);
  }

  #count(key: string, free: number, now: number): void {
    const known = this.#entries.get(key);
    const entry = known && now - known.lastAt < FORGET_MS ? known : { failures: 0, blockedUntil: 0, lastAt: now };
    entry.failures += 1;
    entry.lastAt = now;
    if (entry.failures >= free) {
      entry.blockedUntil = now + Math.min(MAX_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(20, entry.failures - free));
    }
    // Re-inserted at the end: what is dropped when full is what was silent longest.
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    if (this.#entries.size > MAX_ENTRIES) this.#entries.delete(this.#entries.keys().next().value ?? '');
  }
}

const keysOf = (address: string, user: string): readonly { readonly key: string; readonly free: number }[] => [
  { key: `both ${address} ${user}`, free: FREE },
  { key: `address ${address}`, free: FREE * 6 },
  { key: `user ${user}`, free: FREE * 20 },
];
