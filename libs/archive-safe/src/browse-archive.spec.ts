import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { createHash, randomBytes } from 'node:crypto';
import { closeSync, copyFileSync, openSync, readFileSync, statSync, writeFileSync, writeSync } from 'node:fs';
import path from 'node:path';
import { Readable } from 'node:stream';
import { browseArchive, createArchive, readEntries, type BrowsedArchive, type Codec } from './index.ts';
import { entry, sealArchive } from './testing/seal-archive.ts';
import { emptyDir, openDescriptors, scratch, shell } from './testing/trees.ts';

jest.setTimeout(120_000);

const key = randomBytes(32);
const { dir: base, done } = scratch();
const tree = emptyDir(base, 'tree');
const large = randomBytes((7 << 20) + 1234);
const at = (name: string, volume = 0): { volume: number; path: Buffer } => ({
  volume,
  path: Buffer.from(name, 'latin1'),
});

beforeAll(() => {
  writeFileSync(path.join(tree, 'large'), large);
  // Folders whose content spans many segments, beside siblings that sort between them byte by byte.
  shell(
    tree,
    `mkdir -p wide/deep/er empty "a!b" a/b; echo one > a/b/f; echo two > "a!b/f"; : > nothing
     for i in $(seq 1 9000); do : > wide/deep/$i; done
     for i in $(seq 1 400); do mkdir wide/d$i; echo $i > wide/d$i/x; done
     printf late > wide/zz; ln a/b/f hard; ln -s a/b sym; printf 'x' > "$(printf 'n\\377')"`,
  );
});
afterAll(done);

async function collect(bytes: AsyncIterable<Buffer>): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of bytes) parts.push(part);
  return Buffer.concat(parts);
}

describe.each<Codec>(['zstd', 'gzip'])('%s', (codec) => {
  const file = path.join(base, `archive.${codec}`);
  let archive: BrowsedArchive;
  let before: string[];

  beforeAll(async () => {
    const volumes = [
      { index: 0, root: tree, links: 2 as const },
      { index: 1, root: null, links: 2 as const },
      { index: 2, root: path.join(tree, 'a'), links: 2 as const },
    ];
    await createArchive({ file, volumes, manifest: { n: 1 }, codec, key });
    before = openDescriptors();
    archive = await browseArchive(file, { key, threads: codec === 'zstd' ? 1 : 0 });
  });
  afterAll(async () => {
    await archive.close();
    await archive.close();
    expect(openDescriptors()).toEqual(before);
    await expect(archive.find(at(''))).rejects.toMatchObject({ code: 'CANCELLED' });
  });

  test('what the file says of itself', () => {
    expect(archive.index).toMatchObject({ codec, manifest: { n: 1 }, bytes: statSync(file).size });
    expect(archive.index.volumes.map(({ index, absent }) => [index, absent])).toEqual([
      [0, false],
      [1, true],
      [2, false],
    ]);
  });

  test('every folder lists what the whole index has in it, whatever the size of a page', async () => {
    const children = new Map<string, string[]>();
    for await (const { path: entryPath, type } of readEntries(file, { key, volume: 0 })) {
      const name = entryPath.toString('latin1');
      if (type === 'directory') children.set(name, []);
      if (name === '') continue;
      const parent = name.includes('/') ? name.slice(0, name.lastIndexOf('/')) : '';
      children.get(parent)?.push(name);
    }
    expect(children.size).toBeGreaterThan(400);
    for (const [folder, expected] of children) {
      const limit = folder === '' ? 2 : folder === 'wide' ? 7 : 1000;
      const found: string[] = [];
      for (let after: Buffer | undefined; ;) {
        const page = await archive.list(at(folder), after === undefined ? { limit } : { after, limit });
        expect(page?.folder.path.toString('latin1')).toBe(folder);
        expect(page?.entries.length).toBeLessThanOrEqual(limit);
        found.push(...(page?.entries ?? []).map((found) => found.path.toString('latin1')));
        if (page?.next === null || page === null) break;
        after = page.next;
      }
      expect(found).toEqual(expected);
    }
  });

  test('after a name that is not there, the listing goes on behind it', async () => {
    const page = await archive.list(at('wide'), { after: Buffer.from('d39999'), limit: 2 });
    expect(page?.entries.map((found) => found.shownPath)).toEqual(['wide/d4', 'wide/d40']);
    expect(await archive.list(at('wide'), { after: Buffer.from('zz') })).toMatchObject({ entries: [], next: null });
  });

  test.each(['not', 'a/b/f/g', 'a/', '/a', 'a//b', '..', 'hard/x', 'n'])('nothing lies at %j', async (name) => {
    expect(await archive.find(at(name))).toBeNull();
    expect(await archive.list(at(name))).toBeNull();
    expect(await archive.content(at(name))).toBeNull();
  });

  test('other volumes; a volume that is absent, one that never was', async () => {
    expect((await archive.list(at('', 2)))?.entries.map((found) => found.shownPath)).toEqual(['b']);
    for (const volume of [1, 3]) expect(await archive.list(at('', volume))).toBeNull();
  });

  test('entries carry what the index has', async () => {
    expect(await archive.find(at('n\xff'))).toMatchObject({ type: 'file', size: 1, shownPath: 'n\\xff' });
    expect(await archive.find(at('sym'))).toMatchObject({ type: 'symlink', link: Buffer.from('a/b'), sha256: null });
    expect(await archive.find(at('hard'))).toMatchObject({ type: 'hardlink', link: Buffer.from('a/b/f') });
    const mtime = statSync(path.join(tree, 'wide/zz'), { bigint: true }).mtimeNs;
    expect(await archive.find(at('wide/zz'))).toMatchObject({
      mtime: `${mtime / 1_000_000_000n}.${String(mtime % 1_000_000_000n).padStart(9, '0')}`,
      sha256: createHash('sha256').update('late').digest('hex'),
    });
  });

  test('content of small, empty and large files, and through a hardlink', async () => {
    for (const [name, expected] of [
      ['wide/zz', Buffer.from('late')],
      ['nothing', Buffer.alloc(0)],
      ['large', large],
      ['hard', Buffer.from('one\n')],
      ['a!b/f', Buffer.from('two\n')],
    ] as const) {
      const content = await archive.content(at(name));
      const sha256 = createHash('sha256').update(expected).digest('hex');
      expect(content).toMatchObject({ size: expected.length, sha256 });
      const bytes = await collect(Readable.from(content?.bytes ?? [], { objectMode: false }));
      expect(bytes.equals(expected)).toBe(true);
    }
    for (const name of ['sym', 'a', '']) expect(await archive.content(at(name))).toBeNull();
  });

  test.each([
    [0, 0],
    [0, 1],
    [(2 << 20) - 512, (2 << 20) + 1],
    [(4 << 20) - 513, (4 << 20) - 511],
    [3 << 20, 6 << 20],
    [large.length - 1, large.length],
    [large.length, large.length],
  ])('bytes %d to %d of a large file', async (start, end) => {
    const content = await archive.content(at('large'), { start, end });
    expect((await collect(content!.bytes)).equals(large.subarray(start, end))).toBe(true);
  });

  test.each([
    [-1, 5],
    [5, 4],
    [0, large.length + 1],
    [0.5, 1],
    [Number.NaN, 1],
  ])('the range %d to %d is refused', async (start, end) => {
    await expect(archive.content(at('large'), { start, end })).rejects.toThrow(RangeError);
  });

  test('an aborted content ends with CANCELLED, the archive stays usable', async () => {
    const stop = new AbortController();
    const content = await archive.content(at('large'), { signal: stop.signal });
    await content!.bytes.next();
    stop.abort();
    await expect(content!.bytes.next()).rejects.toMatchObject({ code: 'CANCELLED' });
    expect(await archive.find(at('large'))).not.toBeNull();
  });

  test('a byte changed in the frame of a range is found, ranges beside it stay readable', async () => {
    const bad = path.join(base, `bad.${codec}`);
    copyFileSync(file, bad);
    // The content does not compress: the middle of the file lies in the middle of its frames.
    const packed = readFileSync(file);
    const marker = large.subarray(5 << 20, (5 << 20) + 16);
    const where = packed.indexOf(marker);
    expect(where).toBeGreaterThan(0);
    const fd = openSync(bad, 'r+');
    writeSync(fd, Buffer.of((marker[0] as number) ^ 1), 0, 1, where);
    closeSync(fd);
    await using damagedArchive = await browseArchive(bad, { key, threads: 0 });
    const range = await damagedArchive.content(at('large'), { start: (5 << 20) + 100, end: (5 << 20) + 101 });
    await expect(collect(range!.bytes)).rejects.toMatchObject({ code: 'ARCHIVE_DAMAGED', params: { rule: 'FRAME' } });
    const good = await damagedArchive.content(at('large'), { start: 0, end: 1000 });
    expect((await collect(good!.bytes)).equals(large.subarray(0, 1000))).toBe(true);
  });
});

