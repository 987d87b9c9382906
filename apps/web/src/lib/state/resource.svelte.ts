import { untrack } from 'svelte';
import { type Failure, failureOf } from '../api/failure.ts';

/** One thing a page loads. An answer that comes late, after a newer request, is dropped; what was shown stays while loading and on failure. */
export class Resource<T> {
  data = $state.raw<T | undefined>();
  failure = $state.raw<Failure | undefined>();
  loading = $state(false);
  #round = 0;
  readonly #load: () => Promise<T>;
  #later: ReturnType<typeof setTimeout> | undefined;

  constructor(load: () => Promise<T>) {
    this.#load = load;
  }

  async load(): Promise<void> {
    const round = ++this.#round;
    this.loading = true;
    try {
      // Called from effects: what a request reads on its way out must not run the effect again.
      const data = await untrack(() => this.#load());
      if (round !== this.#round) return;
      this.data = data;
      this.failure = undefined;
    } catch (error) {
      if (round !== this.#round) return;
      this.failure = failureOf(error);
    } finally {
      if (round === this.#round) this.loading = false;
    }
  }

  /** Many events, one request. */
  soon(ms = 300): void {
    clearTimeout(this.#later);
    this.#later = setTimeout(() => void this.load(), ms);
  }

  drop(): void {
    this.#round += 1;
    clearTimeout(this.#later);
  }
}
