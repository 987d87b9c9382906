/** What a test made, undone in reverse order. An undo that fails does not keep the others from running. */
export class Cleanup {
  readonly #undo: { readonly what: string; readonly run: () => Promise<unknown> | void }[] = [];

  add(what: string, run: () => Promise<unknown> | void): void {
    this.#undo.push({ what, run });
  }

  /** @throws AggregateError naming everything that could not be undone */
  async run(): Promise<void> {
    const failures: Error[] = [];
    for (let next = this.#undo.pop(); next !== undefined; next = this.#undo.pop()) {
      try {
        await next.run();
      } catch (error) {
        failures.push(new Error(`clean-up of ${next.what}`, { cause: error }));
      }
    }
    if (failures.length > 0) throw new AggregateError(failures, failures.map(String).join('; '));
  }
}