describe('an index that lies although its HMAC is right', () => {
  const file = path.join(base, 'lying');
  const root = entry('0', { type: 'directory' });

  async function read(parts: Parameters<typeof sealArchive>[1], name: string): Promise<unknown> {
    writeFileSync(file, sealArchive(key, parts));
    await using archive = await browseArchive(file, { key, threads: 0 });
    const content = await archive.content(at(name));
    return await collect(content!.bytes);
  }

  test('another header', async () => {
    const good = entry('0/a', { body: 'text' });
    const parts = [{ volume: 0, entries: [root, { ...good, mode: 0o600 }], index: [root, good] }];
    await expect(read(parts, 'a')).rejects.toMatchObject({ code: 'ARCHIVE_DAMAGED', params: { rule: 'MANIFEST' } });
  });

  test('another hash', async () => {
    const good = entry('0/a', { body: 'text' });
    const parts = [{ volume: 0, entries: [root, good], index: [root, { ...good, sha256: randomBytes(32) }] }];
    await expect(read(parts, 'a')).rejects.toMatchObject({ code: 'ARCHIVE_DAMAGED', params: { rule: 'CONTENT' } });
  });

  test('a size beyond the frames', async () => {
    const good = entry('0/a', { body: 'text' });
    const parts = [{ volume: 0, entries: [root, good], index: [root, { ...good, size: 9000 }] }];
    await expect(read(parts, 'a')).rejects.toMatchObject({ code: 'ARCHIVE_DAMAGED' });
  });
});

test('another key, no archive, no file', async () => {
  const file = path.join(base, 'archive.zstd');
  await expect(browseArchive(file, { key: randomBytes(32) })).rejects.toMatchObject({ code: 'ARCHIVE_TAMPERED' });
  await expect(browseArchive(path.join(tree, 'large'), { key })).rejects.toMatchObject({ code: 'ARCHIVE_DAMAGED' });
  await expect(browseArchive(`${file}-not`, { key })).rejects.toMatchObject({ code: 'IO_ERROR' });
});
