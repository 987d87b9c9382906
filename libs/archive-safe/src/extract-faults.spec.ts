import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { createArchive, extractVolumes, measureTree, removeTree } from './index.ts';
import { emptyDir, listTree, openDescriptors, scratch, shell } from './testing/trees.ts';

jest.setTimeout(120_000);

const key = randomBytes(32);
const { dir: base, done } = scratch();
const file = path.join(base, 'archive');
const tree = emptyDir(base, 'tree');
const root = process.getuid?.() === 0;

beforeAll(async () => {
  shell(
    tree,
    'for d in 1 2 3 4 5 6 7 8; do mkdir d$d; for i in $(seq 60); do head -c 60000 /dev/urandom > d$d/f$i; done; done',
  );
  await createArchive({ file, volumes: [{ index: 0, root: tree, links: 2 }], manifest: {}, key, threads: 0 });
});
afterAll(done);

test('aborted in the middle: CANCELLED, threads and descriptors gone, the tree can be removed at once', async () => {
  const dir = emptyDir(base, 'aborted');
  const before = openDescriptors();
  const stop = new AbortController();
  const running = extractVolumes({
    file,
    key,
    targets: [{ index: 0, dir }],
    signal: stop.signal,
    onProgress: () => stop.abort(),
  });
  await expect(running).rejects.toMatchObject({ code: 'CANCELLED' });
  expect(openDescriptors()).toEqual(before);
  const left = (await measureTree(dir, { threads: 0 })).entries;
  expect((await measureTree(dir, { threads: 0 })).entries).toBe(left);
  await removeTree(dir, { threads: 0 });
});

test('a directory that appears in the way: nothing is written over', async () => {
  const dir = emptyDir(base, 'in-the-way');
  let planted = false;
  const running = extractVolumes({
    file,
    key,
    threads: 0,
    targets: [{ index: 0, dir }],
    onProgress: () => {
      if (planted) return;
      planted = true;
      const free = [1, 2, 3, 4, 5, 6, 7, 8].find((d) => readdirSync(path.join(dir, `d${d}`)).length === 0);
      writeFileSync(path.join(dir, `d${free ?? 8}`, 'f1'), 'mine', { flag: 'a' });
    },
  });
  await expect(running).rejects.toMatchObject({ code: 'IO_ERROR', params: { errno: 'EEXIST' } });
});

(root ? describe : describe.skip)('as root, on a small file system', () => {
  const small = emptyDir(base, 'small');
  const mounted = (options: string): void => void shell(base, `mount -t tmpfs -o ${options} none ${small}`);
  const unmount = (): void => void shell(base, `umount ${small}`);

  test.each(['size=8m', 'size=200m,nr_inodes=100'])('B5 ENOSPC while extracting (%s)', async (options) => {
    mounted(options);
    try {
      const dir = emptyDir(small, 'new');
      const running = extractVolumes({ file, key, targets: [{ index: 0, dir }], threads: 0 });
      await expect(running).rejects.toMatchObject({ code: 'INSUFFICIENT_SPACE', kind: 'exhausted' });
      await removeTree(dir, { threads: 0 });
      expect(readdirSync(small)).toEqual([]);
    } finally {
      unmount();
    }
  });

  test('the reserve stops an extraction before the disk is full', async () => {
    mounted('size=40m');
    try {
      const dir = emptyDir(small, 'new');
      const spaceCheck = { everyBytes: 1 << 20, everyEntries: 1000, minFreeBytes: 20 << 20, minFreeInodes: 10 };
      const running = extractVolumes({ file, key, targets: [{ index: 0, dir }], spaceCheck, threads: 0 });
      await expect(running).rejects.toMatchObject({ code: 'INSUFFICIENT_SPACE', params: { what: 'bytes' } });
      const { contentBytes } = await measureTree(dir, { threads: 0 });
      expect(contentBytes).toBeGreaterThan(17 << 20);
      expect(contentBytes).toBeLessThan(22 << 20);
    } finally {
      unmount();
    }
  });

  test('ENOSPC while capturing: INSUFFICIENT_SPACE, no partial file', async () => {
    mounted('size=8m');
    try {
      const target = path.join(small, 'archive');
      const volumes = [{ index: 0, root: tree, links: 2 as const }];
      const running = createArchive({ file: target, volumes, manifest: {}, key, threads: 0 });
      await expect(running).rejects.toMatchObject({ code: 'INSUFFICIENT_SPACE' });
      expect(readdirSync(small)).toEqual([]);
    } finally {
      unmount();
    }
  });

  test('a mount point below a volume is noted at tier 2 and refused below it', async () => {
    const outer = emptyDir(base, 'outer');
    const point = emptyDir(outer, 'point');
    shell(base, `mount --bind ${tree} ${point}`);
    try {
      const measured = await measureTree(outer, { threads: 0 });
      expect(measured).toMatchObject({
        entries: 1,
        notes: [{ code: 'MOUNT_POINT_SKIPPED', params: { path: '0/point' } }],
      });
      expect((await measureTree(outer, { links: 1, threads: 0 })).violations).toEqual(['0/point']);
    } finally {
      shell(base, `umount ${point}`);
    }
  });
});

test('a second extraction into the same place is refused, the first one stays', async () => {
  const dir = emptyDir(base, 'twice');
  const targets = [{ index: 0, dir }];
  await extractVolumes({ file, key, targets, threads: 0 });
  await expect(extractVolumes({ file, key, targets, threads: 0 })).rejects.toMatchObject({ code: 'IO_ERROR' });
  expect(listTree(dir)).toEqual(listTree(tree));
});
