import { hash } from 'node:crypto';
import { fstatSync, readSync } from 'node:fs';
import {
  decodeTable,
  decodeTrailer,
  trailerLength,
  type ArchiveTable,
  type Frame,
  type Segment,
  type StoredSegment,
  type Trailer,
} from './archive-table.ts';
import { hiddenLength, FrameInflater, unwrapHidden, type Codec } from './codec.ts';
import type { IndexEntry } from './entry.ts';
import { decodeIndexBlock } from './index-block.ts';
import { deadSpans, headBytes, spanHead, type DeadSpan } from './dead-segment.ts';
import { damaged, Refusal } from './refusal.ts';

/** Reads exactly `length` bytes or refuses: a file that ends early is damaged. */
export function readExactly(fd: number, length: number, position: number, scratch?: Buffer): Buffer {
  const bytes = scratch === undefined ? Buffer.allocUnsafeSlow(length) : scratch.subarray(0, length);
  let at = 0;
  while (at < length) {
    const got = readSync(fd, bytes, at, length - at, position + at);
    if (got === 0) throw damaged('TRUNCATED', 'The archive file ends too early', { offset: position + at });
    at += got;
  }
  return bytes;
}

function codecOf(fd: number): Codec {
  const magic = readExactly(fd, 4, 0).readUInt32LE(0);
  if (magic === 0xfd2fb528) return 'zstd';
  if ((magic & 0xffffff) === 0x088b1f) return 'gzip';
  throw damaged('MAGIC', 'The file begins neither with a zstd frame nor with a gzip member', { offset: 0 });
}

/** Whether a file ends as an archive of ours does, whoever's key it was made with. */
export function hasTrailer(fd: number): boolean {
  try {
    readTrailer(fd, null);
    return true;
  } catch (error) {
    if (error instanceof Refusal) return false;
    throw error;
  }
}

function readTrailer(fd: number, key: Buffer | null): { codec: Codec; trailer: Trailer; trailerOffset: number } {
  const stat = fstatSync(fd);
  if (!stat.isFile()) throw damaged('MAGIC', 'The archive is not a regular file');
  const codec = codecOf(fd);
  const length = trailerLength(codec);
  if (stat.size < length) throw damaged('TRUNCATED', 'The file is shorter than a trailer', { offset: stat.size });
  const trailerOffset = stat.size - length;
  return { codec, trailerOffset, trailer: decodeTrailer(readExactly(fd, length, trailerOffset), codec, key) };
}

/**
 * The table of an archive, its HMAC verified where a key is given; every other byte of the file is covered by a hash in it.
 */
export function readTable(fd: number, key: Buffer | null): Buffer {
  const { codec, trailer, trailerOffset } = readTrailer(fd, key);
  const tableLength = hiddenLength(trailer.tableBytes, codec);
  if (trailer.tableOffset + tableLength !== trailerOffset) {
    throw damaged('TRAILER', 'The trailer names a wrong place of the table', { offset: trailerOffset });
  }
  const payload = unwrapHidden(readExactly(fd, tableLength, trailer.tableOffset), codec);
  if (!hash('sha256', payload, 'buffer').equals(trailer.tableSha256)) {
    throw damaged('TABLE', 'The hash of the table does not match', { offset: trailer.tableOffset });
  }
  const table = decodeTable(payload);
  const packed = storedSegments(table).reduce((sum, { segment }) => sum + packedBytes(segment), 0);
  if (table.codec !== codec || packed !== trailer.tableOffset) {
    throw damaged('TABLE', 'The table does not describe this file', { offset: trailer.tableOffset });
  }
  return payload;
}

/** Everything before the table, in the order of the file. */
export function storedSegments({ stored, segments }: ArchiveTable): StoredSegment[] {
  return stored ?? segments.map((segment, place) => ({ segment, place, heads: [] }));
}

export function packedBytes(segment: Segment): number {
  return segment.frames.reduce((sum, frame) => sum + frame.packedBytes, segment.indexBytes);
}

/** Reads segments of a file whose table is authentic. Every byte is hashed before anything is made of it. */
export class ArchiveReader {
  readonly table: ArchiveTable;
  #fd: number;
  #offsets: Float64Array;
  #rawOffsets: Float64Array;
  #dead: { stored: StoredSegment; offset: number }[] = [];
  #inflater: FrameInflater | undefined;
  /** Holds one packed frame or index block at a time. */
  #scratch = Buffer.allocUnsafeSlow(0);

