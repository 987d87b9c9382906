import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import {
  appendFileSync,
  closeSync,
  copyFileSync,
  openSync,
  readdirSync,
  readFileSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import path from 'node:path';
import { ArchiveReader, readTable } from './archive-reader.ts';
import { checkIndex } from './prepare-task.ts';
import type { Refusal } from './refusal.ts';
import { createArchive, extractVolumes, readIndex, verifyArchive, type Codec } from './index.ts';
import { emptyDir, openDescriptors, scratch, shell } from './testing/trees.ts';

jest.setTimeout(120_000);

const key = randomBytes(32);
const { dir: base, done } = scratch();
const tree = emptyDir(base, 'tree');

beforeAll(() => {
  writeFileSync(path.join(tree, 'large'), randomBytes((2 << 20) + 500));
  shell(tree, 'mkdir d; echo text > d/f; ln -s f d/l');
});
afterAll(done);

/** What `verifyArchive` does, without its threads. */
function refusalOf(file: string): string | undefined {
  const fd = openSync(file, 'r');
  try {
    const reader = new ArchiveReader(fd, readTable(fd, key));
    const unlimited = { maxBytes: Number.MAX_SAFE_INTEGER, maxEntries: Number.MAX_SAFE_INTEGER };
    checkIndex(reader, new Set(), unlimited);
    for (const i of reader.table.segments.keys()) for (const { frame } of reader.packed(i)) void frame;
    return undefined;
  } catch (error) {
    return (error as Refusal).code;
  } finally {
    closeSync(fd);
  }
}

describe.each<Codec>(['zstd', 'gzip'])('%s', (codec) => {
  const file = path.join(base, `good.${codec}`);
  const bad = path.join(base, `bad.${codec}`);
  let bytes: Buffer;
  let sha256: string;

  beforeAll(async () => {
    const volumes = [{ index: 0, root: tree, links: 2 as const }];
    ({ sha256 } = await createArchive({ file, volumes, manifest: { a: 1 }, codec, key, threads: 0 }));
    bytes = readFileSync(file);
  });

  const verify = (options = {}): Promise<unknown> => verifyArchive(bad, { key, threads: 0, ...options });

  test('truncated anywhere: ARCHIVE_DAMAGED', async () => {
    const edges = [0, 1, 3, 4, 100, 511, bytes.length >> 1, bytes.length - 200, bytes.length - 8, bytes.length - 1];
    const many = Array.from({ length: 200 }, (_, i) => Math.floor(bytes.length * 0.97 ** i) - 1);
    copyFileSync(file, bad);
    for (const cut of [...edges, ...many].sort((a, b) => b - a)) {
      truncateSync(bad, cut);
      expect([cut, refusalOf(bad)]).toEqual([cut, 'ARCHIVE_DAMAGED']);
    }
    await expect(verify()).rejects.toMatchObject({ code: 'ARCHIVE_DAMAGED', kind: 'damaged' });
  });

  test('longer by a byte, a zero block or a second archive: ARCHIVE_DAMAGED', async () => {
    for (const more of [Buffer.from('x'), Buffer.alloc(512), bytes]) {
      copyFileSync(file, bad);
      appendFileSync(bad, more);
      await expect(verify()).rejects.toMatchObject({ code: 'ARCHIVE_DAMAGED' });
    }
  });

  test('one changed bit anywhere: ARCHIVE_DAMAGED, and nothing but the target is written', async () => {
    copyFileSync(file, bad);
    const fd = openSync(bad, 'r+');
    for (let i = 0; i < 400; i++) {
      // Dense at both ends, where the headers, the table and the trailer are.
      const at =
        i < 100 ? i : i < 300 ? bytes.length - 1 - (i - 100) * 3 : Math.floor((bytes.length * (i - 300)) / 100);
      writeSync(fd, Buffer.of((bytes[at] as number) ^ (1 << (at % 8))), 0, 1, at);
      expect([at, refusalOf(bad)]).toEqual([at, 'ARCHIVE_DAMAGED']);
      writeSync(fd, bytes, at, 1, at);
    }
    closeSync(fd);
    const copy = Buffer.from(bytes);
    copy[bytes.length >> 1]! ^= 1;
    writeFileSync(bad, copy);
    const dir = emptyDir(base, `flip-${codec}`, 'target');
    const before = openDescriptors();
    await expect(extractVolumes({ file: bad, key, targets: [{ index: 0, dir }] })).rejects.toMatchObject({
      code: 'ARCHIVE_DAMAGED',
    });
    expect(openDescriptors()).toEqual(before);
    expect(readdirSync(path.dirname(dir))).toEqual(['target']);
  });

  test('another key over an intact archive: ARCHIVE_TAMPERED', async () => {
    copyFileSync(file, bad);
    await expect(verify({ key: randomBytes(32) })).rejects.toMatchObject({
      code: 'ARCHIVE_TAMPERED',
      kind: 'tampered',
      params: { otherKey: true },
    });
    await expect(readIndex(bad, { key: randomBytes(32) })).rejects.toMatchObject({ code: 'ARCHIVE_TAMPERED' });
  });

  test('another whole archive of the same key in its place: found by the recorded hash', async () => {
    await createArchive({
      file: bad,
      volumes: [{ index: 0, root: tree, links: 2 }],
      manifest: { a: 2 },
      codec,
      key,
      threads: 0,
    });
    await expect(verify()).resolves.toBeDefined();
    await expect(verify({ expectedSha256: sha256 })).rejects.toMatchObject({
      code: 'ARCHIVE_DAMAGED',
      params: { rule: 'SHA256' },
    });
  });
});

test('not an archive: ARCHIVE_DAMAGED; no file: IO_ERROR', async () => {
  const file = path.join(base, 'text');
  writeFileSync(file, 'just text, and not a short one: '.repeat(100));
  await expect(verifyArchive(file, { key })).rejects.toMatchObject({
    code: 'ARCHIVE_DAMAGED',
    params: { rule: 'MAGIC' },
  });
  await expect(verifyArchive(`${file}-not`, { key })).rejects.toMatchObject({
    code: 'IO_ERROR',
    params: { errno: 'ENOENT' },
  });
  await expect(verifyArchive(base, { key })).rejects.toMatchObject({ code: 'ARCHIVE_DAMAGED' });
});
