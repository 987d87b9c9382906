/**
 * Which segments have to be written again because others are. In the file what is written again comes last, and stock tools
 * take a file in its order:
 * - a directory gets its time when they leave it, so one in which an entry is made later must come later too;
 * - a hardlink must come after the first name of its file.
 */
export class ReuseGraph {
  readonly #follows = new Map<number, Set<number>>();
  readonly #dead = new Set<number>();

  /** `segment` is written again where `because` is. */
  follows(segment: number, because: number): void {
    if (segment === because) return;
    if (this.#dead.has(because)) return this.kill(segment);
    const set = this.#follows.get(because);
    if (set === undefined) this.#follows.set(because, new Set([segment]));
    else set.add(segment);
  }

  kill(segment: number): void {
    const open = [segment];
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      if (this.#dead.has(next)) continue;
      this.#dead.add(next);
      open.push(...(this.#follows.get(next) ?? []));
    }
  }

  isDead(segment: number): boolean {
    return this.#dead.has(segment);
  }
}
