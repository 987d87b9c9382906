import { pipeline, Readable, type Transform } from 'node:stream';
import zlib from 'node:zlib';
import { containerMagic, maxFrameBytes } from './codec.ts';
import { damaged, errnoOf, Refusal } from './refusal.ts';
import type { SourceBytes } from './source-bytes.ts';

export type Packing = 'zstd' | 'gzip' | 'none';

const zstdMagic = 0xfd2fb528;
const maxHeaderText = 65536;

export function packingOf(source: SourceBytes): Packing {
  if (source.left < 4) return 'none';
  const magic = source.exactly(4).readUInt32LE(0);
  source.seek(0);
  if (magic === zstdMagic || magic === containerMagic) return 'zstd';
  return (magic & 0xffff) === 0x8b1f ? 'gzip' : 'none';
}

/**
 * The tar bytes of a file that somebody else may have written. The borders of frames and members are found here and each is
 * given to an inflater of its own: Node's zstd stream forgets what follows the first frame of a chunk, its gzip stream skips
 * zeros behind a member, and neither says where it ended. Output comes in small chunks and is asked for: what the caller
 * does not take is not inflated.
 */
export async function* importedStream(source: SourceBytes): AsyncGenerator<Buffer, void, void> {
  const packing = packingOf(source);
  if (packing === 'none') {
    for (let part = source.some(); part.length > 0; part = source.some()) yield part;
    return;
  }
  while (source.left > 0) {
    if (packing === 'gzip') yield* gzipMember(source);
    else yield* zstdFrame(source);
  }
}

/** What an inflater throws, as the rule it is. */
async function* inflated(
  pieces: Iterable<Buffer>,
  inflater: Transform,
  offset: number,
): AsyncGenerator<Buffer, void, void> {
  const done = pipeline(Readable.from(pieces, { objectMode: false }), inflater, () => undefined);
  try {
    for await (const chunk of done) yield chunk as Buffer;
  } catch (error) {
    if (error instanceof Refusal || !/^(?:Z_|ZSTD_|ERR_)/.test(errnoOf(error) ?? '')) throw error;
    throw damaged('FRAME', 'The compressed content is broken', { offset, reason: errnoOf(error) ?? '' });
  } finally {
    inflater.destroy();
  }
}

/** Rules Z: a window of at most 8 MiB, no dictionary, no skippable frame but ours, nothing behind the last frame. */
async function* zstdFrame(source: SourceBytes): AsyncGenerator<Buffer, void, void> {
  const offset = source.position;
  const refuse = (reason: string): never => {
    throw damaged('FRAME', 'A zstd frame is not allowed', { offset, reason });
  };
  const magic = source.exactly(4).readUInt32LE(0);
  if (magic === containerMagic) {
    const length = source.exactly(4).readUInt32LE(0);
    if (length > source.left) throw damaged('TRUNCATED', 'The file ends too early', { offset });
    source.seek(source.position + length);
    return;
  }
  if (magic !== zstdMagic) return refuse('magic');
  const descriptor = source.exactly(1)[0] as number;
  if ((descriptor & 0x1b) !== 0) return refuse('dictionary or reserved bits');
  const single = (descriptor & 0x20) !== 0;
  if (!single) {
    const window = source.exactly(1)[0] as number;
    const base = 2 ** (10 + (window >> 3));
    if (base + (base / 8) * (window & 7) > maxFrameBytes) return refuse('window');
  }
  const width = [single ? 1 : 0, 2, 4, 8][descriptor >> 6] as number;
  const size = Buffer.alloc(8);
  source.exactly(width).copy(size);
  const declared = Number(size.readBigUInt64LE(0)) + (width === 2 ? 256 : 0);
  if (single && declared > maxFrameBytes) return refuse('window');
  source.seek(offset);
  const headerBytes = 5 + (single ? 0 : 1) + width;
  const params = { [zlib.constants.ZSTD_d_windowLogMax]: 23 };
  yield* inflated(
    zstdPieces(source, headerBytes, (descriptor & 0x04) !== 0),
    zlib.createZstdDecompress({ params }),
    offset,
  );
}

/** The bytes of one frame: its header, its blocks (each says how long it is, and which is the last), its checksum. */
function* zstdPieces(source: SourceBytes, headerBytes: number, checksum: boolean): Generator<Buffer, void, void> {
  yield source.exactly(headerBytes);
  for (let last = false; !last;) {
    const head = source.exactly(3);
    const value = head.readUIntLE(0, 3);
    last = (value & 1) === 1;
    const type = (value >> 1) & 3;
    const size = type === 1 ? 1 : value >> 3;
    if (type === 3 || size > 1 << 17) {
      throw damaged('FRAME', 'A zstd block is not allowed', { offset: source.position - 3 });
    }
    yield Buffer.concat([head, source.exactly(size)]);
  }
  if (checksum) yield source.exactly(4);
}

async function* gzipMember(source: SourceBytes): AsyncGenerator<Buffer, void, void> {
  const offset = source.position;
  skipGzipHeader(source, offset);
  const start = source.position;
  const inflater = zlib.createInflateRaw();
  let crc = 0;
  let size = 0;
  for await (const chunk of inflated(remaining(source), inflater, offset)) {
    crc = zlib.crc32(chunk, crc);
    size += chunk.length;
    yield chunk;
  }
  source.seek(start + inflater.bytesWritten);
  const tail = source.exactly(8);
  if (tail.readUInt32LE(0) !== crc || tail.readUInt32LE(4) !== size % 2 ** 32) {
    throw damaged('FRAME', 'The checksum or size of a gzip member does not match', { offset });
  }
}

function* remaining(source: SourceBytes): Generator<Buffer, void, void> {
  // A copy: the inflater reads it in another thread while the next piece is read into the same buffer.
  for (let part = source.some(1 << 16); part.length > 0; part = source.some(1 << 16)) yield Buffer.from(part);
}

function skipGzipHeader(source: SourceBytes, offset: number): void {
  const refuse = (): never => {
    throw damaged('FRAME', 'A gzip header is not valid', { offset });
  };
  const parts = [source.exactly(10)];
  const [head] = parts as [Buffer];
  const flags = head[3] as number;
  if (head.readUInt16BE(0) !== 0x1f8b || head[2] !== 8 || (flags & 0xe0) !== 0) refuse();
  if ((flags & 4) !== 0) {
    const length = source.exactly(2);
    parts.push(length, source.exactly(length.readUInt16LE(0)));
  }
  for (const flag of [8, 16]) if ((flags & flag) !== 0) parts.push(zeroTerminated(source, refuse));
  if ((flags & 2) !== 0) {
    const sum = zlib.crc32(Buffer.concat(parts)) & 0xffff;
    if (source.exactly(2).readUInt16LE(0) !== sum) refuse();
  }
}

function zeroTerminated(source: SourceBytes, refuse: () => never): Buffer {
  const bytes: Buffer[] = [];
  for (let count = 0; count < maxHeaderText; count++) {
    const byte = source.exactly(1);
    bytes.push(byte);
    if (byte[0] === 0) return Buffer.concat(bytes);
  }
  return refuse();
}
