/** Numbers that a seed makes (mulberry32): the same in every run, so that what failed can be made again. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** 0 up to, without, `below`. */
  below(below: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) % below;
  }

  /** True once in `times`. */
  once(times: number): boolean {
    return this.below(times) === 0;
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)] as T;
  }
}

/** The seed of a run: from the environment, else from the clock. It is printed by whoever uses it. */
export function seedOf(name: string): number {
  const given = process.env[name];
  return given === undefined || given === '' ? Date.now() % 2 ** 31 : Number(given);
}
