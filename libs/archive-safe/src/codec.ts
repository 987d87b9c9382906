import zlib from 'node:zlib';
import { damaged } from './refusal.ts';
import { countShortLived } from './short-lived.ts';
import { ZstdContext } from './zstd-context.ts';

export type Codec = 'zstd' | 'gzip';

export interface CompressionSettings {
  codec: Codec;
  /** Default: 3 for zstd, 6 for gzip. */
  level?: number;
}

/** Largest inflated frame a reader takes; the writer stays at or below 2 MiB plus one header. */
export const maxFrameBytes = 8 << 20;

export const containerMagic = 0x184d2a54;
const memberHead = Buffer.from([0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 3]);
const memberTail = Buffer.from([3, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
const maxMemberPart = 65000;

function packedLimit(rawBytes: number): number {
  return rawBytes + (rawBytes >> 7) + 1024;
}

/**
 * Level 3 with a table of 2^13 instead of 2^16 short matches, unless a level is asked for: with it both tables stay in a cache
 * of 1 MiB. Measured on 2 MiB frames: 7 to 19 % more bytes a second, size within 1 % (docs/archive-format.md).
 */
function zstdParams(level: number | undefined): Record<number, number> {
  const { ZSTD_c_compressionLevel, ZSTD_c_chainLog, ZSTD_c_checksumFlag, ZSTD_c_contentSizeFlag } = zlib.constants;
  const params = { [ZSTD_c_compressionLevel]: level ?? 3, [ZSTD_c_checksumFlag]: 1, [ZSTD_c_contentSizeFlag]: 1 };
  return level === undefined ? { ...params, [ZSTD_c_chainLog]: 13 } : params;
}

/** Makes independent frames, one after the other. */
export class FrameCompressor {
  #settings: CompressionSettings;
  #context: ZstdContext | undefined;

  constructor(settings: CompressionSettings) {
    this.#settings = settings;
    if (settings.codec !== 'zstd' || !ZstdContext.works) return;
    this.#context = new ZstdContext(zlib.createZstdCompress({ params: zstdParams(settings.level) }), 0);
  }

  /** Valid until the next call. */
  compress(raw: Buffer): Buffer {
    const { codec, level } = this.#settings;
    const chunkSize = packedLimit(raw.length);
    const packed = this.#context?.run(raw, chunkSize);
    if (packed !== undefined) return packed;
    countShortLived(chunkSize);
    if (codec === 'gzip') return zlib.gzipSync(raw, { level: level ?? 6, chunkSize });
    return zlib.zstdCompressSync(raw, { chunkSize, pledgedSrcSize: raw.length, params: zstdParams(level) });
  }

  close(): void {
    this.#context?.close();
    this.#context = undefined;
  }
}

/** Inflates frames, one after the other, each to exactly the size the table declares: the output never grows beyond it. */
export class FrameInflater {
  #codec: Codec;
  #context: ZstdContext | undefined;

  constructor(codec: Codec) {
    this.#codec = codec;
    if (codec !== 'zstd' || !ZstdContext.works) return;
    this.#context = new ZstdContext(zlib.createZstdDecompress(), 0);
  }

  /** Valid until the next call. After a refusal the inflater is spent. */
  inflate(frame: Buffer, rawBytes: number): Buffer {
    if (rawBytes > maxFrameBytes) throw damaged('FRAME', 'A frame is larger than allowed');
    if (this.#codec === 'zstd') checkZstdHeader(frame, rawBytes);
    else checkGzipHeader(frame, rawBytes);
    const raw = this.#run(frame, rawBytes + 1);
    if (raw?.length !== rawBytes) throw damaged('FRAME', 'A frame cannot be inflated to its declared size');
    return raw;
  }

  #run(frame: Buffer, limit: number): Buffer | undefined {
    if (this.#context !== undefined) return this.#context.run(frame, limit);
    countShortLived(limit);
    const options = { maxOutputLength: limit, chunkSize: Math.max(64, limit) };
    try {
      return this.#codec === 'zstd' ? zlib.zstdDecompressSync(frame, options) : zlib.gunzipSync(frame, options);
    } catch {
      return undefined;
    }
  }
}

/** Rules Z: content size declared and equal, checksum present, no dictionary, window no larger than the content or 8 MiB. */
function checkZstdHeader(frame: Buffer, rawBytes: number): void {
  const refuse = (reason: string): never => {
    throw damaged('FRAME', 'A zstd frame header is not one of ours', { reason });
  };
  if (frame.length < 10 || frame.readUInt32LE(0) !== 0xfd2fb528) return refuse('magic');
  const descriptor = frame[4] as number;
  if ((descriptor & 0x1b) !== 0) return refuse('dictionary or reserved bits');
  if ((descriptor & 0x04) === 0) return refuse('no checksum');
  const single = (descriptor & 0x20) !== 0;
  let at = 5;
  if (!single) {
    const window = frame[at] as number;
    const base = 2 ** (10 + (window >> 3));
    if (base + (base / 8) * (window & 7) > maxFrameBytes) return refuse('window');
    at++;
  }
  const width = [single ? 1 : 0, 2, 4, 8][descriptor >> 6] as number;
  if (width === 0 || frame.length < at + width) return refuse('no content size');
  const declared =
    width === 8 ? Number(frame.readBigUInt64LE(at)) : frame.readUIntLE(at, width) + (width === 2 ? 256 : 0);
  if (declared !== rawBytes) refuse('content size');
}

function checkGzipHeader(frame: Buffer, rawBytes: number): void {
  const plain = frame.length >= 18 && frame.readUInt32BE(0) === 0x1f8b0800 && frame.readUInt32BE(4) === 0;
  if (!plain || frame[9] !== 3 || frame.readUInt32LE(frame.length - 4) !== rawBytes) {
    throw damaged('FRAME', 'A gzip member is not one of ours');
  }
}

/**
 * Bytes that stock tools skip: a zstd skippable frame, or empty gzip members that carry the payload as extra field `TF`.
 * One payload has one container, so that a reader can compare whole containers.
 */
/** The head of a skippable zstd frame over `length` bytes that are there already. */
export function deadHead(length: number): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt32LE(containerMagic, 0);
  head.writeUInt32LE(length, 4);
  return head;
}

export function wrapHidden(payload: Buffer, codec: Codec): Buffer {
  if (codec === 'zstd') {
    const head = Buffer.alloc(8);
    head.writeUInt32LE(containerMagic, 0);
    head.writeUInt32LE(payload.length, 4);
    return Buffer.concat([head, payload]);
  }
  const parts: Buffer[] = [];
  for (let at = 0; at < payload.length; at += maxMemberPart) {
    const part = payload.subarray(at, at + maxMemberPart);
    const extra = Buffer.alloc(6);
    extra.writeUInt16LE(part.length + 4, 0);
    extra.write('TF', 2, 'latin1');
    extra.writeUInt16LE(part.length, 4);
    parts.push(memberHead, extra, part, memberTail);
  }
  return Buffer.concat(parts);
}

/** Length of the container of a payload of `length` bytes. */
export function hiddenLength(length: number, codec: Codec): number {
  if (codec === 'zstd') return length + 8;
  return length + Math.ceil(length / maxMemberPart) * (memberHead.length + 6 + memberTail.length);
}

/** The payload of a container that is exactly as `wrapHidden` makes it. */
export function unwrapHidden(container: Buffer, codec: Codec): Buffer {
  const payload = codec === 'zstd' ? container.subarray(8) : gzipPayload(container);
  if (payload.length === 0 || !wrapHidden(payload, codec).equals(container)) {
    throw damaged('CONTAINER', 'An index container is not one of ours');
  }
  return payload;
}

function gzipPayload(container: Buffer): Buffer {
  const fixed = memberHead.length + 6 + memberTail.length;
  const parts: Buffer[] = [];
  for (let at = 0; at + fixed <= container.length;) {
    const length = container.readUInt16LE(at + memberHead.length + 4);
    const start = at + memberHead.length + 6;
    parts.push(container.subarray(start, start + length));
    at = start + length + memberTail.length;
  }
  return Buffer.concat(parts);
}
