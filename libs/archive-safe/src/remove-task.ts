import { randomUUID } from 'node:crypto';
import { fchmodSync, fstatSync, lstatSync, readdirSync, renameSync, rmdirSync, unlinkSync } from 'node:fs';
import path from 'node:path';
import { escapePath, type ByteString } from './byte-string.ts';
import { at, mountIdOf, openDirectory, openDirectoryAt, closeReadOnly } from './directory-handle.ts';
import { errnoOf, Refusal } from './refusal.ts';

/** Inode number and birth time (ns) of a tree, as decimal text; stable across remounts, where `st_dev` is not. */
export interface TreeIdentity {
  inode: string;
  birthtimeNs: string;
}

interface Level {
  fd: number;
  name: ByteString;
  names: ByteString[];
}

/** Deeper directories are first moved up to the root of the tree: any depth is removed with this many descriptors. */
const maxHeldLevels = 64;

function ignoreMissing(call: () => void): void {
  try {
    call();
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
}

/** Removes a tree by directory handles; see `removeTree`. Returns the number of names removed. */
export function removeTreeTask(target: string, expected: TreeIdentity | undefined): number {
  const name = Buffer.from(path.basename(target), 'utf8').toString('latin1');
  let parent: number;
  try {
    parent = openDirectory(`${path.dirname(path.resolve(target))}/.`);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return 0;
    throw error;
  }
  try {
    return new Removal(parent, name).run(expected);
  } finally {
    closeReadOnly(parent);
  }
}

class Removal {
  #parent: number;
  #name: ByteString;
  #levels: Level[] = [];
  #mount = 0;
  #removed = 0;

  constructor(parent: number, name: ByteString) {
    this.#parent = parent;
    this.#name = name;
  }

  run(expected: TreeIdentity | undefined): number {
    try {
      const stat = lstatSync(at(this.#parent, this.#name), { bigint: true });
      const found = { inode: `${stat.ino}`, birthtimeNs: `${stat.birthtimeNs}` };
      if (expected !== undefined && (found.inode !== expected.inode || found.birthtimeNs !== expected.birthtimeNs)) {
        throw new Refusal('IO_ERROR', 'The tree to remove is not the expected one', { rule: 'IDENTITY' });
      }
      this.#mount = mountIdOf(this.#parent);
      if (stat.isDirectory()) this.#tree(stat.ino);
      else this.#unlink(this.#parent, this.#name);
    } catch (error) {
      if (this.#levels.length > 0 || errnoOf(error) !== 'ENOENT') throw error;
    } finally {
      for (const level of this.#levels.splice(0)) closeReadOnly(level.fd);
    }
    return this.#removed;
  }

  #tree(inode: bigint): void {
    this.#enter(this.#parent, this.#name);
    const top = this.#levels[0] as Level;
    if (fstatSync(top.fd, { bigint: true }).ino !== inode) {
      throw new Refusal('IO_ERROR', 'The tree to remove was replaced', { rule: 'IDENTITY' });
    }
    while (this.#levels.length > 0) this.#step(this.#levels.at(-1) as Level, top);
  }

  #step(level: Level, top: Level): void {
    const name = level.names.pop();
    if (name === undefined) {
      closeReadOnly(level.fd);
      this.#levels.pop();
      const parent = this.#levels.at(-1)?.fd ?? this.#parent;
      ignoreMissing(() => rmdirSync(at(parent, level.name)));
      this.#removed++;
      return;
    }
    ignoreMissing(() => {
      if (!lstatSync(at(level.fd, name)).isDirectory()) this.#unlink(level.fd, name);
      else if (this.#levels.length < maxHeldLevels) this.#enter(level.fd, name);
      else this.#moveUp(level, name, top);
    });
  }

  #moveUp(level: Level, name: ByteString, top: Level): void {
    // A random name: rename onto an existing empty directory replaces it without a word.
    const above = `.remove-${randomUUID()}`;
    renameSync(at(level.fd, name), at(top.fd, above));
    top.names.push(above);
  }

  #unlink(directory: number, name: ByteString): void {
    ignoreMissing(() => unlinkSync(at(directory, name)));
    this.#removed++;
  }

  #enter(directory: number, name: ByteString): void {
    const fd = openDirectoryAt(directory, name);
    try {
      if (mountIdOf(fd) !== this.#mount) {
        throw new Refusal('IO_ERROR', 'A mount point lies in the tree to remove', {
          rule: 'MOUNT',
          entry: escapePath(name),
        });
      }
      const mode = fstatSync(fd).mode & 0o7777;
      if ((mode & 0o700) !== 0o700) fchmodSync(fd, mode | 0o700);
      this.#levels.push({ fd, name, names: readdirSync(`/proc/self/fd/${fd}`, { encoding: 'latin1' }) });
    } catch (error) {
      closeReadOnly(fd);
      throw error;
    }
  }
}
