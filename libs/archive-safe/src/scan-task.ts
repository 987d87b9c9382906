import { createHash, type Hash } from 'node:crypto';
import { fstatSync, openSync, readSync } from 'node:fs';
import { escapePath, type ByteString } from './byte-string.ts';
import { at, closeReadOnly } from './directory-handle.ts';
import type { IndexEntry } from './entry.ts';
import { encodePlan, type PlannedEntry } from './plan-codec.ts';
import { frameBytes, wholeBytes } from './frame-plan.ts';
import type { LinkTier } from './link-policy.ts';
import { NoteList, type Note } from './note.ts';
import { errnoOf, Refusal } from './refusal.ts';
import { encodeHeader, paddingOf } from './tar-header.ts';
import { readFlags, TreeWalk, type WalkedEntry } from './tree-walk.ts';

export interface ScanVolume {
  index: number;
  /** Open directory. */
  root: number;
  links: LinkTier;
  exclude: ByteString[];
}

interface JobBase {
  volume: number;
  root: number;
  notes: Note[];
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

/** Turns volumes into frame jobs, in archive order. */
export class Scan {
  #jobs: Generator<PackJob, void, void>;
  #spare: ArrayBuffer[] = [];
  #notes = new NoteList();
  /** Descriptors held for jobs that were handed out, oldest first. */
  #held: number[][] = [];
  #holding: number[] = [];

  constructor(volumes: readonly ScanVolume[]) {
    this.#jobs = this.#run(volumes);
  }

  /** The next job or null. `finishedJobs`: how many of the oldest jobs are packed; `spare`: their buffers. */
  next(finishedJobs: number, spare: ArrayBuffer[]): PackJob | null {
    this.#spare.push(...spare);
    for (const fds of this.#held.splice(0, finishedJobs)) for (const fd of fds) closeReadOnly(fd);
    const { value, done } = this.#jobs.next();
    if (done === true || value === undefined) return null;
    this.#held.push(this.#holding);
    this.#holding = [];
    return value;
  }

  /** Ends the walk wherever it is; jobs that were handed out lose their descriptors. */
  close(): void {
    this.#jobs.return();
    for (const fd of [...this.#held.flat(), ...this.#holding]) closeReadOnly(fd);
    this.#held = [];
    this.#holding = [];
  }

  /** Notes that belong to no job any more. */
  lastNotes(): Note[] {
    return this.#takeNotes();
  }

  #takeNotes(): Note[] {
    const notes = this.#notes.list();
    this.#notes = new NoteList();
    return notes;
  }

  *#run(volumes: readonly ScanVolume[]): Generator<PackJob, void, void> {
    for (const volume of volumes) {
      const notes = { add: (...args: Parameters<NoteList['add']>) => this.#notes.add(...args) };
      const walk = new TreeWalk({
        prefix: `${volume.index}`,
        links: volume.links,
        exclude: new Set(volume.exclude),
        notes,
        holdLinked: true,
      });
      yield* this.#volume(volume, walk);
      const { violations, violationCount } = walk.policy;
      if (violationCount > 0) {
        throw new Refusal(
          'VOLUME_NOT_CAPTURABLE',
          `Volume ${volume.index} holds entries that its link policy forbids`,
          {
            index: volume.index,
            links: volume.links,
            paths: violations.join(', '),
            count: violationCount,
          },
        );
      }
    }
  }

  *#volume(volume: ScanVolume, walk: TreeWalk): Generator<PackJob, void, void> {
    let entries: PlannedEntry[] = [];
    let bytes = 0;
    const base = { volume: volume.index, root: volume.root };
    const flush = (): EntriesJob => {
      const job: EntriesJob = { ...base, kind: 'entries', plan: encodePlan(entries), notes: this.#takeNotes() };
      this.#holding = entries.flatMap((entry) => (entry.held < 0 ? [] : [entry.held]));
      entries = [];
      bytes = 0;
      return job;
    };
    let held = 0;
    try {
      for (const found of walk.walk(volume.root)) {
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
      this.#notes.add('CHANGED_WHILE_READ', { path: escapePath(found.path), what: 'vanished' });
      return;
    }
    try {
      const stat = fstatSync(fd, { bigint: true });
      if (!stat.isFile() || stat.dev !== found.device) {
        this.#notes.add('CHANGED_WHILE_READ', { path: escapePath(found.path), what: 'replaced' });
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
      yield { ...base, kind: 'piece', raw: raw.buffer as ArrayBuffer, length: at, entry: null, notes: [] };
      raw = this.#buffer();
      at = 0;
    }
    const padding = paddingOf(found.size);
    const stat = fstatSync(fd, { bigint: true });
    if (short || changedSince(found, stat)) {
      this.#notes.add('CHANGED_WHILE_READ', { path: escapePath(found.path), what: short ? 'shorter' : 'changed' });
    }
    const entry: IndexEntry = { ...indexEntry(found), sha256: hash.digest() };
    // A frame is a multiple of 512 bytes and so are its header blocks: the padding always fits.
    raw.fill(0, at, at + padding);
    const notes = this.#takeNotes();
    yield { ...base, kind: 'piece', raw: raw.buffer as ArrayBuffer, length: at + padding, entry, notes };
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
