import zlib from 'node:zlib';
import { byteString, bytesOf } from './byte-string.ts';
import { unwrapHidden, wrapHidden, type Codec } from './codec.ts';
import { maxLinkBytes, maxPathBytes, noId, pathFault, type EntryType, type IndexEntry } from './entry.ts';
import { damaged } from './refusal.ts';
import { ByteReader, ByteWriter } from './varint.ts';

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
  return wrapHidden(Buffer.concat([tag, head, zlib.zstdCompressSync(plain, { pledgedSrcSize: plain.length })]), codec);
}

export function encodeEntry(out: ByteWriter, entry: IndexEntry): void {
  out.number(types.indexOf(entry.type));
  out.number(entry.sparse ? sparseFlag : 0);
  out.bytes(bytesOf(entry.path));
  out.number(entry.mode);
  out.number(entry.uid);
  out.number(entry.gid);
  out.number(entry.mtimeSec);
  out.number(entry.mtimeNs);
  if (entry.type === 'file') {
    out.number(entry.size);
    out.raw(entry.sha256 ?? noHash);
  } else if (entry.type !== 'directory') {
    out.bytes(bytesOf(entry.link));
  }
}

/** Decodes a container whose hash was already compared with the authenticated table. */
export function decodeIndexBlock(container: Buffer, codec: Codec): IndexEntry[] {
  const payload = unwrapHidden(container, codec);
  if (payload.length < 8 || !payload.subarray(0, 4).equals(tag)) throw damaged('INDEX', 'An index block has no tag');
  const size = payload.readUInt32LE(4);
  if (size > maxBlockBytes) throw damaged('INDEX', 'An index block is too large');
  let plain: Buffer;
  try {
    plain = zlib.zstdDecompressSync(payload.subarray(8), {
      maxOutputLength: size + 1,
      chunkSize: Math.max(64, size + 1),
    });
  } catch {
    throw damaged('INDEX', 'An index block cannot be inflated');
  }
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
    path: byteString(reader.bytes(maxPathBytes)),
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
    entry.sha256 = Buffer.from(reader.raw(32));
  } else if (type !== 'directory') {
    entry.link = byteString(reader.bytes(maxLinkBytes));
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
