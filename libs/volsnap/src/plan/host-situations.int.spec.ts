import { mkdir, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { run, Scene, signal } from '../testing/scene.ts';

const isRoot = process.getuid?.() === 0;
/** CI is root on a machine of its own; elsewhere these need the right to mount. */
const onlyRoot = isRoot || process.env['CI'] ? describe : describe.skip;
const scene = new Scene();
const blockers = async (snapshot: Awaited<ReturnType<Scene['capture']>>, more: object = {}): Promise<string[]> =>
  (await scene.engine.plan(scene.house.input(snapshot, more), signal)).blockers.map((one) => one.code);

onlyRoot('a plan on a host where', () => {
  it('the volumes are mounted read-only', async () => {
    await scene.house.write('old');
    const snapshot = await scene.capture();
    await run('mount', ['--bind', scene.house.volumes, scene.house.volumes]);
    try {
      await run('mount', ['-o', 'remount,bind,ro', scene.house.volumes]);
      expect(await blockers(snapshot)).toEqual(['READ_ONLY_MOUNT', 'READ_ONLY_MOUNT']);
    } finally {
      await run('umount', [scene.house.volumes]);
    }
    expect(await blockers(snapshot)).toEqual([]);
  });

  it.each([
    ['+i', '-i'],
    ['+a', '-a'],
  ])('a live directory has chattr %s', async (on, off) => {
    await scene.house.write('old');
    const snapshot = await scene.capture();
    await run('chattr', [on, scene.at('data')]);
    try {
      expect(await blockers(snapshot)).toEqual(['DIRECTORY_IMMUTABLE']);
    } finally {
      await run('chattr', [off, scene.at('data')]);
    }
  });

  it('the directory above has it', async () => {
    await scene.house.write('old');
    const snapshot = await scene.capture();
    await run('chattr', ['+i', scene.house.volumes]);
    try {
      expect(await blockers(snapshot)).toEqual(['DIRECTORY_IMMUTABLE', 'DIRECTORY_IMMUTABLE']);
    } finally {
      await run('chattr', ['-i', scene.house.volumes]);
    }
  });

  it('the volumes are on an overlay', async () => {
    await scene.house.write('old');
    const snapshot = await scene.capture();
    const side = path.join(scene.house.facts.root, 'overlay');
    for (const name of ['upper', 'work']) await mkdir(path.join(side, name), { recursive: true });
    const layers = `lowerdir=${scene.house.volumes},upperdir=${side}/upper,workdir=${side}/work`;
    await run('mount', ['-t', 'overlay', 'overlay', '-o', layers, scene.house.volumes]);
    try {
      expect(await blockers(snapshot)).toEqual(expect.arrayContaining(['FS_UNSUITABLE']));
    } finally {
      await run('umount', [scene.house.volumes]);
    }
  });

  it('a small file system holds both volumes: their needs are summed, in bytes and in inodes', async () => {
    const image = path.join(scene.house.facts.root, 'small.img');
    await writeFile(image, '');
    await truncate(image, 24 * 1024 ** 2);
    await run('mkfs.ext4', ['-q', '-I', '256', '-N', '64', image]);
    await run('mount', ['-o', 'loop', image, scene.house.volumes]);
    try {
      await rm(path.join(scene.house.volumes, 'lost+found'), { recursive: true });
      await scene.house.write('old');
      const captured = await scene.capture();
      const sized = (bytes: number, entries: number) => ({
        snapshot: {
          ...scene.house.source(captured),
          contentBytes: 2 * bytes,
          volumes: captured.volumes.map((volume) => ({ ...volume, contentBytes: bytes, entries })),
        },
      });
      expect(await blockers(captured, sized(1024 ** 2, 3))).toEqual([]);
      // Either volume alone would fit.
      expect(await blockers(captured, sized(12 * 1024 ** 2, 3))).toEqual(['INSUFFICIENT_SPACE']);
      expect(await blockers(captured, sized(1024, 40))).toEqual(['INSUFFICIENT_INODES']);
    } finally {
      await run('umount', [scene.house.volumes]);
    }
  });

  it('a volume became a symlink', async () => {
    await scene.house.write('old');
    const snapshot = await scene.capture();
    await rm(scene.at('data'), { recursive: true });
    await symlink(scene.at('files'), scene.at('data'));
    expect(await blockers(snapshot)).toContain('VOLUME_PATH_UNSAFE');
  });
});
