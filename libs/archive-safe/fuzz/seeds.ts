import zlib from 'node:zlib';
import { encodeTable, encodeTrailer } from '../src/archive-table.ts';
import { wrapHidden } from '../src/codec.ts';
import { encodeIndexBlock } from '../src/index-block.ts';
import { entry, tarOf } from '../src/testing/seal-archive.ts';
import { randomTar } from '../src/testing/tar-grammar.ts';
import { streamVectors, takenVectors, treeVectors } from '../src/testing/vectors.ts';

const maxBytes = 8 << 10;

/** Where a run begins besides its corpus: the test vectors, and what our writer makes. */
export function seedsOf(target: string): Buffer[] {
  return make(target).filter((input) => input.length <= maxBytes);
}

function make(target: string): Buffer[] {
  const vectors = [...streamVectors, ...treeVectors, ...takenVectors].map(([, parts]) => Buffer.concat([parts].flat()));
  const entries = [
    entry('0', { type: 'directory' }),
    entry('0/a', { body: 'text' }),
    entry(`0/${'n'.repeat(120)}`, { mtimeNs: 5, uid: 3_000_000 }),
    entry('0/l', { type: 'symlink', link: 't'.repeat(120) }),
    entry('0/m', { type: 'hardlink', link: '0/a' }),
  ];
  const good = Buffer.concat([tarOf(entries), Buffer.alloc(1024)]);
  switch (target) {
    case 'own':
      return [good, ...vectors];
    case 'foreign':
      return [good, ...vectors, ...Array.from({ length: 100 }, (_, i) => randomTar(i))];
    case 'stream':
      return [
        ...[good, Buffer.alloc(0), Buffer.from('x')].flatMap((bytes) => [
          zlib.gzipSync(bytes),
          zlib.zstdCompressSync(bytes),
        ]),
        Buffer.concat([
          zlib.zstdCompressSync(good),
          wrapHidden(Buffer.from('hidden'), 'zstd'),
          zlib.zstdCompressSync(good),
        ]),
        Buffer.concat([zlib.gzipSync(good), wrapHidden(Buffer.from('hidden'), 'gzip'), zlib.gzipSync(good)]),
        zlib.zstdCompressSync(good, { params: { [zlib.constants.ZSTD_c_checksumFlag]: 1 } }),
      ];
    default: {
      const frame = { packedBytes: 100, rawBytes: 1024, sha256: Buffer.alloc(32, 1) };
      const segment = {
        volume: 0,
        entries: 5,
        contentBytes: 4,
        frames: [frame],
        indexBytes: 90,
        indexSha256: Buffer.alloc(32, 2),
      };
      const volume = { index: 0, absent: false, links: 2, entries: 5, contentBytes: 4 };
      const table = encodeTable({
        codec: 'zstd',
        segments: [{ ...segment, volume: null }, segment],
        volumes: [volume],
        notes: [{ code: 'SOCKET_SKIPPED', params: { path: '0/s' } }],
      });
      return [
        table,
        ...(['zstd', 'gzip'] as const).flatMap((codec) => [
          encodeIndexBlock(entries, codec),
          encodeTrailer(1000, table, codec, Buffer.alloc(32)),
          wrapHidden(table, codec),
        ]),
      ];
    }
  }
}
