import { createHash } from 'node:crypto';
import { encodeTable, encodeTrailer, type Segment, type VolumeSummary } from '../archive-table.ts';
import { FrameCompressor, wrapHidden, type Codec } from '../codec.ts';
import type { IndexEntry } from '../entry.ts';
import { encodeIndexBlock } from '../index-block.ts';
import { encodeHeader, paddingOf } from '../tar-header.ts';

export const sha256 = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest();

export function entry(
  path: string,
  fields: Partial<IndexEntry> & { body?: string } = {},
): IndexEntry & { body: string } {
  const body = fields.body ?? '';
  const type = fields.type ?? 'file';
  return {
    path,
    type,
    mode: type === 'directory' ? 0o755 : 0o644,
    uid: process.getuid?.() ?? 0,
    gid: process.getgid?.() ?? 0,
    mtimeSec: 1_700_000_000,
    mtimeNs: 0,
    size: body.length,
    link: '',
    sparse: false,
    body,
    ...(type === 'file' ? { sha256: sha256(Buffer.from(body, 'latin1')) } : {}),
    ...fields,
  };
}

export function tarOf(entries: readonly (IndexEntry & { body: string })[]): Buffer {
  return Buffer.concat(
    entries.flatMap((e) => [encodeHeader(e), Buffer.from(e.body, 'latin1'), Buffer.alloc(paddingOf(e.body.length))]),
  );
}

export interface SealedSegment {
  volume: number | null;
  entries: (IndexEntry & { body: string })[];
  /** Instead of what the entries give. */
  tar?: Buffer;
  /** Instead of the entries. */
  index?: IndexEntry[];
}

/** An archive with a valid table, hashes and HMAC over any content: what a writer with a bug, or with the key, could make. */
export function sealArchive(key: Buffer, parts: SealedSegment[], codec: Codec = 'zstd'): Buffer {
  const manifest = { volume: null, entries: [entry('manifest.json', { body: '{}' })] };
  const end = { volume: null, entries: [], tar: Buffer.alloc(1024) };
  const out: Buffer[] = [];
  const segments: Segment[] = [];
  const compressor = new FrameCompressor({ codec });
  for (const part of [manifest, ...parts, end] as SealedSegment[]) {
    const raw = part.tar ?? tarOf(part.entries);
    const packed = Buffer.from(compressor.compress(raw));
    const listed = part.index ?? part.entries;
    const index = encodeIndexBlock(listed, codec);
    out.push(packed, index);
    segments.push({
      volume: part.volume,
      entries: listed.length,
      contentBytes: listed.reduce((sum, e) => sum + e.size, 0),
      frames: [{ packedBytes: packed.length, rawBytes: raw.length, sha256: sha256(packed) }],
      indexBytes: index.length,
      indexSha256: sha256(index),
    });
  }
  compressor.close();
  const volumes: VolumeSummary[] = [...new Set(parts.map((part) => part.volume as number))].map((index) => {
    const own = segments.filter((segment) => segment.volume === index);
    const sum = (field: 'entries' | 'contentBytes'): number => own.reduce((total, s) => total + s[field], 0);
    return { index, absent: false, links: 2, entries: sum('entries'), contentBytes: sum('contentBytes') };
  });
  const table = encodeTable({ codec, segments, volumes, notes: [] });
  const offset = out.reduce((sum, part) => sum + part.length, 0);
  return Buffer.concat([...out, wrapHidden(table, codec), encodeTrailer(offset, table, codec, key)]);
}
