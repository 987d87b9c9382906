import { spawn } from 'node:child_process';
import { constants, close, fchmod, fsync, ftruncate, open, write } from 'node:fs';
import {
  lchown,
  link,
  lstat,
  lutimes,
  mkdir,
  readFile,
  readdir,
  rename,
  rmdir,
  statfs,
  symlink,
  unlink,
} from 'node:fs/promises';
import { promisify } from 'node:util';
import { FileSystemNames } from '../identity/file-system-names.ts';
import { traitsOf } from '../identity/directory-traits.ts';
import type { DirectoryTraits, FileStat, FileSystemSpace, FsPort } from './fs-port.ts';

const openFd = promisify(open);
const closeFd = promisify(close);
const fsyncFd = promisify(fsync);
const chmodFd = promisify(fchmod);
const truncateFd = promisify(ftruncate);
const writeFd = promisify(write);

/** The real file system. Calls run on libuv's pool, so the main thread stays free for heartbeats. */
export class NodeFsPort implements FsPort {
  readonly #names = new FileSystemNames();

  async stat(path: string): Promise<FileStat | null> {
    const found = await lstat(path, { bigint: true }).catch((error: unknown) => {
      const code = (error as NodeJS.ErrnoException).code;
      if (code === 'ENOENT' || code === 'ENOTDIR') return null;
      throw error;
    });
    if (!found) return null;
    return {
      kind: found.isDirectory() ? 'directory' : found.isFile() ? 'file' : found.isSymbolicLink() ? 'symlink' : 'other',
      inode: found.ino,
      birthTimeNs: found.birthtimeNs,
      mode: Number(found.mode) & 0o7777,
      uid: Number(found.uid),
      gid: Number(found.gid),
      size: Number(found.size),
      modifiedNs: found.mtimeNs,
    };
  }

  async readDirectory(path: string): Promise<string[]> {
    return (await readdir(path)).sort();
  }

  readFile(path: string): Promise<Buffer> {
    return readFile(path);
  }

  async space(path: string): Promise<FileSystemSpace> {
    const found = await statfs(path);
    return {
      totalBytes: found.blocks * found.bsize,
      freeBytes: found.bavail * found.bsize,
      totalInodes: found.files,
      freeInodes: found.ffree,
    };
  }

  fileSystemNames(path: string): Promise<readonly string[]> {
    return this.#names.of(path);
  }

  traits(path: string): Promise<DirectoryTraits> {
    return traitsOf(path);
  }

  async mountInfo(): Promise<string> {
    return readFile('/proc/self/mountinfo', 'utf8');
  }

  async mkdir(path: string, mode: number): Promise<void> {
    await mkdir(path, { mode: 0o700 });
    if (mode !== 0o700) await this.chmod(path, mode);
  }

  rename(from: string, to: string): Promise<void> {
    return rename(from, to);
  }

  unlink(path: string): Promise<void> {
    return unlink(path);
  }

  rmdir(path: string): Promise<void> {
    return rmdir(path);
  }

  /** Through a descriptor: chmod(2) follows a symlink that somebody else may have put there. */
  async chmod(path: string, mode: number): Promise<void> {
    const fd = await openFd(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      await chmodFd(fd, mode);
    } finally {
      await closeFd(fd);
    }
  }

  chown(path: string, uid: number, gid: number): Promise<void> {
    return lchown(path, uid, gid);
  }

  touch(path: string, modifiedNs: bigint): Promise<void> {
    // The half microsecond keeps the double on the right side: libuv cuts it off.
    const seconds = Number(modifiedNs / 1_000_000_000n) + (Number((modifiedNs % 1_000_000_000n) / 1000n) + 0.5) / 1e6;
    return lutimes(path, seconds, seconds);
  }

  symlink(target: string, path: string): Promise<void> {
    return symlink(target, path);
  }

  link(from: string, to: string): Promise<void> {
    return link(from, to);
  }

  create(path: string): Promise<number> {
    return openFd(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o600);
  }

  open(path: string): Promise<number> {
    return openFd(path, constants.O_RDWR | constants.O_NOFOLLOW);
  }

  async write(fd: number, offset: number, bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.length;) {
      const { bytesWritten } = await writeFd(fd, bytes, done, bytes.length - done, offset + done);
      done += bytesWritten;
    }
  }

  truncate(fd: number, size: number): Promise<void> {
    return truncateFd(fd, size);
  }

  sync(fd: number): Promise<void> {
    return fsyncFd(fd);
  }

  close(fd: number): Promise<void> {
    return closeFd(fd);
  }

  async syncDirectory(path: string): Promise<void> {
    const fd = await openFd(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
    try {
      await fsyncFd(fd);
    } finally {
      await closeFd(fd);
    }
  }

  syncFileSystem(path: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const child = spawn('sync', ['-f', '--', path], { stdio: ['ignore', 'ignore', 'pipe'] });
      let said = '';
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        said = (said + text).slice(0, 500);
      });
      child.once('error', reject);
      child.once('close', (code) => {
        if (code === 0) resolve();
        else reject(Object.assign(new Error(`sync -f ${path}: ${said.trim()}`), { code: 'EIO' }));
      });
    });
  }
}
