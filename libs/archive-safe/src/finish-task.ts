import { closeSync, fstatSync, linkSync, lstatSync, readlinkSync, symlinkSync } from 'node:fs';
import { applyMetadata, applySymlinkMetadata } from './apply-metadata.ts';
import type { ArchiveReader } from './archive-reader.ts';
import { bytesOf, escapePath, type ByteString } from './byte-string.ts';
import { at, DirectoryCursor, openDirectoryAt, reopenDirectory } from './directory-handle.ts';
import type { IndexEntry } from './entry.ts';
import type { NoteTaker } from './note.ts';
import { located, Refusal } from './refusal.ts';

export interface FinishedVolume {
  directories: number;
  symlinks: number;
  hardlinks: number;
}

interface OpenDirectory {
  name: ByteString;
  fd: number;
  entry: IndexEntry;
}

/**
 * Links, then the metadata of directories, each when all it holds is done (a later write would change its mtime).
 * Runs when every file of the volume is written.
 */
export class VolumeFinish {
  readonly counts: FinishedVolume = { directories: 0, symlinks: 0, hardlinks: 0 };
  #root: number;
  #device: bigint;
  #stack: OpenDirectory[] = [];
  #sources: DirectoryCursor;
  #space: { entry(): void };
  #notes: NoteTaker;

  constructor(root: number, space: { entry(): void }, notes: NoteTaker) {
    this.#root = root;
    this.#device = fstatSync(root, { bigint: true }).dev;
    this.#sources = new DirectoryCursor(root);
    this.#space = space;
    this.#notes = notes;
  }

  run(reader: ArchiveReader, volume: number): FinishedVolume {
    try {
      for (const [i, segment] of reader.table.segments.entries()) {
        if (segment.volume !== volume) continue;
        for (const entry of reader.index(i)) {
          try {
            this.#visit(entry);
          } catch (error) {
            throw located(error, entry.path);
          }
        }
      }
      this.#leave(0);
      return this.counts;
    } finally {
      this.#sources.close();
      for (const { fd } of this.#stack.splice(0)) closeSync(fd);
    }
  }

  #visit(entry: IndexEntry): void {
    const names = entry.path.split('/');
    if (names.length === 1) {
      this.#stack.push({ name: '', fd: reopenDirectory(this.#root), entry });
      return;
    }
    if (entry.type === 'file') return;
    this.#leave(this.#sharedDepth(names));
    const parent = this.#stack.at(-1) as OpenDirectory;
    const name = names.at(-1) as ByteString;
    if (entry.type === 'directory') {
      this.#stack.push({ name, fd: openDirectoryAt(parent.fd, name), entry });
    } else if (entry.type === 'symlink') {
      this.#symlink(parent.fd, name, entry);
    } else {
      this.#hardlink(parent.fd, name, entry);
    }
  }

  #sharedDepth(names: ByteString[]): number {
    let depth = 1;
    while (depth < this.#stack.length && depth < names.length - 1 && this.#stack[depth]?.name === names[depth]) depth++;
    return depth;
  }

  #leave(depth: number): void {
    while (this.#stack.length > depth) {
      const { fd, entry } = this.#stack.at(-1) as OpenDirectory;
      applyMetadata(fd, entry, this.#notes);
      closeSync(fd);
      this.#stack.pop();
      this.counts.directories++;
    }
  }

  #symlink(directory: number, name: ByteString, entry: IndexEntry): void {
    const path = at(directory, name);
    symlinkSync(bytesOf(entry.link), path);
    applySymlinkMetadata(path, entry, this.#notes);
    if (!readlinkSync(path, { encoding: 'buffer' }).equals(bytesOf(entry.link))) throw notKept(entry, 'link');
    this.counts.symlinks++;
    this.#space.entry();
  }

  #hardlink(directory: number, name: ByteString, entry: IndexEntry): void {
    const names = entry.link.split('/').slice(1);
    const last = names.pop() as ByteString;
    const source = at(this.#sources.move(names), last);
    const before = lstatSync(source, { bigint: true });
    if (!before.isFile() || before.dev !== this.#device) throw notKept(entry, 'link');
    const path = at(directory, name);
    linkSync(source, path);
    const after = lstatSync(path, { bigint: true });
    if (after.ino !== before.ino || !after.isFile()) throw notKept(entry, 'link');
    this.counts.hardlinks++;
    this.#space.entry();
  }
}

function notKept(entry: IndexEntry, what: string): Refusal {
  return new Refusal('IO_ERROR', 'A link of the archive could not be made as recorded', {
    rule: 'FIDELITY',
    entry: escapePath(entry.path),
    what,
  });
}
