import { afterAll, describe, expect, jest, test } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, openSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import zlib from 'node:zlib';
import { wrapHidden } from './codec.ts';
import { importedStream } from './imported-stream.ts';
import type { Refusal } from './refusal.ts';
import { SourceBytes } from './source-bytes.ts';
import { scratch } from './testing/trees.ts';

jest.setTimeout(120_000);

const { dir: base, done } = scratch();
afterAll(done);
const file = path.join(base, 'packed');

async function read(bytes: Buffer, limit = Infinity): Promise<{ out: Buffer; rule?: unknown }> {
  writeFileSync(file, bytes);
  const fd = openSync(file, 'r');
  const parts: Buffer[] = [];
  let size = 0;
  try {
    for await (const part of importedStream(new SourceBytes(fd, bytes.length))) {
      parts.push(Buffer.from(part));
      size += part.length;
      if (size > limit) break;
    }
    return { out: Buffer.concat(parts) };
  } catch (error) {
    return { out: Buffer.concat(parts), rule: (error as Refusal).details?.['rule'] ?? error };
  } finally {
    closeSync(fd);
  }
}

const { ZSTD_c_checksumFlag, ZSTD_c_windowLog, ZSTD_c_compressionLevel } = zlib.constants;
const zstd = (bytes: Buffer, params = {}): Buffer =>
  zlib.zstdCompressSync(bytes, { params: { [ZSTD_c_checksumFlag]: 1, ...params } });
const text = Buffer.from('the same words again and again; '.repeat(20_000));
const noise = randomBytes(3_000_000);
const mixed = Buffer.concat([text, noise, Buffer.alloc(1 << 20)]);

describe('what the tools make is read', () => {
  test.each<[string, (bytes: Buffer) => Buffer]>([
    ['plain', (bytes) => Buffer.concat([Buffer.from('tar!'), bytes]).subarray(4)],
    ['zstd', zstd],
    [
      'zstd, as one stream of unknown size',
      (b) => execFileSync('zstd', ['-c', '-T0'], { input: b, maxBuffer: 1 << 26 }),
    ],
    ['zstd -19', (b) => execFileSync('zstd', ['-c', '-19'], { input: b, maxBuffer: 1 << 26 })],
    [
      'zstd frames',
      (b) => Buffer.concat([zstd(b.subarray(0, 1000)), zstd(b.subarray(1000, 2_000_000)), zstd(b.subarray(2_000_000))]),
    ],
    [
      'zstd frames and hidden ones of ours',
      (b) => Buffer.concat([wrapHidden(text, 'zstd'), zstd(b), wrapHidden(noise, 'zstd')]),
    ],
    ['gzip', (b) => zlib.gzipSync(b)],
    [
      'gzip of the gzip program, with name',
      (b) => {
        writeFileSync(path.join(base, 'named'), b);
        return execFileSync('gzip', ['-c', path.join(base, 'named')], { maxBuffer: 1 << 26 });
      },
    ],
    [
      'gzip members and hidden ones of ours',
      (b) =>
        Buffer.concat([
          zlib.gzipSync(b.subarray(0, 65536)),
          wrapHidden(noise.subarray(0, 200_000), 'gzip'),
          zlib.gzipSync(b.subarray(65536)),
        ]),
    ],
  ])('%s', async (_name, pack) => {
    for (const bytes of [Buffer.from('x'), text, mixed]) {
      const { out, rule } = await read(pack(bytes));
      expect(rule).toBeUndefined();
      expect(out.equals(bytes)).toBe(true);
    }
  });
});

describe('Z3 and Z: what is refused', () => {
  const gz = zlib.gzipSync(text);
  const z = zstd(text);
  const with1 = (bytes: Buffer, at: number, byte: number): Buffer => {
    const copy = Buffer.from(bytes);
    copy[at < 0 ? copy.length + at : at] = byte;
    return copy;
  };
  const skippable = Buffer.concat([Buffer.from([0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0]), Buffer.from('abc')]);

  test.each<[string, Buffer, string]>([
    ['gzip: trailing zeros', Buffer.concat([gz, Buffer.alloc(20)]), 'FRAME'],
    ['gzip: one trailing zero', Buffer.concat([gz, Buffer.alloc(1)]), 'TRUNCATED'],
    ['gzip: trailing 1f', Buffer.concat([gz, Buffer.of(0x1f)]), 'TRUNCATED'],
    ['gzip: trailing text', Buffer.concat([gz, Buffer.from('and more, much more')]), 'FRAME'],
    ['gzip: wrong crc', with1(gz, -5, 1), 'FRAME'],
    ['gzip: wrong size', with1(gz, -1, 1), 'FRAME'],
    ['gzip: reserved flag', with1(gz, 3, 0x20), 'FRAME'],
    ['gzip: header checksum', with1(gz, 3, 2), 'FRAME'],
    ['gzip: broken inside', with1(gz, 40, 0xff), 'FRAME'],
    ['gzip: cut in the content', gz.subarray(0, 100), 'FRAME'],
    ['gzip: cut in the checksum', gz.subarray(0, -3), 'TRUNCATED'],
    ['gzip: only a header', gz.subarray(0, 10), 'FRAME'],
    ['zstd: trailing garbage', Buffer.concat([z, Buffer.from('garbage')]), 'FRAME'],
    ['zstd: trailing zeros', Buffer.concat([z, Buffer.alloc(4)]), 'FRAME'],
    ['zstd: trailing byte', Buffer.concat([z, Buffer.alloc(1)]), 'TRUNCATED'],
    ['zstd: skippable frame of a stranger', Buffer.concat([z, skippable]), 'FRAME'],
    ['zstd: hidden frame of ours, cut', Buffer.concat([z, wrapHidden(noise, 'zstd').subarray(0, 999)]), 'TRUNCATED'],
    ['zstd: wrong checksum', with1(z, -1, 1), 'FRAME'],
    ['zstd: cut', z.subarray(0, -6), 'TRUNCATED'],
    [
      'zstd: window of 16 MiB',
      execFileSync('zstd', ['-c', '--zstd=windowLog=24'], {
        input: Buffer.concat(Array<Buffer>(9).fill(noise)),
        maxBuffer: 1 << 26,
      }),
      'FRAME',
    ],
    [
      'zstd: one segment of 9 MB',
      zstd(Buffer.concat([noise, noise, noise]), { [ZSTD_c_windowLog]: 27, [ZSTD_c_compressionLevel]: 1 }),
      'FRAME',
    ],
    ['zstd: dictionary id', with1(z, 4, (z[4] as number) | 1), 'FRAME'],
    ['zstd: reserved bit', with1(z, 4, (z[4] as number) | 8), 'FRAME'],
  ])('%s', async (_name, bytes, rule) => {
    expect((await read(bytes)).rule).toBe(rule);
  });
});

test('B1 a bomb is inflated only as far as it is asked for', async () => {
  const bomb = zlib.gzipSync(Buffer.alloc(256 << 20), { level: 9 });
  const before = process.memoryUsage().arrayBuffers;
  const { out } = await read(bomb, 1 << 20);
  expect(out.length).toBeLessThan((1 << 20) + (1 << 18));
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(64 << 20);
});
