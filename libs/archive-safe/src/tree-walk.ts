import { constants, fstatSync, lstatSync, openSync, readdirSync, readlinkSync, type BigIntStats } from 'node:fs';
import { byteString, escapePath, type ByteString } from './byte-string.ts';
import { at, mountIdOf, openDirectoryAt, reopenDirectory, sameInode, closeReadOnly } from './directory-handle.ts';
import { maxComponentBytes, maxDepth, maxPathBytes, type HeaderEntry } from './entry.ts';
import { LinkPolicy, type LinkTier } from './link-policy.ts';
import type { NoteTaker } from './note.ts';
import { errnoOf, located } from './refusal.ts';

export interface WalkOptions {
  /** Archive path of the root: `"0"`, `"1"`, ... */
  prefix: ByteString;
  links: LinkTier;
  /** Exact names directly below the root that are left out. */
  exclude: ReadonlySet<ByteString>;
  notes: NoteTaker;
  /** Opens the first name of every file that has several, so that later names cannot refer to a file that vanished. */
  holdLinked: boolean;
}

export interface WalkedEntry extends HeaderEntry {
  device: bigint;
  inode: bigint;
  changed: bigint;
  sparse: boolean;
  /** A file that has several names. */
  linked: boolean;
  /** With `holdLinked`: open descriptor of a file with several names, the caller's to close; else -1. */
  held: number;
  /** Descriptor of the parent directory, valid until the walk goes on; -1 for the root. */
  directory: number;
  name: ByteString;
}

interface Level {
  fd: number;
  path: ByteString;
  names: ByteString[];
  next: number;
}

const gone = new Set(['ENOENT', 'ENOTDIR', 'ELOOP']);

/**
 * Walks a tree depth first, names in byte order, a directory before what it holds, without following a link or crossing a
 * mount. What an archive cannot hold is given to the link policy, which notes it or collects it as a violation.
 */
export class TreeWalk {
  readonly policy: LinkPolicy;
  #options: WalkOptions;
  #levels: Level[] = [];
  #device = 0n;
  #mount = 0;

  constructor(options: WalkOptions) {
    this.#options = options;
    this.policy = new LinkPolicy(options.links, options.notes);
  }

