import { hash as digest } from 'node:crypto';
import { fstatSync, openSync } from 'node:fs';
import { escapePath } from './byte-string.ts';
import { FrameCompressor, type Codec, type CompressionSettings } from './codec.ts';
import { at, DirectoryCursor, closeReadOnly } from './directory-handle.ts';
import type { IndexEntry } from './entry.ts';
import { frameBytes } from './frame-plan.ts';
import { encodeIndexBlock } from './index-block.ts';
import { NoteList, type Note } from './note.ts';
import { decodePlan, type PlannedEntry } from './plan-codec.ts';
import { errnoOf, located } from './refusal.ts';
import { fill, type EntriesJob, type PackJob } from './job-cutter.ts';
import { paddingOf, writeHeader } from './tar-header.ts';
import { readFlags } from './tree-walk.ts';

/** A packed frame; with `index` it ends a segment. `packedBytes` is 0 where nothing of the job could be read. */
export interface PackedFrame {
  volume: number;
  /** The packed bytes are the first `packedBytes` of it. */
  out: ArrayBuffer;
  packedBytes: number;
  rawBytes: number;
  sha256: Uint8Array;
  index: Uint8Array<ArrayBuffer> | null;
  indexSha256: Uint8Array | null;
  entries: number;
  contentBytes: number;
  notes: Note[];
  spare: ArrayBuffer | null;
}

const gone = new Set(['ENOENT', 'ENOTDIR', 'ELOOP', 'ENXIO']);

export class Packer {
  #codec: Codec;
  #compressor: FrameCompressor;
  #buffer = Buffer.from(new ArrayBuffer(frameBytes));
  #cursors = new Map<number, DirectoryCursor>();

  constructor(settings: CompressionSettings) {
    this.#codec = settings.codec;
    this.#compressor = new FrameCompressor(settings);
  }

  close(): void {
    this.#compressor.close();
    for (const cursor of this.#cursors.values()) cursor.close();
  }

  /** `out` is reused for the packed bytes where they fit. */
  pack(job: PackJob, out: ArrayBuffer): PackedFrame {
    const notes = new NoteList();
    notes.addAll(job.notes);
    if (job.kind === 'piece') {
      const raw = Buffer.from(job.raw, 0, job.length);
      return this.#frame(
        job.volume,
        raw,
        job.entry === null ? [] : [job.entry],
        job.entry !== null,
        notes,
        out,
        job.raw,
      );
    }
    const entries: IndexEntry[] = [];
    let end = 0;
    for (const planned of decodePlan(job.plan)) {
      try {
        const next = this.#append(job, planned, end, notes);
        if (next === undefined) continue;
        end = next.end;
        entries.push(next.entry);
      } catch (error) {
        throw located(error, planned.path);
      }
    }
    return this.#frame(job.volume, this.#buffer.subarray(0, end), entries, true, notes, out, null);
  }

  #append(
    job: EntriesJob,
    planned: PlannedEntry,
    start: number,
    notes: NoteList,
  ): { end: number; entry: IndexEntry } | undefined {
    const { device: _device, inode: _inode, changed: _changed, held: _held, ...entry } = planned;
    const body = writeHeader(entry, this.#buffer, start);
    if (entry.type === 'file') {
      const part = this.#buffer.subarray(body, body + entry.size);
      if (!this.#read(job, planned, part, notes)) return undefined;
      entry.sha256 = digest('sha256', part, 'buffer');
    }
    const end = body + entry.size + paddingOf(entry.size);
    this.#buffer.fill(0, body + entry.size, end);
    return { end, entry };
  }

  /** False: the file is not there any more, or is no file; noted. */
  #read(job: EntriesJob, planned: PlannedEntry, part: Buffer, notes: NoteList): boolean {
    const note = (what: string): void => notes.add('CHANGED_WHILE_READ', { path: escapePath(planned.path), what });
    let fd = planned.held;
    try {
      if (fd < 0) fd = this.#open(job.root, planned.path);
    } catch (error) {
      if (!gone.has(errnoOf(error) ?? '')) throw error;
      note('vanished');
      return false;
    }
    try {
      const read = readPlanned(fd, planned, part);
      if (read === 'replaced') {
        note('replaced');
        return false;
      }
      if (read !== 'same') note(read);
      return true;
    } finally {
      if (planned.held < 0) closeReadOnly(fd);
    }
  }

  #open(root: number, path: string): number {
    let cursor = this.#cursors.get(root);
    if (cursor === undefined) this.#cursors.set(root, (cursor = new DirectoryCursor(root)));
    return openSync(at(cursor.moveToParent(path), path.slice(path.lastIndexOf('/') + 1)), readFlags);
  }

  #frame(
    volume: number,
    raw: Buffer,
    entries: IndexEntry[],
    last: boolean,
    notes: NoteList,
    target: ArrayBuffer,
    spare: ArrayBuffer | null,
  ): PackedFrame {
    const packed = raw.length === 0 ? Buffer.alloc(0) : this.#compressor.compress(raw);
    const index = last && raw.length > 0 ? encodeIndexBlock(entries, this.#codec) : null;
    const out = packed.length <= target.byteLength ? target : new ArrayBuffer(packed.length);
    packed.copy(Buffer.from(out));
    return {
      volume,
      out,
      packedBytes: packed.length,
      rawBytes: raw.length,
      sha256: digest('sha256', packed, 'buffer'),
      index: index === null ? null : Uint8Array.from(index),
      indexSha256: index === null ? null : digest('sha256', index, 'buffer'),
      entries: entries.length,
      contentBytes: entries.reduce((sum, entry) => sum + entry.size, 0),
      notes: notes.list(),
      spare,
    };
  }
}

/**
 * What it was is looked at once, after it was read: a look before would cost a tenth of a small file, and what a name that
 * turned into something else gives is dropped all the same.
 */
function readPlanned(fd: number, planned: PlannedEntry, part: Buffer): 'same' | 'changed' | 'shorter' | 'replaced' {
  let whole = false;
  let failure: Error | undefined;
  try {
    whole = fill(fd, part, 0, undefined);
  } catch (error) {
    failure = error as Error;
  }
  const now = fstatSync(fd);
  if (!now.isFile() || now.dev !== Number(planned.device)) return 'replaced';
  if (failure !== undefined) throw failure;
  if (!whole) return 'shorter';
  return changedSincePlan(planned, now) ? 'changed' : 'same';
}

/**
 * In doubles, as `fstatSync` gives them for a third of the price: they tell apart times that differ by a quarter of a
 * microsecond, and no file system changes one twice in that.
 */
function changedSincePlan(planned: PlannedEntry, now: { ino: number; ctimeMs: number; size: number }): boolean {
  const changedMs = Number(planned.changed / 1_000_000_000n) * 1e3 + Number(planned.changed % 1_000_000_000n) / 1e6;
  return now.ino !== Number(planned.inode) || now.ctimeMs !== changedMs || now.size !== planned.size;
}
