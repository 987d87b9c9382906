import { createHash, hash, type Hash } from 'node:crypto';
import type { ArchiveReader } from './archive-reader.ts';
import { escapePath } from './byte-string.ts';
import type { HeaderEntry, IndexEntry } from './entry.ts';
import { damaged, located } from './refusal.ts';
import { maxHeaderBytes, paddingOf, writeHeader } from './tar-header.ts';
import { TarParser, type TarSink } from './tar-parser.ts';

/** Where the content of a file goes. */
export interface FileTarget {
  write(chunk: Buffer): void;
  end(): void;
  abandon(): void;
}

export type OpenTarget = (entry: IndexEntry) => FileTarget | undefined;

const expected = Buffer.allocUnsafeSlow(maxHeaderBytes);

/**
 * Reads one segment whole, compares it with the index (rule M2) and hashes every file; `open` says where the content of a file
 * goes, undefined: nowhere. What an entry looks like in the tar stream follows from its index entry: the bytes are compared with
 * that, which is a tenth of the work of parsing them. What is not as expected is parsed, for the rule that refuses it.
 */
export function readSegment(reader: ArchiveReader, index: number, open: OpenTarget): void {
  const entries = reader.index(index);
  const { frames } = reader.segment(index);
  if (frames.length === 1) {
    const raw = reader.rawFrame(index, 0);
    const last = index === reader.table.segments.length - 1;
    const places = last ? undefined : contentPlaces(raw, entries);
    if (places === undefined) return parseSegment(reader, index, entries, open);
    for (const [i, entry] of entries.entries()) {
      const start = places[i] as number;
      if (entry.type !== 'file') continue;
      const content = raw.subarray(start, start + entry.size);
      // Before the first byte is written.
      if (!hasHash(entry, content)) throw wrongContent(entry, reader.rawOffset(index) + start);
      writeWhole(entry, content, open);
    }
    return;
  }
  parseSegment(reader, index, entries, open);
}

/** Where the content of each entry begins, if the bytes are exactly what a writer makes of the entries, contents aside. */
function contentPlaces(raw: Buffer, entries: readonly IndexEntry[]): number[] | undefined {
  const places: number[] = [];
  let at = 0;
  for (const entry of entries) {
    const length = writeHeader(entry, expected, 0);
    if (expected.compare(raw, at, Math.min(raw.length, at + length), 0, length) !== 0) return undefined;
    at += length;
    places.push(at);
    const end = at + entry.size + paddingOf(entry.size);
    if (end > raw.length) return undefined;
    for (let i = at + entry.size; i < end; i++) if (raw[i] !== 0) return undefined;
    at = end;
  }
  return at === raw.length ? places : undefined;
}

function hasHash({ sha256 }: IndexEntry, content: Buffer): boolean {
  return sha256 !== undefined && hash('sha256', content, 'buffer').equals(sha256);
}

function writeWhole(entry: IndexEntry, content: Buffer, open: OpenTarget): void {
  let target: FileTarget | undefined;
  try {
    target = open(entry);
    if (target === undefined) return;
    if (content.length > 0) target.write(content);
    target.end();
  } catch (error) {
    target?.abandon();
    throw located(error, entry.path);
  }
}

function wrongContent(entry: IndexEntry, offset?: number): Error {
  const where = offset === undefined ? {} : { offset };
  return damaged('CONTENT', 'The content of a file does not have its hash', {
    entry: escapePath(entry.path),
    ...where,
  });
}

function parseSegment(reader: ArchiveReader, index: number, entries: IndexEntry[], open: OpenTarget): void {
  const sink = new SegmentSink(entries, open);
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

/** Compares every header with the index, one to one and in order, and hashes every file as it comes. */
class SegmentSink implements TarSink {
  #entries: IndexEntry[];
  #next = 0;
  #open: OpenTarget;
  #current: IndexEntry | undefined;
  #target: FileTarget | undefined;
  #hash: Hash | undefined;

  constructor(entries: IndexEntry[], open: OpenTarget) {
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
      if (entry.sha256 === undefined || this.#hash?.digest().equals(entry.sha256) !== true) throw wrongContent(entry);
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
