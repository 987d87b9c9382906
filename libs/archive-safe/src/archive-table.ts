import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { hiddenLength, maxFrameBytes, unwrapHidden, wrapHidden, type Codec } from './codec.ts';
import { deadSpans, headBytes } from './dead-segment.ts';
import { maxNotes, type Note } from './note.ts';
import { damaged, Refusal } from './refusal.ts';
import { ByteReader, ByteWriter } from './varint.ts';

/** Segments lie in the file in archive order, and all of them count. */
export const formatVersion = 1;
/** The table says of each segment which place it has in archive order, or that it is dead. */
export const movedVersion = 2;

export interface Frame {
  /** Bytes in the file. */
  packedBytes: number;
  /** Bytes of tar. */
  rawBytes: number;
  /** Of the packed bytes. */
  sha256: Buffer;
}

/** A run of frames that begins and ends between entries, followed in the file by the index block of its entries. */
export interface Segment {
  /** `null` for the manifest (first segment) and the end of the tar stream (last one). */
  volume: number | null;
  entries: number;
  contentBytes: number;
  frames: Frame[];
  indexBytes: number;
  indexSha256: Buffer;
}

export interface VolumeSummary {
  index: number;
  absent: boolean;
  links: number;
  entries: number;
  contentBytes: number;
}

/** A segment where it lies in the file. */
export interface StoredSegment {
  segment: Segment;
  /** Its place in `segments`; `null`: dead, its entries were written again or are gone. */
  place: number | null;
  /** Dead: the bytes that lay where the heads of its `deadSpans` are now. */
  heads: Buffer[];
}

export interface ArchiveTable {
  codec: Codec;
  /** In archive order. */
  segments: Segment[];
  /** All that lies in the file before the table, in the order of the file; absent where that is `segments` (version 1). */
  stored?: StoredSegment[] | undefined;
  volumes: VolumeSummary[];
  notes: Note[];
}

const tableTag = Buffer.from('TFT1');
const trailerTag = Buffer.from('TFE1');
const trailerPayload = 4 + 8 + 8 + 32 + 8 + 32 + 32;
const maxTableBytes = 512 << 20;
const maxNotesBytes = 16 << 20;
/** Numbers of volumes have at most five digits. */
const maxVolumes = 100_000;
const codecs: readonly Codec[] = ['zstd', 'gzip'];

export function encodeTable(table: ArchiveTable): Buffer {
  const out = new ByteWriter();
  out.raw(tableTag);
  out.number(table.stored === undefined ? formatVersion : movedVersion);
  out.number(codecs.indexOf(table.codec));
  out.number(table.volumes.length);
  for (const volume of table.volumes) {
    for (const value of [volume.index, Number(volume.absent), volume.links, volume.entries, volume.contentBytes]) {
      out.number(value);
    }
  }
  out.bytes(Buffer.from(JSON.stringify(table.notes)));
  if (table.stored === undefined) {
    out.number(table.segments.length);
    for (const segment of table.segments) encodeSegment(out, segment);
  } else {
    out.number(table.stored.length);
    for (const { segment, place, heads } of table.stored) {
      out.number(place === null ? 0 : place + 1);
      encodeSegment(out, segment);
      for (const head of heads) out.raw(head);
    }
  }
  return out.finish();
}

function encodeSegment(out: ByteWriter, segment: Segment): void {
  out.number(segment.volume === null ? 0 : segment.volume + 1);
  out.number(segment.entries);
  out.number(segment.contentBytes);
  out.number(segment.indexBytes);
  out.raw(segment.indexSha256);
  out.number(segment.frames.length);
  for (const frame of segment.frames) {
    out.number(frame.packedBytes);
    out.number(frame.rawBytes);
    out.raw(frame.sha256);
  }
}

export function decodeTable(payload: Buffer): ArchiveTable {
  const reader = new ByteReader(payload);
  if (!reader.raw(4).equals(tableTag)) throw damaged('TABLE', 'The table has no tag');
  const version = reader.number();
  if (version !== formatVersion && version !== movedVersion)
    throw damaged('VERSION', 'The archive has a format version that is not known');
  const codec = codecs[reader.number()];
  if (codec === undefined) throw damaged('TABLE', 'The table names an unknown codec');
  const volumes: VolumeSummary[] = [];
  for (let left = reader.number(); left > 0; left--) {
    const [index, absent, links, entries, contentBytes] = Array.from({ length: 5 }, () => reader.number()) as [
      number,
      number,
      number,
      number,
      number,
    ];
    const after = (volumes.at(-1)?.index ?? -1) < index;
    if (!after || index >= maxVolumes || absent > 1 || links > 2)
      throw damaged('TABLE', 'A volume of the table is not valid');
    volumes.push({ index, absent: absent === 1, links, entries, contentBytes });
  }
  const notes = decodeNotes(reader.bytes(maxNotesBytes));
  if (version === movedVersion && codec !== 'zstd')
    throw damaged('TABLE', 'Only an archive of zstd frames has dead segments');
  const stored: StoredSegment[] = [];
  for (let left = reader.number(); left > 0; left--) stored.push(decodeStored(reader, version, stored.length));
  if (!reader.ended) throw damaged('TABLE', 'The table has bytes after its end');
  const segments = inOrder(stored);
  return { codec, segments, volumes, notes, ...(version === movedVersion && { stored }) };
}

