import { closeSync, constants, ftruncateSync, openSync, writeSync } from 'node:fs';
import { applyMetadata, type RestoreRules } from './apply-metadata.ts';
import type { ArchiveReader } from './archive-reader.ts';
import { escapePath } from './byte-string.ts';
import { at, DirectoryCursor } from './directory-handle.ts';
import type { IndexEntry } from './entry.ts';
import { readSegment, type FileTarget } from './read-segment.ts';
import { damaged } from './refusal.ts';

const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
const holeBytes = 4096;
const zeros = Buffer.alloc(holeBytes);

export interface ExtractSpace {
  bytes(count: number): void;
  entry(): void;
}

/** Writes the files of one segment below `root`; returns how many. */
export function extractSegment(
  reader: ArchiveReader,
  index: number,
  root: number,
  space: ExtractSpace,
  rules: RestoreRules,
): number {
  let files = 0;
  const cursor = new DirectoryCursor(root);
  try {
    readSegment(reader, index, (entry) => {
      const directory = cursor.moveToParent(entry.path);
      const name = entry.path.slice(entry.path.lastIndexOf('/') + 1);
      const file = new StagedFile(directory, name, entry, space, rules);
      files++;
      return file;
    });
  } finally {
    cursor.close();
  }
  return files;
}

/** A new file that becomes what its entry says. */
export class StagedFile implements FileTarget {
  #fd: number;
  #entry: IndexEntry;
  #space: ExtractSpace;
  #rules: RestoreRules;
  #position = 0;
  #made: number;

  constructor(directory: number, name: string, entry: IndexEntry, space: ExtractSpace, rules: RestoreRules) {
    // EEXIST is fatal: on a file system that folds case or form, two names of the archive are one.
    // The directories it lies in are closed to others until all is done (0700), so that it may have its own mode at once.
    this.#made = entry.mode & rules.modes & 0o777;
    this.#fd = openSync(at(directory, name), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, this.#made);
    this.#entry = entry;
    this.#space = space;
    this.#rules = rules;
  }

  write(chunk: Buffer): void {
    if (this.#entry.sparse) this.#writeSparse(chunk);
    else this.#writeAll(chunk, 0, chunk.length);
    this.#position += chunk.length;
    this.#space.bytes(chunk.length);
  }

  end(): void {
    try {
      if (this.#entry.sparse) ftruncateSync(this.#fd, this.#entry.size);
      const { size, links } = applyMetadata(this.#fd, this.#entry, this.#rules, this.#made);
      if (size !== this.#entry.size || links !== 1) {
        throw damaged('FIDELITY', 'A file does not have its size', { entry: escapePath(this.#entry.path) });
      }
    } finally {
      this.abandon();
    }
    this.#space.entry();
  }

  abandon(): void {
    const fd = this.#fd;
    this.#fd = -1;
    if (fd >= 0) closeSync(fd);
  }

  #writeAll(chunk: Buffer, from: number, to: number): void {
    let start = from;
    while (start < to) start += writeSync(this.#fd, chunk, start, to - start, this.#position + start);
  }

  /** Leaves out all-zero pieces that lie on 4 KiB borders of the file. */
  #writeSparse(chunk: Buffer): void {
    let start = 0;
    let dirty = 0;
    const flush = (until: number): void => {
      if (dirty < until) this.#writeAll(chunk, dirty, until);
    };
    while (start < chunk.length) {
      const border = holeBytes - ((this.#position + start) % holeBytes);
      const end = Math.min(chunk.length, start + border);
      if (zeros.compare(chunk, start, end, 0, end - start) === 0) {
        flush(start);
        dirty = end;
      }
      start = end;
    }
    flush(chunk.length);
  }
}
