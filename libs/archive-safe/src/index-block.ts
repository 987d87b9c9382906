import zlib from 'node:zlib';
import { unwrapHidden, wrapHidden, type Codec } from './codec.ts';
import { maxLinkBytes, maxPathBytes, noId, pathFault, type EntryType, type IndexEntry } from './entry.ts';
import { damaged } from './refusal.ts';
import { ByteReader, ByteWriter } from './varint.ts';
import { ZstdContext } from './zstd-context.ts';

const tag = Buffer.from('TFI1');
const types: readonly EntryType[] = ['file', 'directory', 'symlink', 'hardlink'];
const maxBlockBytes = 32 << 20;
const sparseFlag = 1;
const noHash = Buffer.alloc(32);

/** The hidden container with the index of one segment. */
export function encodeIndexBlock(entries: readonly IndexEntry[], codec: Codec): Buffer {
  const out = new ByteWriter();
  out.number(entries.length);
  for (const entry of entries) encodeEntry(out, entry);
  const plain = out.finish();
  const head = Buffer.alloc(4);
  head.writeUInt32LE(plain.length);
  return wrapHidden(Buffer.concat([tag, head, compress(plain)]), codec);
}

let packer: ZstdContext | undefined;

/** Valid until the next call. */
function compress(plain: Buffer): Buffer {
  if (ZstdContext.works) packer ??= new ZstdContext(zlib.createZstdCompress(), 0);
  const packed = packer?.run(plain, plain.length + (plain.length >> 7) + 1024);
  return packed ?? zlib.zstdCompressSync(plain, { pledgedSrcSize: plain.length });
}

let inflater: ZstdContext | undefined;

/** A buffer of its own; undefined where it cannot be inflated to `size`. */
function inflate(packed: Buffer, size: number): Buffer | undefined {
  if (ZstdContext.works) {
    inflater ??= new ZstdContext(zlib.createZstdDecompress(), 0);
    const plain = inflater.run(packed, size + 1);
    if (plain?.length === size) return Buffer.from(plain);
    // It stands in the middle of a frame, or has refused: it is spent.
    inflater = undefined;
    return undefined;
  }
  try {
    return zlib.zstdDecompressSync(packed, { maxOutputLength: size + 1, chunkSize: Math.max(64, size + 1) });
  } catch {
    return undefined;
  }
}

export function encodeEntry(out: ByteWriter, entry: IndexEntry): void {
  out.number(types.indexOf(entry.type));
  out.number(entry.sparse ? sparseFlag : 0);
  out.text(entry.path);
  out.number(entry.mode);
  out.number(entry.uid);
  out.number(entry.gid);
  out.number(entry.mtimeSec);
  out.number(entry.mtimeNs);
  if (entry.type === 'file') {
    out.number(entry.size);
    out.raw(entry.sha256 ?? noHash);
  } else if (entry.type !== 'directory') {
    out.text(entry.link);
  }
}

/**
 * Decodes a container whose hash was already compared with the table. Hashes of entries are views into what was inflated: they
 * are copied before they go to another thread.
 */
export function decodeIndexBlock(container: Buffer, codec: Codec): IndexEntry[] {
  const payload = unwrapHidden(container, codec);
  if (payload.length < 8 || !payload.subarray(0, 4).equals(tag)) throw damaged('INDEX', 'An index block has no tag');
  const size = payload.readUInt32LE(4);
  if (size > maxBlockBytes) throw damaged('INDEX', 'An index block is too large');
  const plain = inflate(payload.subarray(8), size);
  if (plain === undefined) throw damaged('INDEX', 'An index block cannot be inflated');
  if (plain.length !== size) throw damaged('INDEX', 'An index block has a wrong size');
  const reader = new ByteReader(plain);
  const count = reader.number();
  const entries: IndexEntry[] = [];
  for (let i = 0; i < count; i++) entries.push(decodeEntry(reader));
  if (!reader.ended) throw damaged('INDEX', 'An index block has bytes after its last entry');
  return entries;
}

export function decodeEntry(reader: ByteReader): IndexEntry {
  const type = types[reader.number()];
  const flags = reader.number();
  if (type === undefined || flags > sparseFlag) throw damaged('INDEX', 'An index entry has an unknown type or flag');
  const entry: IndexEntry = {
    type,
    sparse: flags === sparseFlag,
    path: reader.text(maxPathBytes),
    mode: reader.number(),
    uid: reader.number(),
    gid: reader.number(),
    mtimeSec: reader.number(),
    mtimeNs: reader.number(),
    size: 0,
    link: '',
  };
  if (type === 'file') {
    entry.size = reader.number();
    entry.sha256 = reader.raw(32);
  } else if (type !== 'directory') {
    entry.link = reader.text(maxLinkBytes);
  }
  const valid =
    pathFault(entry.path) === undefined &&
    entry.mode <= 0o7777 &&
    entry.uid < noId &&
    entry.gid < noId &&
    entry.mtimeNs < 1e9 &&
    (type === 'file' || type === 'directory' || (entry.link !== '' && !entry.link.includes('\0')));
  if (!valid) throw damaged('INDEX', 'An index entry has a value that is not allowed');
  return entry;
}
