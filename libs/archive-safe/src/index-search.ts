import type { ArchiveReader } from './archive-reader.ts';
import type { ByteString } from './byte-string.ts';
import { comparePaths, type IndexEntry } from './entry.ts';
import { damaged } from './refusal.ts';
import { encodeHeader } from './tar-header.ts';
import { wholeBytes } from './frame-plan.ts';

interface Place {
  segment: number;
  at: number;
}

/** Where the bytes of a file lie: plain data, so that any later call can take it. */
export interface ContentPlace {
  segment: number;
  /** Offset of the first content byte in the tar bytes of the segment. */
  start: number;
  size: number;
  /** What must stand right before `start`. */
  header: Uint8Array;
}

export interface FoundContent {
  entry: IndexEntry;
  sha256: Uint8Array;
  place: ContentPlace;
}

export interface FolderSlice {
  folder: IndexEntry;
  entries: IndexEntry[];
  more: boolean;
}

const keptBlocks = 8;

/**
 * Finds entries by path without reading the whole index: entries are in one total order, so the first entry of a segment
 * tells which segment to look into, and a folder's subfolders are stepped over instead of read through.
 */
export class IndexSearch {
  #reader: ArchiveReader;
  /** First and last segment of each volume; a volume's segments lie together. */
  #ranges = new Map<number, { first: number; last: number }>();
  #blocks = new Map<number, IndexEntry[]>();

  constructor(reader: ArchiveReader) {
    this.#reader = reader;
    for (const [i, { volume }] of reader.table.segments.entries()) {
      if (volume === null) continue;
      const range = this.#ranges.get(volume);
      if (range === undefined) this.#ranges.set(volume, { first: i, last: i });
      else if (range.last === i - 1) range.last = i;
      else throw damaged('TABLE', 'The segments of a volume do not lie together');
    }
  }

  find(volume: number, names: readonly ByteString[]): { entry: IndexEntry; place: Place } | undefined {
    const wanted = [`${volume}`, ...names];
    const place = this.#firstWhere(volume, (found) => comparePaths(found, wanted) >= 0);
    const entry = place && this.#entryAt(place);
    if (place === undefined || entry === undefined || comparePaths(entry.path.split('/'), wanted) !== 0)
      return undefined;
    return { entry, place };
  }

  /** What lies directly in a folder, in byte order, beginning behind the name `after`; undefined where it is no folder. */
  children(
    volume: number,
    names: readonly ByteString[],
    after: ByteString | undefined,
    limit: number,
  ): FolderSlice | undefined {
    const found = this.find(volume, names);
    if (found?.entry.type !== 'directory') return undefined;
    const folder = [`${volume}`, ...names];
    const entries: IndexEntry[] = [];
    let place =
      after === undefined
        ? this.#next(volume, found.place)
        : this.#firstWhere(volume, (other) => isBehind(other, [...folder, after]));
    while (place !== undefined) {
      const entry = this.#entryAt(place);
      const path = entry.path.split('/');
      if (path.length !== folder.length + 1 || !isWithin(path, folder)) break;
      if (entries.length === limit) return { folder: found.entry, entries, more: true };
      entries.push(entry);
      place = entry.type === 'directory' ? this.#behind(volume, place, path) : this.#next(volume, place);
    }
    return { folder: found.entry, entries, more: false };
  }

