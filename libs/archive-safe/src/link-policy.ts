import type { BigIntStats } from 'node:fs';
import { escapePath, type ByteString } from './byte-string.ts';
import { ContainedLinks } from './contained-links.ts';
import { maxLinkBytes } from './entry.ts';
import type { NoteCode, NoteTaker } from './note.ts';

/** 0: files and directories only. 1: also links that stay inside the volume. 2: symlinks verbatim. */
export type LinkTier = 0 | 1 | 2;

const maxViolations = 20;

interface FirstName {
  path: ByteString;
  missing: bigint;
}

/**
 * Decides at capture time what a volume's link tier keeps (I9). `violations` is what forbids the capture; what is merely
 * left out is noted.
 */
export class LinkPolicy {
  /** Escaped paths, at most 20; `violationCount` is the whole number. */
  readonly violations: string[] = [];
  violationCount = 0;
  #tier: LinkTier;
  #notes: NoteTaker;
  #names = new Map<string, FirstName>();
  #symlinks = new ContainedLinks();

  constructor(tier: LinkTier, notes: NoteTaker) {
    this.#tier = tier;
    this.#notes = notes;
  }

  /** Whether the symlink goes into the archive. Tier 1 judges when the whole tree is known, in `finish`. */
  takesSymlink(path: ByteString, target: ByteString): boolean {
    if (this.#tier === 0) {
      this.#forbid(path);
      return false;
    }
    if (target === '' || target.length > maxLinkBytes) {
      this.unfit(path, 'LINK_SKIPPED');
      return false;
    }
    if (this.#tier === 1) this.#symlinks.add(path, target);
    return true;
  }

  knows(stat: BigIntStats): boolean {
    return this.#names.has(`${stat.dev}:${stat.ino}`);
  }

  /** For a file with several names: the archive path of the first one met, or undefined where this is the first. */
  firstName(path: ByteString, stat: BigIntStats): ByteString | undefined {
    const id = `${stat.dev}:${stat.ino}`;
    const known = this.#names.get(id);
    if (known === undefined) {
      this.#names.set(id, { path, missing: stat.nlink - 1n });
      return undefined;
    }
    if (this.#tier === 0) this.#forbid(path);
    known.missing--;
    if (known.missing === 0n) this.#names.delete(id);
    return known.path;
  }

  /** Data that no tier can hold: forbids the capture at tiers 0 and 1, is left out and noted at tier 2. */
  unfit(path: ByteString, code: NoteCode): void {
    if (this.#tier < 2) this.#forbid(path);
    this.#notes.add(code, { path: escapePath(path) });
  }

  special(path: ByteString, type: 'fifo' | 'device'): void {
    if (this.#tier === 0) this.#forbid(path);
    this.#notes.add('SPECIAL_SKIPPED', { path: escapePath(path), type });
  }

  /** Judges what needs the whole tree: names of a file that lie outside of it, and at tier 1 where symlinks lead. */
  finish(): void {
    for (const { path, missing } of this.#names.values()) {
      if (missing > 0n) this.#notes.add('HARDLINK_OUTSIDE', { path: escapePath(path), names: Number(missing) });
    }
    for (const path of this.#symlinks.escaping(1)) this.#forbid(path);
  }

  #forbid(path: ByteString): void {
    this.violationCount++;
    if (this.violations.length < maxViolations) this.violations.push(escapePath(path));
  }
}
