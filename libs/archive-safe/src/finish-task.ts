import { applyMetadata, type RestoreRules } from './apply-metadata.ts';
import type { ByteString } from './byte-string.ts';
import { DirectoryCursor, openDirectoryAt, reopenDirectory, closeReadOnly } from './directory-handle.ts';
import type { IndexEntry } from './entry.ts';
import { makeHardlink, makeSymlink } from './make-links.ts';
import { located } from './refusal.ts';

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
  #stack: OpenDirectory[] = [];
  #sources: DirectoryCursor;
  #space: { entry(): void };
  #rules: RestoreRules;

  constructor(root: number, space: { entry(): void }, rules: RestoreRules) {
    this.#root = root;
    this.#sources = new DirectoryCursor(root);
    this.#space = space;
    this.#rules = rules;
  }

  /** `entries`: what of the volume is no file, its root included, in archive order. */
  run(entries: Iterable<IndexEntry>): FinishedVolume {
    try {
      for (const entry of entries) {
        try {
          this.#visit(entry);
        } catch (error) {
          throw located(error, entry.path);
        }
      }
      this.#leave(0);
      return this.counts;
    } finally {
      this.#sources.close();
      for (const { fd } of this.#stack.splice(0)) closeReadOnly(fd);
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
      makeSymlink(parent.fd, name, entry, this.#rules);
      this.counts.symlinks++;
      this.#space.entry();
    } else {
      makeHardlink(this.#sources, parent.fd, name, entry.link.split('/').slice(1), entry);
      this.counts.hardlinks++;
      this.#space.entry();
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
      applyMetadata(fd, entry, this.#rules);
      closeReadOnly(fd);
      this.#stack.pop();
      this.counts.directories++;
    }
  }
}