  /** Of a file, or of the file a hardlink is another name of; undefined for everything else. */
  content(volume: number, names: readonly ByteString[]): FoundContent | undefined {
    const found = this.find(volume, names);
    const link = found?.entry.type === 'hardlink' ? found.entry.link.split('/').slice(1) : undefined;
    const target = link === undefined ? found : this.find(volume, link);
    if (found === undefined || target?.entry.type !== 'file') return undefined;
    const { entry, place } = target;
    if (entry.sha256 === undefined) throw damaged('INDEX', 'A file has no hash');
    const header = encodeHeader(entry);
    let start = header.length;
    for (const before of this.#block(place.segment).slice(0, place.at)) start += wholeBytes(before);
    const { segment } = place;
    const { size, sha256 } = entry;
    return { entry: found.entry, sha256, place: { segment, start, size, header: Uint8Array.from(header) } };
  }

  /** The first entry behind all that lies below `path`; most often in the same block. */
  #behind(volume: number, place: Place, path: readonly ByteString[]): Place | undefined {
    const next = this.#next(volume, place);
    if (next === undefined || !isWithin(this.#entryAt(next).path.split('/'), path)) return next;
    return this.#firstWhere(volume, (other) => isBehind(other, path), next.segment);
  }

  #next(volume: number, { segment, at }: Place): Place | undefined {
    if (at + 1 < this.#block(segment).length) return { segment, at: at + 1 };
    return segment === this.#ranges.get(volume)?.last ? undefined : { segment: segment + 1, at: 0 };
  }

  /** The first place, from segment `from` on, whose path passes; `passes` must be false before it and true behind it. */
  #firstWhere(volume: number, passes: (path: ByteString[]) => boolean, from?: number): Place | undefined {
    const range = this.#ranges.get(volume);
    if (range === undefined) return undefined;
    const test = (segment: number, at: number): boolean => passes(this.#entryAt({ segment, at }).path.split('/'));
    let low = from ?? range.first;
    let high = range.last + 1;
    // The last segment whose first entry does not pass holds the border, or the next one begins with it.
    while (low < high) {
      const middle = (low + high) >> 1;
      if (test(middle, 0)) high = middle;
      else low = middle + 1;
    }
    if (low > (from ?? range.first)) {
      const segment = low - 1;
      const at = firstIndex(this.#block(segment).length, (i) => test(segment, i));
      if (at < this.#block(segment).length) return { segment, at };
    }
    return low > range.last ? undefined : { segment: low, at: 0 };
  }

  #entryAt({ segment, at }: Place): IndexEntry {
    const entry = this.#block(segment)[at];
    if (entry === undefined) throw damaged('INDEX', 'A segment of a volume has no entry');
    return entry;
  }

  #block(segment: number): IndexEntry[] {
    let block = this.#blocks.get(segment);
    if (block === undefined) {
      block = this.#reader.index(segment);
      const oldest = this.#blocks.keys().next().value;
      if (this.#blocks.size >= keptBlocks && oldest !== undefined) this.#blocks.delete(oldest);
    } else {
      this.#blocks.delete(segment);
    }
    this.#blocks.set(segment, block);
    return block;
  }
}

function isWithin(path: readonly ByteString[], folder: readonly ByteString[]): boolean {
  return path.length > folder.length && folder.every((name, i) => path[i] === name);
}

function isBehind(path: readonly ByteString[], folder: readonly ByteString[]): boolean {
  return comparePaths(path, folder) > 0 && !isWithin(path, folder);
}

function firstIndex(length: number, passes: (index: number) => boolean): number {
  let low = 0;
  let high = length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (passes(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}

/**
 * Content bytes from offset `from` of a file up to the end of the frame they lie in, or to `to`. The packed frame is compared
 * with its authenticated hash before it is inflated, the header of the file with the index where the frame holds it.
 */
export function readContentPart(reader: ArchiveReader, place: ContentPlace, from: number, to: number): Uint8Array {
  const { frames } = reader.segment(place.segment);
  const first = place.start + from;
  let frameStart = 0;
  for (const [i, frame] of frames.entries()) {
    if (first >= frameStart + frame.rawBytes) {
      frameStart += frame.rawBytes;
      continue;
    }
    const raw = reader.rawFrame(place.segment, i);
    const headerAt = place.start - place.header.length - frameStart;
    if (headerAt >= 0 && raw.subarray(headerAt, headerAt + place.header.length).compare(place.header) !== 0) {
      throw damaged('MANIFEST', 'A header differs from the index');
    }
    return Uint8Array.from(raw.subarray(first - frameStart, Math.min(raw.length, place.start + to - frameStart)));
  }
  throw damaged('TABLE', 'A file is longer than its frames');
}
