import { uniqueKey } from '../api/unique.ts';
import { type Failure, failureOf } from '../api/failure.ts';

/** After a success, a repeating button takes the second half of a double click as the same press for this long. */
const DOUBLE_CLICK = 700;

/**
 * One press of one button. Refuses a second press while the first is under way and keeps its key through lost answers, so that a
 * retry is the same request. `once`: what follows a success is another page, the button stays pressed. `repeat`: it may be pressed again.
 */
export class Press {
  sending = $state(false);
  failure = $state.raw<Failure | undefined>();
  key = uniqueKey();
  readonly #after: 'once' | 'repeat';

  constructor(after: 'once' | 'repeat' = 'once') {
    this.#after = after;
  }

  /** A new dialog or a new plan: a new request. */
  renew(): void {
    this.key = uniqueKey();
    this.failure = undefined;
    this.sending = false;
  }

  /** The answer, or `undefined` when it failed or one is already under way. */
  async run<T>(send: (key: string) => Promise<T>): Promise<{ readonly answer: T } | undefined> {
    if (this.sending) return undefined;
    this.sending = true;
    this.failure = undefined;
    try {
      const answer = await send(this.key);
      if (this.#after === 'repeat') setTimeout(() => this.renew(), DOUBLE_CLICK);
      return { answer };
    } catch (error) {
      this.failure = failureOf(error);
      // No answer: the same request again. An answer is an answer: the next press is a new request.
      if (this.failure.kind === 'problem') this.key = uniqueKey();
      this.sending = false;
      return undefined;
    }
  }
}
