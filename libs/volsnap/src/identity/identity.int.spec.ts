import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, rmdir, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { NodeFsPort } from '../ports/node-fs-port.ts';
import type { TreeIdentity } from '../restore-engine.ts';
import { isTree, standingAt } from './tree-identity.ts';

const run = promisify(execFile);
const isRoot = process.getuid?.() === 0;
/** CI is root on a machine of its own; elsewhere these need the right to mount. */
const onlyRoot = isRoot || process.env['CI'] ? describe : describe.skip;
let folder: string;
let mounted: string;
let imageFile: string;

const mount = async (): Promise<string> => {
  const { stdout } = await run('losetup', ['--find', '--show', imageFile]);
  await run('mount', [stdout.trim(), mounted]);
  return stdout.trim();
};
/** Returns when the file system is really gone: a container that is being started has a copy of every mount for a moment. */
const unmount = async (device: string): Promise<void> => {
  await run('umount', [mounted]);
  await run('losetup', ['--detach', device]);
  while ((await run('losetup', ['-j', imageFile])).stdout.trim() !== '') await sleep(20);
};
const identityOf = async (directory: string): Promise<TreeIdentity> => {
  const standing = await standingAt(new NodeFsPort(), directory);
  if (standing.kind !== 'tree' || !standing.identity) throw new Error(`no identity at ${directory}`);
  return standing.identity;
};

onlyRoot('identity on a file system of its own', () => {
  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'tf-identity-'));
    mounted = path.join(folder, 'mounted');
    imageFile = path.join(folder, 'image');
    await mkdir(mounted);
    await writeFile(imageFile, '');
    await truncate(imageFile, 32 * 1024 ** 2);
    await run('mkfs.ext4', ['-q', '-I', '256', imageFile]);
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it('survives a remount through another device, where st_dev changes', async () => {
    const first = await mount();
    await mkdir(path.join(mounted, 'tree'));
    const before = await identityOf(path.join(mounted, 'tree'));
    expect(before.fileSystem).toMatch(/^uuid:[0-9a-f-]{36}$/);
    await unmount(first);
    // The first device is taken by something else, so that the second mount is another one.
    const other = path.join(folder, 'other');
    await writeFile(other, '');
    await truncate(other, 1024 ** 2);
    const { stdout } = await run('losetup', ['--find', '--show', other]);
    const second = await mount();
    try {
      const standing = await standingAt(new NodeFsPort(), path.join(mounted, 'tree'));
      expect(isTree(standing, before)).toBe(true);
    } finally {
      await unmount(second);
      await run('losetup', ['--detach', stdout.trim()]);
    }
  });

  it('is not that of a directory that got the same inode number', async () => {
    const device = await mount();
    try {
      const tree = path.join(mounted, 'again');
      let reused = 0;
      for (let round = 0; round < 20; round++) {
        await mkdir(tree);
        const before = await identityOf(tree);
        await rmdir(tree);
        await mkdir(tree);
        const standing = await standingAt(new NodeFsPort(), tree);
        expect(isTree(standing, before)).toBe(false);
        if (standing.kind === 'tree' && standing.identity?.inode === before.inode) reused++;
        await rmdir(tree);
      }
      expect(reused).toBeGreaterThan(0);
    } finally {
      await unmount(device);
    }
  });

  it('is none where inodes have no room for a birth time', async () => {
    const old = path.join(folder, 'old');
    await writeFile(old, '');
    await truncate(old, 32 * 1024 ** 2);
    await run('mkfs.ext4', ['-q', '-I', '128', '-O', '^metadata_csum', old]);
    const { stdout } = await run('losetup', ['--find', '--show', old]);
    await run('mount', [stdout.trim(), mounted]);
    try {
      await mkdir(path.join(mounted, 'tree'));
      expect(await standingAt(new NodeFsPort(), path.join(mounted, 'tree'))).toMatchObject({ identity: null });
    } finally {
      await unmount(stdout.trim());
    }
  });
});
