import { afterAll, describe, expect, test } from '@jest/globals';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { browseArchive, extractVolumes, readIndex, verifyArchive } from './index.ts';
import { emptyDir, listTree, scratch } from './testing/trees.ts';

const { dir: base, done } = scratch();
afterAll(done);
const key = Buffer.alloc(32, 0x2a);
const root = process.getuid?.() === 0;
const long = 'p'.repeat(120);
const mtime = 1_700_000_000_123_456n;

/** Files that version 1 of the writer made, once: whatever changes, they stay readable. */
describe.each(['zstd', 'gzip'])('version-1.%s', (codec) => {
  const file = fileURLToPath(new URL(`testing/golden/version-1.${codec}`, import.meta.url));

  test('is whole, and says what it said', async () => {
    expect(await verifyArchive(file, { key, depth: 'content', threads: 0 })).toMatchObject({
      entries: 11,
      contentBytes: 20_012,
    });
    expect(await readIndex(file, { key })).toMatchObject({
      codec,
      manifest: {
        formatVersion: 1,
        volumes: [
          { index: 0, target: '/data' },
          { index: 2, absent: true },
        ],
      },
      notes: [{ code: 'SPECIAL_SKIPPED', params: { path: '0/pipe', type: 'fifo' } }],
      volumes: [
        { index: 0, absent: false, entries: 11 },
        { index: 2, absent: true, entries: 0 },
      ],
    });
    await using archive = await browseArchive(file, { key, threads: 0 });
    expect(await archive.find({ volume: 0, path: Buffer.from('n\xff', 'latin1') })).toMatchObject({
      size: 1,
      mtime: '1700000000.123456789',
    });
  });

  (root ? test : test.skip)('gives the tree it was made of', async () => {
    const dir = emptyDir(base, codec);
    await extractVolumes({ file, key, targets: [{ index: 0, dir }], threads: 0 });
    const tree = listTree(dir);
    expect(Object.keys(tree)).toHaveLength(11);
    expect(tree).toMatchObject({
      '.': { type: 'directory', mtime },
      d: { mode: 0o2775, mtime },
      'd/e': { type: 'directory', content: '' },
      'd/f': { mode: 0o4750, content: 'one\n', same: 'd/f', mtime },
      empty: { uid: 3_000_000, gid: 3_000_001, content: '' },
      hard: { same: 'd/f' },
      hole: { content: `${'\0'.repeat(20_000)}end` },
      'n\xff': { content: 'x' },
      [path.join(long, 'q'.repeat(120))]: { content: 'long' },
      sym: { type: 'symlink', content: 'd/f', mtime },
    });
  });
});
