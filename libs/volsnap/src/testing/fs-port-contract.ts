import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { parseMountinfo } from '@tiny-forge/docker';
import { mountHolding } from '../identity/mount-table.ts';
import type { FsPort } from '../ports/fs-port.ts';

/** What a suite runs on: an empty directory, and another one on another file system. */
export interface FsBench {
  readonly fs: FsPort;
  readonly root: string;
  readonly elsewhere: string;
  dispose(): Promise<void>;
}

/** The obligations of `FsPort`, as ext4, xfs and tmpfs keep them. Every implementation and every wrapper runs them. */
export function fsPortContract(name: string, open: () => Promise<FsBench>): void {
  describe(`FsPort contract: ${name}`, () => {
    let bench: FsBench;
    let fs: FsPort;
    const at = (name: string): string => `${bench.root}/${name}`;
    const put = async (name: string, content: string): Promise<void> => {
      const fd = await fs.create(at(name));
      await fs.write(fd, 0, Buffer.from(content));
      await fs.close(fd);
    };
    const read = async (name: string): Promise<string> => (await fs.readFile(at(name))).toString('latin1');
    const codeOf = (work: Promise<unknown>): Promise<string> =>
      work.then(
        () => 'ok',
        (error: unknown) => String((error as { code?: unknown }).code),
      );

    beforeEach(async () => {
      bench = await open();
      fs = bench.fs;
    });
    afterEach(() => bench.dispose());

    it('stat tells kind, mode, size and identity, follows no symlink, and has null for nothing', async () => {
      await fs.mkdir(at('directory'), 0o751);
      await put('file', 'four');
      await fs.symlink('directory', at('symlink'));
      expect(await fs.stat(at('directory'))).toMatchObject({ kind: 'directory', mode: 0o751 });
      expect(await fs.stat(at('file'))).toMatchObject({ kind: 'file', mode: 0o600, size: 4 });
      expect(await fs.stat(at('symlink'))).toMatchObject({ kind: 'symlink' });
      expect(await fs.stat(at('nothing'))).toBeNull();
      expect(await fs.stat(at('nothing/below'))).toBeNull();
      expect(await fs.stat(at('file/below'))).toBeNull();
    });

    it('identity survives rename, chmod and new content, and is another one for what is made anew', async () => {
      await fs.mkdir(at('a'), 0o700);
      const first = await fs.stat(at('a'));
      await fs.chmod(at('a'), 0o711);
      await fs.mkdir(at('a/below'), 0o700);
      await fs.rename(at('a'), at('b'));
      const moved = await fs.stat(at('b'));
      expect([moved?.inode, moved?.birthTimeNs, moved?.mode]).toEqual([first?.inode, first?.birthTimeNs, 0o711]);
      expect(first?.birthTimeNs).toBeGreaterThan(0n);
      await fs.rmdir(at('b/below'));
      await fs.rmdir(at('b'));
      await fs.mkdir(at('a'), 0o700);
      const again = await fs.stat(at('a'));
      expect(`${again?.inode} ${again?.birthTimeNs}`).not.toBe(`${first?.inode} ${first?.birthTimeNs}`);
    });

    it('chmod, chown and touch change one attribute each; none follows a symlink', async () => {
      await fs.mkdir(at('directory'), 0o700);
      await fs.symlink('directory', at('symlink'));
      await fs.chown(at('directory'), 7, 8);
      await fs.chmod(at('directory'), 0o2751);
      await fs.touch(at('directory'), 1_700_000_000_123_456_789n);
      const wanted = { mode: 0o2751, uid: 7, gid: 8 };
      const found = await fs.stat(at('directory'));
      expect(found).toMatchObject(wanted);
      expect((found?.modifiedNs ?? 0n) / 1000n).toBe(1_700_000_000_123_456n);
      expect(await codeOf(fs.chmod(at('symlink'), 0o777))).toBe('ELOOP');
      await fs.chown(at('symlink'), 9, 9);
      await fs.touch(at('symlink'), 0n);
      expect(await fs.stat(at('directory'))).toEqual(found);
      expect(await codeOf(fs.chmod(at('nothing'), 0o700))).toBe('ENOENT');
      expect(await codeOf(fs.chown(at('nothing'), 1, 1))).toBe('ENOENT');
      expect(await codeOf(fs.touch(at('nothing'), 1n))).toBe('ENOENT');
    });

    it('mkdir gives exactly the mode that is asked for, and takes no name that is taken', async () => {
      const before = process.umask(0o077);
      try {
        await fs.mkdir(at('open'), 0o755);
      } finally {
        process.umask(before);
      }
      expect((await fs.stat(at('open')))?.mode).toBe(0o755);
      await put('file', '');
      for (const taken of ['open', 'file']) expect(await codeOf(fs.mkdir(at(taken), 0o700))).toBe('EEXIST');
      expect(await codeOf(fs.mkdir(at('nothing/below'), 0o700))).toBe('ENOENT');
      expect(await codeOf(fs.mkdir(at('file/below'), 0o700))).toBe('ENOTDIR');
    });

    it('readDirectory sorts, and tells a missing directory from an empty one', async () => {
      for (const name of ['b', 'a', 'c']) await put(name, '');
      await fs.mkdir(at('empty'), 0o700);
      expect(await fs.readDirectory(bench.root)).toEqual(['a', 'b', 'c', 'empty']);
      expect(await fs.readDirectory(at('empty'))).toEqual([]);
      expect(await codeOf(fs.readDirectory(at('nothing')))).toBe('ENOENT');
      expect(await codeOf(fs.readDirectory(at('a')))).toBe('ENOTDIR');
    });

    it('rename of a directory replaces an empty one silently, refuses a full one, a file, itself below itself', async () => {
      await fs.mkdir(at('tree'), 0o700);
      await put('tree/file', 'content');
      await fs.mkdir(at('empty'), 0o700);
      await fs.rename(at('tree'), at('empty'));
      expect(await fs.readDirectory(bench.root)).toEqual(['empty']);
      expect(await read('empty/file')).toBe('content');
      await fs.mkdir(at('other'), 0o700);
      expect(['ENOTEMPTY', 'EEXIST']).toContain(await codeOf(fs.rename(at('other'), at('empty'))));
      await put('plain', '');
      expect(await codeOf(fs.rename(at('other'), at('plain')))).toBe('ENOTDIR');
      expect(await codeOf(fs.rename(at('plain'), at('other')))).toBe('EISDIR');
      expect(await codeOf(fs.rename(at('empty'), at('empty/below')))).toBe('EINVAL');
      expect(await codeOf(fs.rename(at('nothing'), at('else')))).toBe('ENOENT');
      expect(await codeOf(fs.rename(at('empty'), at('nothing/below')))).toBe('ENOENT');
      expect(await fs.readDirectory(bench.root)).toEqual(['empty', 'other', 'plain']);
    });

    it('rename of a file replaces a file, also from one directory to another', async () => {
      await fs.mkdir(at('below'), 0o700);
      await put('below/file', 'old');
      await put('file', 'new');
      await fs.rename(at('file'), at('below/file'));
      expect(await read('below/file')).toBe('new');
      expect(await fs.readDirectory(bench.root)).toEqual(['below']);
    });

    it('rename from one file system to another is EXDEV', async () => {
      await put('file', '');
      expect(await codeOf(fs.rename(at('file'), `${bench.elsewhere}/file`))).toBe('EXDEV');
      expect(await fs.fileSystemNames(bench.root)).not.toEqual(await fs.fileSystemNames(bench.elsewhere));
    });

    it('unlink takes anything but directories, rmdir empty directories only', async () => {
      await fs.mkdir(at('full'), 0o700);
      await put('full/file', '');
      await fs.symlink('full', at('symlink'));
      expect(['EISDIR', 'EPERM']).toContain(await codeOf(fs.unlink(at('full'))));
      expect(['ENOTEMPTY', 'EEXIST']).toContain(await codeOf(fs.rmdir(at('full'))));
      expect(await codeOf(fs.rmdir(at('symlink')))).toBe('ENOTDIR');
      expect(await codeOf(fs.rmdir(at('full/file')))).toBe('ENOTDIR');
      expect([await codeOf(fs.unlink(at('nothing'))), await codeOf(fs.rmdir(at('nothing')))]).toEqual([
        'ENOENT',
        'ENOENT',
      ]);
      await fs.unlink(at('symlink'));
      await fs.unlink(at('full/file'));
      await fs.rmdir(at('full'));
      expect(await fs.readDirectory(bench.root)).toEqual([]);
    });

    it('link gives one file two names', async () => {
      await put('a', 'content');
      await fs.link(at('a'), at('b'));
      expect((await fs.stat(at('b')))?.inode).toBe((await fs.stat(at('a')))?.inode);
      await fs.unlink(at('a'));
      expect(await read('b')).toBe('content');
      expect(await codeOf(fs.link(at('nothing'), at('c')))).toBe('ENOENT');
      expect(await codeOf(fs.link(at('b'), at('b')))).toBe('EEXIST');
    });

    it('write goes to its offset, fills a gap with zeros, and leaves the rest as it was', async () => {
      const fd = await fs.create(at('file'));
      await fs.write(fd, 3, Buffer.from('abc'));
      await fs.write(fd, 4, Buffer.from('X'));
      await fs.write(fd, 9, Buffer.alloc(0));
      await fs.close(fd);
      expect(await read('file')).toBe('\0\0\0aXc');
      const again = await fs.open(at('file'));
      await fs.truncate(again, 4);
      await fs.truncate(again, 5);
      await fs.sync(again);
      await fs.close(again);
      expect(await read('file')).toBe('\0\0\0a\0');
    });

    it('create takes no name that is taken; open makes nothing and follows no symlink', async () => {
      await put('file', '');
      await fs.symlink('file', at('symlink'));
      for (const taken of ['file', 'symlink']) expect(await codeOf(fs.create(at(taken)))).toBe('EEXIST');
      expect(await codeOf(fs.create(at('nothing/below')))).toBe('ENOENT');
      expect(await codeOf(fs.open(at('nothing')))).toBe('ENOENT');
      expect(await codeOf(fs.open(at('symlink')))).toBe('ELOOP');
      expect(await codeOf(fs.open(bench.root))).toBe('EISDIR');
      expect(await codeOf(fs.readFile(at('nothing')))).toBe('ENOENT');
      expect(await codeOf(fs.readFile(bench.root))).toBe('EISDIR');
    });

    it('an open file goes on after it was renamed or unlinked; a closed one is EBADF', async () => {
      const fd = await fs.create(at('a'));
      await fs.rename(at('a'), at('b'));
      await fs.write(fd, 0, Buffer.from('late'));
      expect(await read('b')).toBe('late');
      await fs.unlink(at('b'));
      await fs.write(fd, 0, Buffer.from('later'));
      await fs.sync(fd);
      await fs.close(fd);
      expect(await codeOf(fs.close(fd))).toBe('EBADF');
      expect(await codeOf(fs.write(fd, 0, Buffer.from('x')))).toBe('EBADF');
      expect(await codeOf(fs.sync(fd))).toBe('EBADF');
    });

    it('syncDirectory and syncFileSystem want what is there', async () => {
      await put('file', '');
      await fs.symlink('.', at('symlink'));
      await fs.syncDirectory(bench.root);
      await fs.syncFileSystem(bench.root);
      expect(await codeOf(fs.syncDirectory(at('nothing')))).toBe('ENOENT');
      expect(await codeOf(fs.syncDirectory(at('file')))).toBe('ENOTDIR');
      expect(await codeOf(fs.syncDirectory(at('symlink')))).not.toBe('ok');
      expect(await codeOf(fs.syncFileSystem(at('nothing')))).not.toBe('ok');
    });

    it('a plain directory has no traits', async () => {
      expect(await fs.traits(bench.root)).toMatchObject({ flags: [] });
    });

    it('space, names and mounts belong together', async () => {
      await fs.mkdir(at('below'), 0o700);
      const space = await fs.space(bench.root);
      expect(space.freeBytes).toBeGreaterThan(0);
      expect(space.totalBytes).toBeGreaterThanOrEqual(space.freeBytes);
      const names = await fs.fileSystemNames(bench.root);
      expect(names[0]).toMatch(/^(uuid|fsid):.+/);
      expect(await fs.fileSystemNames(at('below'))).toEqual(names);
      const mounts = parseMountinfo(await fs.mountInfo());
      expect(mountHolding(mounts, bench.root)).toBeDefined();
    });
  });
}
