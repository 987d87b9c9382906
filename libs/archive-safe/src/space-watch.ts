import { statfsSync } from 'node:fs';
import { pathOf } from './directory-handle.ts';
import type { ProgressCounter } from './progress-meter.ts';
import { Refusal } from './refusal.ts';
import { escapeName } from './byte-string.ts';

export interface SpaceRule {
  /** Look again after this many bytes. */
  everyBytes: number;
  /** Look again after this many entries. */
  everyEntries: number;
  /** Bytes that must stay free. */
  minFreeBytes: number;
  /** Inodes that must stay free; file systems that report no inodes pass. */
  minFreeInodes: number;
}

/** Keeps a reserve free on the file systems of some open descriptors, and counts what was written. */
export class SpaceWatch {
  #fds: readonly number[];
  #rule: SpaceRule | undefined;
  #progress: ProgressCounter | undefined;
  #bytes = 0;
  #entries = 0;

  /** `sharers`: how many threads watch the same rule at once. */
  constructor(fds: readonly number[], rule: SpaceRule | undefined, sharers = 1, progress?: ProgressCounter) {
    this.#progress = progress;
    this.#fds = fds;
    this.#rule = rule && {
      ...rule,
      everyBytes: rule.everyBytes / sharers,
      everyEntries: Math.max(1, rule.everyEntries / sharers),
    };
  }

  bytes(count: number): void {
    this.#progress?.bytes(count);
    this.#bytes += count;
    if (this.#rule !== undefined && this.#bytes >= this.#rule.everyBytes) this.check();
  }

  entry(): void {
    this.#progress?.entry();
    this.#entries++;
    if (this.#rule !== undefined && this.#entries >= this.#rule.everyEntries) this.check();
  }

  /** @throws Refusal `INSUFFICIENT_SPACE` */
  check(): void {
    this.#bytes = 0;
    this.#entries = 0;
    if (this.#rule === undefined) return;
    for (const fd of this.#fds) {
      const stat = statfsSync(`/proc/self/fd/${fd}`);
      const free = stat.bavail * stat.bsize;
      const { minFreeBytes, minFreeInodes } = this.#rule;
      if (free < minFreeBytes) throw tooFull(fd, 'bytes', minFreeBytes, free);
      if (stat.files > 0 && stat.ffree < minFreeInodes) throw tooFull(fd, 'inodes', minFreeInodes, stat.ffree);
    }
  }
}

function tooFull(fd: number, what: string, need: number, free: number): Refusal {
  return new Refusal('INSUFFICIENT_SPACE', 'The reserve of free space is reached', {
    mount: escapeName(pathOf(fd)),
    what,
    need,
    free,
  });
}