function decodeStored(reader: ByteReader, version: number, before: number): StoredSegment {
  const place = version === formatVersion ? before : reader.number() - 1;
  const segment = decodeSegment(reader);
  if (place >= 0) return { segment, place, heads: [] };
  if (segment.frames.some(({ packedBytes }) => packedBytes < headBytes))
    throw damaged('TABLE', 'A frame of a dead segment is too small');
  return { segment, place: null, heads: deadSpans(segment).map(() => reader.raw(headBytes)) };
}

/** Every place is taken once, and the ends of the tar stream are the ends of the file. */
function inOrder(stored: readonly StoredSegment[]): Segment[] {
  const live = stored.filter(({ place }) => place !== null);
  const segments = new Array<Segment | undefined>(live.length).fill(undefined);
  for (const { segment, place } of live) {
    if (place === null || place >= live.length || segments[place] !== undefined)
      throw damaged('TABLE', 'The places of the segments are not an order');
    segments[place] = segment;
  }
  const [first, last] = [stored[0], stored.at(-1)];
  if (stored.length > 0 && (first?.place !== 0 || last?.place !== live.length - 1))
    throw damaged('TABLE', 'The manifest or the end of the archive is not where it belongs');
  return segments as Segment[];
}

/** An archive that nobody signed is decoded too: the shape is checked, not assumed. */
function decodeNotes(bytes: Buffer): Note[] {
  let notes: unknown;
  try {
    notes = JSON.parse(bytes.toString('utf8'));
  } catch {
    throw damaged('TABLE', 'The notes of the table are not JSON');
  }
  const plain = (value: unknown): boolean => typeof value === 'string' || typeof value === 'number';
  const valid = (note: unknown): boolean => {
    const { code, params } = (note ?? {}) as Partial<Note>;
    return (
      typeof code === 'string' && typeof params === 'object' && params !== null && Object.values(params).every(plain)
    );
  };
  if (!Array.isArray(notes) || notes.length > maxNotes + 1 || !notes.every(valid)) {
    throw damaged('TABLE', 'The notes of the table are not valid');
  }
  return notes as Note[];
}

function decodeSegment(reader: ByteReader): Segment {
  const volume = reader.number();
  const segment: Segment = {
    volume: volume === 0 ? null : volume - 1,
    entries: reader.number(),
    contentBytes: reader.number(),
    indexBytes: reader.number(),
    indexSha256: reader.raw(32),
    frames: [],
  };
  for (let left = reader.number(); left > 0; left--) {
    const frame = { packedBytes: reader.number(), rawBytes: reader.number(), sha256: reader.raw(32) };
    if (frame.rawBytes > maxFrameBytes || frame.packedBytes > 2 * maxFrameBytes) {
      throw damaged('TABLE', 'A frame is larger than allowed');
    }
    segment.frames.push(frame);
  }
  return segment;
}

export function keyIdOf(key: Buffer): Buffer {
  return createHmac('sha256', key).update('tiny-forge archive key id').digest().subarray(0, 8);
}

function macOf(key: Buffer, covered: Buffer): Buffer {
  return createHmac('sha256', key).update('tiny-forge archive v1\0').update(covered).digest();
}

/** The last container of the file: where the table lies, its hash, the key's id, the HMAC, and a checksum of all that. */
export function encodeTrailer(tableOffset: number, table: Buffer, codec: Codec, key: Buffer): Buffer {
  const payload = Buffer.alloc(trailerPayload);
  trailerTag.copy(payload, 0);
  payload.writeBigUInt64LE(BigInt(tableOffset), 4);
  payload.writeBigUInt64LE(BigInt(table.length), 12);
  createHash('sha256').update(table).digest().copy(payload, 20);
  keyIdOf(key).copy(payload, 52);
  macOf(key, payload.subarray(0, 60)).copy(payload, 60);
  createHash('sha256').update(payload.subarray(0, 92)).digest().copy(payload, 92);
  return wrapHidden(payload, codec);
}

export interface Trailer {
  tableOffset: number;
  tableBytes: number;
  tableSha256: Buffer;
}

export function trailerLength(codec: Codec): number {
  return hiddenLength(trailerPayload, codec);
}

function trailerIn(container: Buffer, codec: Codec): Buffer | undefined {
  try {
    return unwrapHidden(container, codec);
  } catch {
    return undefined;
  }
}

/**
 * @throws Refusal `ARCHIVE_DAMAGED` where the container or its checksum is broken, `ARCHIVE_TAMPERED` where both are whole
 * and the HMAC is not by `key`. Without a key nothing is authentic.
 */
export function decodeTrailer(container: Buffer, codec: Codec, key: Buffer | null): Trailer {
  const payload = trailerIn(container, codec);
  if (payload?.length !== trailerPayload || !payload.subarray(0, 4).equals(trailerTag)) {
    throw damaged('TRAILER', 'The archive does not end in a trailer of ours');
  }
  if (!createHash('sha256').update(payload.subarray(0, 92)).digest().equals(payload.subarray(92))) {
    throw damaged('TRAILER', 'The checksum of the trailer does not match');
  }
  if (key !== null && !timingSafeEqual(macOf(key, payload.subarray(0, 60)), payload.subarray(60, 92))) {
    const otherKey = !keyIdOf(key).equals(payload.subarray(52, 60));
    throw new Refusal('ARCHIVE_TAMPERED', 'The index is not signed by the key of this installation', {
      rule: 'HMAC',
      otherKey,
    });
  }
  const tableBytes = Number(payload.readBigUInt64LE(12));
  if (tableBytes > maxTableBytes) throw damaged('TRAILER', 'The table is larger than allowed');
  return { tableOffset: Number(payload.readBigUInt64LE(4)), tableBytes, tableSha256: payload.subarray(20, 52) };
}
