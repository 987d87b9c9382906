import { createHash, type Hash } from 'node:crypto';
import { fstatSync, openSync, readSync } from 'node:fs';
import { escapePath } from './byte-string.ts';
import { at, closeReadOnly } from './directory-handle.ts';
import type { IndexEntry } from './entry.ts';
import { frameBytes, wholeBytes } from './frame-plan.ts';
import { NoteList, type Note } from './note.ts';
import { encodePlan, type PlannedEntry } from './plan-codec.ts';
import { errnoOf } from './refusal.ts';
import { encodeHeader, paddingOf } from './tar-header.ts';
import { readFlags, type WalkedEntry } from './tree-walk.ts';

interface JobBase {
  volume: number;
  root: number;
  notes: Note[];
  /** Of a warm pass, with the job that ends a segment: two numbers for each entry, see `FileMark`. */
  marks: BigInt64Array<ArrayBuffer> | null;
}

/** One frame of whole entries: the packer reads the files. */
export interface EntriesJob extends JobBase {
  kind: 'entries';
  /** See `encodePlan`. */
  plan: ArrayBuffer;
}

/** One frame of a file too large for a frame. `entry` comes with the last one. */
export interface PieceJob extends JobBase {
  kind: 'piece';
  raw: ArrayBuffer;
  length: number;
  entry: IndexEntry | null;
}

export type PackJob = EntriesJob | PieceJob;

const maxHeldPerFrame = 32;

/** Says of a file how a later look tells whether it is still the same: its inode, and the change time it must have, ns. */
export type FileMark = (file: { inode: bigint; changed: bigint; size: number }) => readonly [bigint, bigint];

/** Cuts a run of entries into frame jobs. */
export class JobCutter {
  notes = new NoteList();
  readonly #spare: ArrayBuffer[] = [];
  readonly #mark: FileMark | undefined;
  #holding: number[] = [];

  constructor(mark?: FileMark) {
    this.#mark = mark;
  }

  /** Buffers to use again. */
  reuse(spare: ArrayBuffer[]): void {
    this.#spare.push(...spare);
  }

  /** Descriptors that the job which was just cut needs open. */
  takeHeld(): number[] {
    const held = this.#holding;
    this.#holding = [];
    return held;
  }

  takeNotes(): Note[] {
    const notes = this.notes.list();
    this.notes = new NoteList();
    return notes;
  }

  #marksOf(entries: readonly (PlannedEntry | WalkedEntry)[]): BigInt64Array<ArrayBuffer> | null {
    const mark = this.#mark;
    if (mark === undefined) return null;
    return BigInt64Array.from(entries.flatMap((entry) => (entry.type === 'file' ? mark(entry) : [0n, 0n])));
  }

  *cut(volume: { index: number; root: number }, walked: Iterable<WalkedEntry>): Generator<PackJob, void, void> {
    let entries: PlannedEntry[] = [];
    let bytes = 0;
    const base = { volume: volume.index, root: volume.root };
    const flush = (): EntriesJob => {
      const marks = this.#marksOf(entries);
      const job: EntriesJob = { ...base, kind: 'entries', plan: encodePlan(entries), notes: this.takeNotes(), marks };
      this.#holding = entries.flatMap((entry) => (entry.held < 0 ? [] : [entry.held]));
      entries = [];
      bytes = 0;
      return job;
    };
    let held = 0;
    try {
      for (const found of walked) {
        const whole = wholeBytes(found);
        const full = bytes + whole > frameBytes || held === maxHeldPerFrame;
        if (full && entries.length > 0) {
          yield flush();
          held = 0;
        }
        if (whole > frameBytes) {
          yield* this.#largeFile(base, found);
          continue;
        }
        entries.push(plan(found));
        bytes += whole;
        if (found.held >= 0) held++;
      }
      if (entries.length > 0) yield flush();
    } finally {
      for (const entry of entries) if (entry.held >= 0) closeReadOnly(entry.held);
    }
  }

  *#largeFile(base: { volume: number; root: number }, found: WalkedEntry): Generator<PackJob, void, void> {
    let fd = found.held;
    try {
      if (fd < 0) fd = openSync(at(found.directory, found.name), readFlags);
    } catch (error) {
      if (!['ENOENT', 'ELOOP', 'ENXIO'].includes(errnoOf(error) ?? '')) throw error;
      this.notes.add('CHANGED_WHILE_READ', { path: escapePath(found.path), what: 'vanished' });
      return;
    }
    try {
      const stat = fstatSync(fd, { bigint: true });
      if (!stat.isFile() || stat.dev !== found.device) {
        this.notes.add('CHANGED_WHILE_READ', { path: escapePath(found.path), what: 'replaced' });
        return;
      }
      yield* this.#pieces(base, found, fd);
    } finally {
      closeReadOnly(fd);
    }
  }

  *#pieces(base: { volume: number; root: number }, found: WalkedEntry, fd: number): Generator<PackJob, void, void> {
    const hash = createHash('sha256');
    const header = encodeHeader(found);
    let left = found.size;
    let short = false;
    let raw = this.#buffer();
    let at = header.copy(raw);
    while (left > 0) {
      const part = raw.subarray(at, Math.min(at + left, frameBytes));
      if (!fill(fd, part, found.size - left, hash)) short = true;
      at += part.length;
      left -= part.length;
      if (left === 0) break;
      yield { ...base, kind: 'piece', raw: raw.buffer as ArrayBuffer, length: at, entry: null, notes: [], marks: null };
      raw = this.#buffer();
      at = 0;
    }
    const padding = paddingOf(found.size);
    const stat = fstatSync(fd, { bigint: true });
    if (short || changedSince(found, stat)) {
      this.notes.add('CHANGED_WHILE_READ', { path: escapePath(found.path), what: short ? 'shorter' : 'changed' });
    }
    const entry: IndexEntry = { ...indexEntry(found), sha256: hash.digest() };
    // A frame is a multiple of 512 bytes and so are its header blocks: the padding always fits.
    raw.fill(0, at, at + padding);
    const rest = { notes: this.takeNotes(), marks: this.#marksOf([found]) };
    yield { ...base, kind: 'piece', raw: raw.buffer as ArrayBuffer, length: at + padding, entry, ...rest };
  }

  #buffer(): Buffer {
    return Buffer.from(this.#spare.pop() ?? new ArrayBuffer(frameBytes));
  }
}

function changedSince(
  seen: { inode: bigint; changed: bigint; size: number },
  now: { ino: bigint; ctimeNs: bigint; size: bigint },
): boolean {
  return now.ino !== seen.inode || now.ctimeNs !== seen.changed || Number(now.size) !== seen.size;
}

/** Reads until `part` is full; the rest of a file that became shorter is zeros. Returns whether it was long enough. */
export function fill(fd: number, part: Buffer, position: number, hash: Hash | undefined): boolean {
  let at = 0;
  while (at < part.length) {
    const got = readSync(fd, part, at, part.length - at, position + at);
    if (got === 0) break;
    at += got;
  }
  part.fill(0, at);
  hash?.update(part);
  return at === part.length;
}

function indexEntry(e: WalkedEntry): IndexEntry {
  const { path, type, mode, uid, gid, mtimeSec, mtimeNs, size, link, sparse } = e;
  return { path, type, mode, uid, gid, mtimeSec, mtimeNs, size, link, sparse };
}

function plan(e: WalkedEntry): PlannedEntry {
  return { ...indexEntry(e), device: e.device, inode: e.inode, changed: e.changed, held: e.held };
}