  constructor(fd: number, tablePayload: Buffer) {
    this.#fd = fd;
    this.table = decodeTable(tablePayload);
    const { segments } = this.table;
    this.#offsets = new Float64Array(segments.length);
    this.#rawOffsets = new Float64Array(segments.length);
    let offset = 0;
    let raw = 0;
    for (const stored of storedSegments(this.table)) {
      if (stored.place === null) this.#dead.push({ stored, offset });
      else {
        this.#offsets[stored.place] = offset;
        this.#rawOffsets[stored.place] = raw;
        raw += stored.segment.frames.reduce((sum, frame) => sum + frame.rawBytes, 0);
      }
      offset += packedBytes(stored.segment);
    }
  }

  segment(index: number): Segment {
    const segment = this.table.segments[index];
    if (segment === undefined) throw new RangeError('no such segment');
    return segment;
  }

  /** Offset in the tar stream. */
  rawOffset(index: number): number {
    return this.#rawOffsets[index] ?? 0;
  }

  index(index: number): IndexEntry[] {
    const segment = this.segment(index);
    const offset = this.#offset(index) + packedBytes(segment) - segment.indexBytes;
    const container = this.#read(segment.indexBytes, offset);
    if (!hash('sha256', container, 'buffer').equals(segment.indexSha256)) {
      throw damaged('INDEX', 'The hash of an index block does not match', { offset });
    }
    const entries = decodeIndexBlock(container, this.table.codec);
    const content = entries.reduce((sum, entry) => sum + entry.size, 0);
    if (entries.length !== segment.entries || content !== segment.contentBytes) {
      throw damaged('INDEX', 'An index block contradicts the table', { offset });
    }
    return entries;
  }

  /** The packed frames of a segment in order, each compared with its hash and valid until the next one. */
  *packed(index: number): Generator<{ frame: Frame; packed: Buffer; offset: number }, void, void> {
    let offset = this.#offset(index);
    for (const frame of this.segment(index).frames) {
      yield { frame, packed: this.#checked(frame, offset), offset };
      offset += frame.packedBytes;
    }
  }

  /** The tar bytes of a segment, frame by frame, each valid until the next one. */
  *raw(index: number): Generator<Buffer, void, void> {
    const inflater = (this.#inflater ??= new FrameInflater(this.table.codec));
    for (const { frame, packed } of this.packed(index)) yield inflater.inflate(packed, frame.rawBytes);
  }

  /** The tar bytes of one frame of a segment, compared with its hash; valid until the next read. */
  rawFrame(index: number, frameIndex: number): Buffer {
    const { frames } = this.segment(index);
    const frame = frames[frameIndex];
    if (frame === undefined) throw new RangeError('no such frame');
    const before = frames.slice(0, frameIndex).reduce((sum, { packedBytes }) => sum + packedBytes, 0);
    const inflater = (this.#inflater ??= new FrameInflater(this.table.codec));
    return inflater.inflate(this.#checked(frame, this.#offset(index) + before), frame.rawBytes);
  }

  /** Compares every byte of the dead segments with what was written there. @param tell is told of bytes */
  checkDead(tell: (bytes: number) => void): void {
    for (const { stored, offset } of this.#dead) {
      const { segment, heads } = stored;
      const spans = deadSpans(segment);
      let at = 0;
      for (const [i, frame] of segment.frames.entries()) {
        const span = spans.findIndex((one) => one.frame === i);
        const packed = this.#read(frame.packedBytes, offset + at);
        if (span >= 0) {
          const head = spanHead(spans[span] as DeadSpan);
          if (packed.compare(head, 0, headBytes, 0, headBytes) !== 0)
            throw damaged('CONTAINER', 'A dead segment is not hidden', { offset: offset + at });
          (heads[span] as Buffer).copy(packed);
        }
        this.#compare(packed, frame, offset + at);
        tell(frame.packedBytes);
        at += frame.packedBytes;
      }
      const container = this.#read(segment.indexBytes, offset + at);
      if (!hash('sha256', container, 'buffer').equals(segment.indexSha256))
        throw damaged('INDEX', 'The hash of an index block does not match', { offset: offset + at });
    }
  }

  #checked(frame: Frame, offset: number): Buffer {
    return this.#compare(this.#read(frame.packedBytes, offset), frame, offset);
  }

  #compare(packed: Buffer, frame: Frame, offset: number): Buffer {
    if (!hash('sha256', packed, 'buffer').equals(frame.sha256)) {
      throw damaged('FRAME', 'The hash of a frame does not match', { offset });
    }
    return packed;
  }

  /** Valid until the next read. */
  #read(length: number, offset: number): Buffer {
    if (this.#scratch.length < length) this.#scratch = Buffer.allocUnsafeSlow(Math.max(length, 2 << 20));
    return readExactly(this.#fd, length, offset, this.#scratch);
  }

  #offset(index: number): number {
    return this.#offsets[index] ?? 0;
  }
}
