import { closeSync, constants, openSync, readFileSync, readlinkSync, type BigIntStats } from 'node:fs';
import type { ByteString } from './byte-string.ts';

const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = constants;

/**
 * The path of one name in a held directory. Node has no openat(2); this reaches the same inode even after somebody renamed
 * the directory and put a link in its place. `name` is one component: never join two, the first would be followed.
 */
export function at(directory: number, name: ByteString): Buffer {
  return Buffer.from(`/proc/self/fd/${directory}/${name}`, 'latin1');
}

/** Opens a child directory; a symlink in its place is ENOTDIR. */
export function openDirectoryAt(directory: number, name: ByteString): number {
  return openSync(at(directory, name), O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
}

/** Opens a directory by path; its last component may not be a symlink, earlier ones are the caller's business. */
export function openDirectory(path: string | Buffer): number {
  return openSync(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
}

/**
 * Closes what was only read. Whatever close(2) says, the descriptor is gone and nothing can be lost; an error from here would
 * hide the one that matters, and leave the others open.
 */
export function closeReadOnly(fd: number): void {
  try {
    closeSync(fd);
  } catch {
    // Nothing was written through it.
  }
}

/** A second descriptor of the same directory, at its beginning. */
export function reopenDirectory(fd: number): number {
  return openSync(`/proc/self/fd/${fd}`, O_RDONLY | O_DIRECTORY);
}

/** The kernel's id of the mount a descriptor lies on: differs across bind mounts of one file system, where `st_dev` does not. */
export function mountIdOf(fd: number): number {
  const match = /^mnt_id:\s*(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'));
  if (match === null) throw new Error('no mnt_id in fdinfo');
  return Number(match[1]);
}

/** Absolute path of an open descriptor, as bytes. */
export function pathOf(fd: number): Buffer {
  return readlinkSync(`/proc/self/fd/${fd}`, { encoding: 'buffer' });
}

export function sameInode(a: BigIntStats, b: BigIntStats): boolean {
  return a.dev === b.dev && a.ino === b.ino;
}

/** Holds the chain of open directories from a root down to where it last went; moving keeps the shared part open. */
export class DirectoryCursor {
  #root: number;
  #names: ByteString[] = [];
  #fds: number[] = [];
  /** Where `moveToParent` went last. */
  #parent: ByteString | undefined;

  /** `root` stays the caller's to close. */
  constructor(root: number) {
    this.#root = root;
  }

  get depth(): number {
    return this.#names.length;
  }

  get current(): number {
    return this.#fds.at(-1) ?? this.#root;
  }

  /** Moves to the directory `names` below the root and returns its descriptor, valid until the next move. */
  move(names: readonly ByteString[]): number {
    this.#parent = undefined;
    let shared = 0;
    while (shared < names.length && shared < this.#names.length && names[shared] === this.#names[shared]) shared++;
    this.#dropTo(shared);
    for (let i = shared; i < names.length; i++) {
      const name = names[i] as ByteString;
      this.#fds.push(openDirectoryAt(this.current, name));
      this.#names.push(name);
    }
    return this.current;
  }

  /** `move` for the parent of a path of an archive, whose first component is the volume's number and the root here. */
  moveToParent(path: ByteString): number {
    const border = path.lastIndexOf('/');
    const parent = path.slice(0, border);
    if (parent !== this.#parent) {
      this.move(parent.split('/').slice(1));
      this.#parent = parent;
    }
    return this.current;
  }

  close(): void {
    this.#dropTo(0);
  }

  #dropTo(depth: number): void {
    if (depth < this.#fds.length) this.#parent = undefined;
    while (this.#fds.length > depth) {
      closeReadOnly(this.#fds.pop() as number);
      this.#names.pop();
    }
  }
}
