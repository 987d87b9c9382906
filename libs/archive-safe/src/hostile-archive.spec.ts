import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { lstatSync, mkdtempSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { extractVolumes, removeTree, verifyArchive } from './index.ts';
import { entry, sealArchive, tarOf, type SealedSegment } from './testing/seal-archive.ts';
import { emptyDir, listTree, openDescriptors, scratch, shell } from './testing/trees.ts';

jest.setTimeout(120_000);

const key = randomBytes(32);
const { dir: base, done } = scratch();
const victim = emptyDir(base, 'victim');
const file = path.join(base, 'hostile');
const root = entry('0', { type: 'directory' });
let canary: unknown;

beforeAll(() => {
  shell(victim, 'echo secret > hello; mkdir d; chmod 751 d hello; touch -d @1500000000 hello d .');
  canary = { tree: listTree(victim), links: lstatSync(path.join(victim, 'hello')).nlink };
});
afterAll(done);

const dirEntry = (name: string): ReturnType<typeof entry> => entry(name, { type: 'directory' });
const symlink = (name: string, link: string): ReturnType<typeof entry> => entry(name, { type: 'symlink', link });
const hardlink = (name: string, link: string): ReturnType<typeof entry> => entry(name, { type: 'hardlink', link });
const volume = (...entries: ReturnType<typeof entry>[]): SealedSegment[] => [
  { volume: 0, entries: [root, ...entries] },
];
const good = entry('0/a', { body: 'good' });

/** An index that lies although its HMAC is right: refused before the first byte is written. */
const refusedBefore: [string, SealedSegment[], string][] = [
  ['L1 symlink, then a file through it', volume(symlink('0/l', victim), entry('0/l/f', { body: 'x' })), 'PARENT'],
  ['L2 a directory again as symlink', volume(dirEntry('0/d'), symlink('0/d', victim)), 'ORDER'],
  [
    'L3 two hops (CVE-2026-26960, go-archive)',
    volume(dirEntry('0/i'), symlink('0/i/up', '..'), symlink('0/i/up/x', '../v')),
    'PARENT',
  ],
  ['L5 hardlink, then a file of its name', volume(good, hardlink('0/b', '0/a'), entry('0/b', { body: 'x' })), 'ORDER'],
  ['L6 symlink and directory of one name', volume(symlink('0/foo', victim), dirEntry('0/foo')), 'ORDER'],
  ['L4 hardlink into another volume', volume(hardlink('0/b', '1/a')), 'LINK'],
  ['L4 hardlink to itself', volume(hardlink('0/b', '0/b')), 'LINK'],
  ['L4 hardlink to a later entry', volume(hardlink('0/b', '0/c'), entry('0/c')), 'LINK'],
  ['L4 hardlink to the root', volume(hardlink('0/b', '0')), 'LINK'],
  ['N6 file twice', volume(good, good), 'ORDER'],
  ['N6 no parent', volume(entry('0/d/f')), 'PARENT'],
  ['N6 a file as parent', volume(good, entry('0/a/f')), 'PARENT'],
  ['M2 wrong order', volume(entry('0/b'), entry('0/a')), 'ORDER'],
  ['a root that is a symlink', [{ volume: 0, entries: [symlink('0', victim)] }], 'TYPE'],
  ['an entry outside of every volume', volume(entry('etc', { body: 'x' })), 'PATH'],
  ['a second manifest', volume(entry('manifest.json', { body: '{}' })), 'PATH'],
  ['an entry in the segment of another volume', volume(dirEntry('1')), 'TABLE'],
  ['a volume number with a leading zero', volume(dirEntry('00')), 'PATH'],
];

/** A tar stream that differs from its index: refused when it is read, by `verify` at depth `content` too. */
const refusedInside: [string, SealedSegment[], string][] = [
  ['MF1 extra entry', [{ volume: 0, entries: [root, good], index: [root] }], 'MANIFEST'],
  ['MF1 missing entry', [{ volume: 0, entries: [root], index: [root, entry('0/a')] }], 'MANIFEST'],
  ['MF1 wrong size', [{ volume: 0, entries: [root, good], index: [root, { ...good, size: 5 }] }], 'MANIFEST'],
  [
    'MF1 wrong hash',
    [{ volume: 0, entries: [root, good], index: [root, { ...good, sha256: randomBytes(32) }] }],
    'CONTENT',
  ],
  ['MF1 wrong mode', [{ volume: 0, entries: [root, { ...good, mode: 0o4755 }], index: [root, good] }], 'MANIFEST'],
  [
    'MF1 wrong link',
    [{ volume: 0, entries: [root, symlink('0/l', 'a')], index: [root, symlink('0/l', 'b')] }],
    'MANIFEST',
  ],
  [
    'end of archive in the middle',
    [{ volume: 0, entries: [root], tar: Buffer.concat([tarOf([root]), Buffer.alloc(1024)]) }],
    'EOF',
  ],
  ['an entry cut off', [{ volume: 0, entries: [root, good], tar: tarOf([root, good]).subarray(0, 1024 + 2) }], 'EOF'],
];

async function extract(options: object = {}): Promise<{ failure: unknown; left: string[] }> {
  const parent = mkdtempSync(path.join(base, 'staging-'));
  const dir = emptyDir(parent, 'new');
  const before = openDescriptors();
  const failure: unknown = await extractVolumes({
    file,
    key,
    targets: [{ index: 0, dir }],
    threads: 0,
    ...options,
  }).catch((e: unknown) => e);
  expect(openDescriptors()).toEqual(before);
  expect({ tree: listTree(victim), links: lstatSync(path.join(victim, 'hello')).nlink }).toEqual(canary);
  expect(readdirSync(parent)).toEqual(['new']);
  const left = readdirSync(dir);
  await removeTree(dir, { threads: 0 });
  expect(readdirSync(parent)).toEqual([]);
  return { failure, left };
}

describe('an archive with the right key and the wrong content', () => {
  test.each(refusedBefore)('%s: nothing is written', async (_name, parts, rule) => {
    writeFileSync(file, sealArchive(key, parts));
    const { failure, left } = await extract();
    expect(failure).toMatchObject({ code: 'ARCHIVE_DAMAGED', params: { rule } });
    expect(left).toEqual([]);
    await expect(verifyArchive(file, { key, threads: 0 })).rejects.toMatchObject({
      code: 'ARCHIVE_DAMAGED',
      params: { rule },
    });
  });

  test.each(refusedInside)('%s', async (_name, parts, rule) => {
    writeFileSync(file, sealArchive(key, parts));
    const { failure } = await extract();
    expect(failure).toMatchObject({ code: 'ARCHIVE_DAMAGED', params: { rule } });
    const verified = verifyArchive(file, { key, threads: 0, depth: 'content' });
    await expect(verified).rejects.toMatchObject({ code: 'ARCHIVE_DAMAGED', params: { rule } });
  });

  test.each<[string, SealedSegment[]]>([
    ['hardlink to a symlink', volume(symlink('0/a', path.join(victim, 'hello')), hardlink('0/b', '0/a'))],
    ['hardlink to a directory', volume(dirEntry('0/a'), hardlink('0/b', '0/a'))],
    ['hardlink to what is not there', volume(hardlink('0/b', '0/a'))],
  ])('L4 %s: fails, the victim keeps its link count', async (_name, parts) => {
    writeFileSync(file, sealArchive(key, parts));
    expect((await extract()).failure).toMatchObject({ code: 'IO_ERROR' });
  });

  test('L8 metadata of a symlink never reaches its target', async () => {
    const link = { ...symlink('0/l', path.join(victim, 'hello')), mode: 0o777, mtimeSec: 1 };
    writeFileSync(file, sealArchive(key, volume(link)));
    expect((await extract()).left).toEqual(['l']);
  });

  test('B1, B2 more than the budget: nothing is written', async () => {
    writeFileSync(file, sealArchive(key, volume(entry('0/a', { body: 'x'.repeat(5000) }), entry('0/b'))));
    for (const budget of [{ maxBytes: 4999 }, { maxEntries: 2 }]) {
      const { failure, left } = await extract(budget);
      expect(failure).toMatchObject({ code: 'INSUFFICIENT_SPACE', kind: 'exhausted' });
      expect(left).toEqual([]);
    }
    expect((await extract({ maxBytes: 5000, maxEntries: 3 })).failure).toHaveLength(1);
  });

  test('the reserve of free space is kept', async () => {
    writeFileSync(file, sealArchive(key, volume(good)));
    const rule = { everyBytes: 1, everyEntries: 1, minFreeBytes: 0, minFreeInodes: 0 };
    for (const more of [{ minFreeBytes: 2 ** 60 }, { minFreeInodes: 2 ** 50 }]) {
      expect((await extract({ spaceCheck: { ...rule, ...more } })).failure).toMatchObject({
        code: 'INSUFFICIENT_SPACE',
      });
    }
    expect((await extract({ spaceCheck: rule })).left).toEqual(['a']);
  });

  test('a volume that the archive lacks', async () => {
    writeFileSync(file, sealArchive(key, volume(good)));
    const dir = emptyDir(base, 'missing');
    await expect(extractVolumes({ file, key, threads: 0, targets: [{ index: 7, dir }] })).rejects.toMatchObject({
      code: 'ARCHIVE_DAMAGED',
    });
  });

  test('a target that is not empty, or a symlink to a directory', async () => {
    writeFileSync(file, sealArchive(key, volume(good)));
    shell(base, `mkdir full; : > full/x; ln -s victim link`);
    for (const name of ['full', 'link']) {
      const targets = [{ index: 0, dir: path.join(base, name) }];
      await expect(extractVolumes({ file, key, threads: 0, targets })).rejects.toMatchObject({ code: 'IO_ERROR' });
    }
    expect({ tree: listTree(victim), links: 1 }).toEqual(canary);
  });
});
