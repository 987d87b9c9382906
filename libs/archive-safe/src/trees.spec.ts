import { afterAll, describe, expect, jest, test } from '@jest/globals';
import { existsSync, lstatSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { removeTree } from './index.ts';
import { emptyDir, openDescriptors, scratch, shell } from './testing/trees.ts';

jest.setTimeout(120_000);

const { dir: base, done } = scratch();
afterAll(done);
const root = process.getuid?.() === 0;

describe('removeTree', () => {
  test('removes 5000 levels with few descriptors (C1)', async () => {
    const dir = emptyDir(base, 'deep');
    shell(
      dir,
      `python3 -c "
import os
for i in range(5000):
    os.mkdir('d'); open('f', 'w').close(); os.chdir('d')
"`,
    );
    const before = openDescriptors();
    expect(await removeTree(dir, { threads: 0 })).toBe(10_001);
    expect(existsSync(dir)).toBe(false);
    expect(openDescriptors()).toEqual(before);
  });

  test('removes links, not what they point to', async () => {
    const victim = emptyDir(base, 'victim');
    writeFileSync(path.join(victim, 'f'), 'kept');
    const dir = emptyDir(base, 'links');
    symlinkSync(victim, path.join(dir, 'to'));
    symlinkSync('nowhere', path.join(dir, 'dangling'));
    shell(dir, `mkfifo p; ln ../victim/f hard; : > $'\\xff'; mkdir ro; : > ro/x; chmod 500 ro`);
    await removeTree(dir, { threads: 0 });
    expect(existsSync(dir)).toBe(false);
    expect(readFileSync(path.join(victim, 'f'), 'utf8')).toBe('kept');
    expect(statSync(path.join(victim, 'f')).nlink).toBe(1);
    symlinkSync(victim, path.join(base, 'itself'));
    await removeTree(path.join(base, 'itself'), { threads: 0 });
    expect(existsSync(victim)).toBe(true);
  });

  test('a missing tree, a missing parent: nothing to do; again: nothing to do', async () => {
    expect(await removeTree(path.join(base, 'missing'), { threads: 0 })).toBe(0);
    expect(await removeTree(path.join(base, 'missing', 'below'), { threads: 0 })).toBe(0);
  });

  test('a tree of another identity stays', async () => {
    const dir = emptyDir(base, 'identity');
    const { ino, birthtimeNs } = lstatSync(dir, { bigint: true });
    const wrong = { inode: `${ino}`, birthtimeNs: `${birthtimeNs + 1n}` };
    await expect(removeTree(dir, { expectedIdentity: wrong, threads: 0 })).rejects.toMatchObject({
      code: 'IO_ERROR',
      params: { rule: 'IDENTITY' },
    });
    expect(existsSync(dir)).toBe(true);
    const right = { inode: `${ino}`, birthtimeNs: `${birthtimeNs}` };
    expect(await removeTree(dir, { expectedIdentity: right, threads: 1 })).toBe(1);
  });

  (root ? describe : describe.skip)('as root', () => {
    test.each(['another file system', 'a bind mount of the same one'])('never crosses %s', async (kind) => {
      const dir = emptyDir(base, 'mounted');
      const point = emptyDir(dir, 'point');
      const kept = emptyDir(base, 'kept');
      writeFileSync(path.join(kept, 'f'), '');
      shell(
        base,
        kind.startsWith('a bind') ? `mount --bind ${kept} ${point}` : `mount -t tmpfs none ${point}; : > ${point}/f`,
      );
      try {
        await expect(removeTree(dir, { threads: 0 })).rejects.toMatchObject({
          code: 'IO_ERROR',
          params: { rule: 'MOUNT' },
        });
        await expect(removeTree(point, { threads: 0 })).rejects.toMatchObject({ params: { rule: 'MOUNT' } });
        expect(existsSync(path.join(point, 'f'))).toBe(true);
      } finally {
        shell(base, `umount ${point}`);
      }
      mkdirSync(dir, { recursive: true });
      await removeTree(dir, { threads: 0 });
      expect(existsSync(dir)).toBe(false);
    });
  });
});
