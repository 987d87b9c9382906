import { afterAll, describe, expect, test } from '@jest/globals';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { createArchive, extractVolumes } from './index.ts';
import { entry, sealArchive } from './testing/seal-archive.ts';
import { emptyDir, listTree, scratch, shell } from './testing/trees.ts';

const { dir: base, done } = scratch();
afterAll(done);
const key = Buffer.alloc(32, 3);
const asRoot = process.getuid?.() === 0 ? describe : describe.skip;

test('the report names what the archive could not hold, each under its volume', async () => {
  const tree = emptyDir(base, 'tree');
  shell(tree, 'mkfifo pipe; : > f; setfattr -n user.a -v 1 f; mkdir sub; mkfifo sub/pipe');
  const file = path.join(base, 'archive');
  const volumes = [
    { index: 1, root: path.join(tree, 'sub'), links: 2 as const },
    { index: 10, root: tree, links: 2 as const },
  ];
  await createArchive({ file, key, manifest: {}, volumes, threads: 0 });
  const targets = [1, 10].map((index) => ({ index, dir: emptyDir(base, 'out', `${index}`) }));
  const [one, ten] = await extractVolumes({ file, key, targets, threads: 0 });
  const notCaptured = (fidelity: { notCaptured: { code: string; params: object }[] } | undefined): string[] =>
    (fidelity?.notCaptured ?? []).map(({ code, params }) => `${code} ${(params as { path: string }).path}`).sort();
  expect(notCaptured(one?.fidelity)).toEqual(['SPECIAL_SKIPPED 1/pipe']);
  expect(notCaptured(ten?.fidelity)).toEqual([
    'ATTRIBUTES_NOT_KEPT 10/f',
    'SPECIAL_SKIPPED 10/pipe',
    'SPECIAL_SKIPPED 10/sub/pipe',
  ]);
  expect([one?.fidelity.compared, ten?.fidelity.compared]).toEqual([1, 3]);
});

asRoot('as root', () => {
  test('who may not give files away keeps them, and is told which', async () => {
    const file = path.join(base, 'owners');
    const root = entry('0', { type: 'directory' });
    const foreign = entry('0/f', { uid: 70_000, gid: 70_001 });
    writeFileSync(file, sealArchive(key, [{ volume: 0, entries: [root, foreign] }]));
    const dir = emptyDir(base, 'kept');
    const [volume] = await extractVolumes({ file, key, targets: [{ index: 0, dir }], threads: 0, owner: 'caller' });
    expect(volume?.fidelity.notKept).toEqual([
      { code: 'OWNER_NOT_KEPT', params: { path: '0/f', uid: 70_000, gid: 70_001 } },
    ]);
    expect(listTree(dir)['f']).toMatchObject({ uid: process.getuid?.(), gid: process.getgid?.() });
  });

  test('a time that the file system cannot hold is told, with the file it is of', async () => {
    const point = emptyDir(base, 'old');
    // A time after 2038 does not fit an inode of 128 bytes.
    shell(base, 'truncate -s 8M disk; mkfs.ext4 -q -F -I 128 disk; mount -o loop disk old');
    try {
      const file = path.join(base, 'late');
      const root = entry('0', { type: 'directory' });
      writeFileSync(file, sealArchive(key, [{ volume: 0, entries: [root, entry('0/f', { mtimeSec: 2 ** 33 })] }]));
      const dir = emptyDir(point, 'out');
      const [volume] = await extractVolumes({ file, key, targets: [{ index: 0, dir }], threads: 0 });
      expect(volume?.fidelity).toMatchObject({
        compared: 2,
        notKept: [{ code: 'MTIME_NOT_KEPT', params: { path: '0/f' } }],
      });
    } finally {
      shell(base, 'umount old');
    }
  });
});