  /** `root` is an open directory and stays the caller's. */
  *walk(root: number): Generator<WalkedEntry, void, void> {
    const fd = reopenDirectory(root);
    try {
      this.#mount = mountIdOf(fd);
      const stat = fstatSync(fd, { bigint: true });
      this.#device = stat.dev;
      this.#enter(fd, this.#options.prefix);
    } catch (error) {
      if (this.#levels.length === 0) closeReadOnly(fd);
      this.close();
      throw error;
    }
    try {
      yield this.#entry(fstatSync(fd, { bigint: true }), this.#options.prefix, 'directory', -1, '');
      while (this.#levels.length > 0) {
        const found = this.#step(this.#levels.at(-1) as Level);
        if (found !== undefined) yield found;
      }
      this.policy.finish();
    } finally {
      this.close();
    }
  }

  close(): void {
    for (const level of this.#levels.splice(0)) closeReadOnly(level.fd);
  }

  #enter(fd: number, path: ByteString): void {
    let names = readdirSync(`/proc/self/fd/${fd}`, { encoding: 'latin1' });
    if (this.#levels.length === 0 && this.#options.exclude.size > 0) {
      names = names.filter((name) => !this.#options.exclude.has(name));
    }
    // Code units of a byte string are its bytes: the default order is the byte order.
    names.sort();
    this.#levels.push({ fd, path, names, next: 0 });
  }

  #step(level: Level): WalkedEntry | undefined {
    const name = level.names[level.next++];
    if (name === undefined) {
      closeReadOnly(level.fd);
      this.#levels.pop();
      return undefined;
    }
    const path = `${level.path}/${name}`;
    try {
      return this.#visit(level, name, path);
    } catch (error) {
      if (!gone.has(errnoOf(error) ?? '')) throw located(error, path);
      this.#options.notes.add('CHANGED_WHILE_READ', { path: escapePath(path), what: 'vanished' });
      return undefined;
    }
  }

  #visit(level: Level, name: ByteString, path: ByteString): WalkedEntry | undefined {
    const stat = lstatSync(at(level.fd, name), { bigint: true });
    const tooLong = name.length > maxComponentBytes || path.length + 1 > maxPathBytes;
    if (tooLong || this.#levels.length + 1 > maxDepth) {
      this.policy.unfit(path, 'PATH_SKIPPED');
      return undefined;
    }
    if (stat.isDirectory()) return this.#directory(level, name, path, stat);
    if (stat.isFile()) return this.#file(level, name, path, stat);
    if (stat.isSymbolicLink()) {
      const link = byteString(readlinkSync(at(level.fd, name), { encoding: 'buffer' }));
      if (!this.policy.takesSymlink(path, link)) return undefined;
      return { ...this.#entry(stat, path, 'symlink', level.fd, name), link };
    }
    if (stat.isSocket()) this.#options.notes.add('SOCKET_SKIPPED', { path: escapePath(path) });
    else this.policy.special(path, stat.isFIFO() ? 'fifo' : 'device');
    return undefined;
  }

  #directory(level: Level, name: ByteString, path: ByteString, seen: BigIntStats): WalkedEntry | undefined {
    if (seen.dev !== this.#device) {
      this.policy.unfit(path, 'MOUNT_POINT_SKIPPED');
      return undefined;
    }
    const fd = openDirectoryAt(level.fd, name);
    try {
      const stat = fstatSync(fd, { bigint: true });
      if (stat.dev !== this.#device || mountIdOf(fd) !== this.#mount) {
        this.policy.unfit(path, 'MOUNT_POINT_SKIPPED');
        closeReadOnly(fd);
        return undefined;
      }
      if (!sameInode(stat, seen))
        this.#options.notes.add('CHANGED_WHILE_READ', { path: escapePath(path), what: 'replaced' });
      this.#enter(fd, path);
      return this.#entry(stat, path, 'directory', level.fd, name);
    } catch (error) {
      if (this.#levels.at(-1)?.fd !== fd) closeReadOnly(fd);
      throw error;
    }
  }

  #file(level: Level, name: ByteString, path: ByteString, stat: BigIntStats): WalkedEntry {
    const entry = this.#entry(stat, path, 'file', level.fd, name);
    if (stat.nlink < 2n) return entry;
    const held = this.#options.holdLinked && !this.policy.knows(stat) ? this.#hold(level, name, stat) : -1;
    const first = this.policy.firstName(path, stat);
    if (first !== undefined) return { ...entry, type: 'hardlink', size: 0, link: first };
    return { ...entry, linked: true, held };
  }

  #hold(level: Level, name: ByteString, seen: BigIntStats): number {
    const fd = openSync(at(level.fd, name), readFlags);
    try {
      const stat = fstatSync(fd, { bigint: true });
      if (stat.isFile() && sameInode(stat, seen)) return fd;
      throw Object.assign(new Error('replaced while it was opened'), { code: 'ENOENT' });
    } catch (error) {
      closeReadOnly(fd);
      throw error;
    }
  }

  #entry(
    stat: BigIntStats,
    path: ByteString,
    type: HeaderEntry['type'],
    directory: number,
    name: ByteString,
  ): WalkedEntry {
    const clamped = stat.mtimeNs < 0n;
    if (clamped) this.#options.notes.add('MTIME_CLAMPED', { path: escapePath(path) });
    const mtime = clamped ? 0n : stat.mtimeNs;
    const size = type === 'file' ? Number(stat.size) : 0;
    return {
      path,
      type,
      mode: Number(stat.mode) & 0o7777,
      uid: Number(stat.uid),
      gid: Number(stat.gid),
      mtimeSec: Number(mtime / 1_000_000_000n),
      mtimeNs: Number(mtime % 1_000_000_000n),
      size,
      link: '',
      device: stat.dev,
      inode: stat.ino,
      changed: stat.ctimeNs,
      sparse: type === 'file' && Number(stat.blocks) * 512 + 4096 < size,
      linked: false,
      held: -1,
      directory,
      name,
    };
  }
}

/** How files are opened for reading: a name may have become a symlink, a fifo or a device since it was listed. */
export const readFlags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY;
