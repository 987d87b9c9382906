import { createHash, type Hash } from 'node:crypto';
import { closeSync, constants, ftruncateSync, openSync, writeSync } from 'node:fs';
import { applyMetadata, type RestoreRules } from './apply-metadata.ts';
import type { ArchiveReader } from './archive-reader.ts';
import { escapePath } from './byte-string.ts';
import { at, DirectoryCursor } from './directory-handle.ts';
import type { HeaderEntry, IndexEntry } from './entry.ts';
import { damaged, located } from './refusal.ts';
import { TarParser, type TarSink } from './tar-parser.ts';

const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
const holeBytes = 4096;
const zeros = Buffer.alloc(holeBytes);

export interface ExtractSpace {
  bytes(count: number): void;
  entry(): void;
}

/** Where the content of a file goes. */
interface FileTarget {
  write(chunk: Buffer): void;
  end(): void;
  abandon(): void;
}

/**
 * Compares every header of a segment with the index, one to one and in order (rule M2), hashes every file, and writes the
 * files. Directories exist already; links come when all files are there.
 */
class SegmentSink implements TarSink {
  #entries: IndexEntry[];
  #next = 0;
  #open: (entry: IndexEntry) => FileTarget | undefined;
  #current: IndexEntry | undefined;
  #target: FileTarget | undefined;
  #hash: Hash | undefined;

  constructor(entries: IndexEntry[], open: (entry: IndexEntry) => FileTarget | undefined) {
    this.#entries = entries;
    this.#open = open;
  }

  entry(header: HeaderEntry): void {
    const entry = this.#entries[this.#next++];
    if (entry === undefined || !sameHeader(entry, header)) {
      throw damaged('MANIFEST', 'An entry differs from the index', { entry: escapePath(header.path) });
    }
    this.#current = entry;
    if (entry.type !== 'file') return;
    this.#hash = createHash('sha256');
    try {
      this.#target = this.#open(entry);
    } catch (error) {
      throw located(error, entry.path);
    }
  }

  data(chunk: Buffer): void {
    this.#hash?.update(chunk);
    try {
      this.#target?.write(chunk);
    } catch (error) {
      throw located(error, (this.#current as IndexEntry).path);
    }
  }

  entryEnd(): void {
    const entry = this.#current as IndexEntry;
    if (entry.type === 'file') {
      if (entry.sha256 === undefined || this.#hash?.digest().equals(entry.sha256) !== true) {
        throw damaged('CONTENT', 'The content of a file does not have its hash', { entry: escapePath(entry.path) });
      }
      this.#target?.end();
      this.#target = undefined;
    }
  }

  finish(): void {
    if (this.#next !== this.#entries.length) throw damaged('MANIFEST', 'An entry of the index is missing');
  }

  abandon(): void {
    this.#target?.abandon();
  }
}

function sameHeader(a: IndexEntry, b: HeaderEntry): boolean {
  return (
    a.path === b.path &&
    a.type === b.type &&
    a.mode === b.mode &&
    a.uid === b.uid &&
    a.gid === b.gid &&
    a.mtimeSec === b.mtimeSec &&
    a.mtimeNs === b.mtimeNs &&
    a.size === b.size &&
    a.link === b.link
  );
}

/** Reads one segment whole; `open` says where the content of a file goes, undefined: nowhere. */
export function readSegment(
  reader: ArchiveReader,
  index: number,
  open: (entry: IndexEntry) => FileTarget | undefined,
): void {
  const sink = new SegmentSink(reader.index(index), open);
  const parser = new TarParser(sink, reader.rawOffset(index));
  try {
    for (const raw of reader.raw(index)) parser.push(raw);
    if (index === reader.table.segments.length - 1) parser.finishArchive();
    else parser.finishPart();
    sink.finish();
  } catch (error) {
    sink.abandon();
    throw error;
  }
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
      const names = entry.path.split('/').slice(1);
      const name = names.pop() as string;
      const file = new StagedFile(cursor.move(names), name, entry, space, rules);
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

  constructor(directory: number, name: string, entry: IndexEntry, space: ExtractSpace, rules: RestoreRules) {
    // EEXIST is fatal: on a file system that folds case or form, two names of the archive are one.
    this.#fd = openSync(at(directory, name), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
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
      const stat = applyMetadata(this.#fd, this.#entry, this.#rules);
      if (Number(stat.size) !== this.#entry.size || stat.nlink !== 1n) {
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
