import { mkdirSync } from 'node:fs';
import { applyMetadata, type RestoreRules } from './apply-metadata.ts';
import { at, DirectoryCursor } from './directory-handle.ts';
import type { HeaderEntry } from './entry.ts';
import { StagedFile, type ExtractSpace } from './extract-task.ts';
import { makeHardlink, makeSymlink } from './make-links.ts';
import { located } from './refusal.ts';
import type { TarSink } from './tar-parser.ts';

/** A foreign archive has no order: links need all files, directories everything they hold. So it is read once for each. */
export type ImportPass = 'files' | 'links' | 'directories';

const ownerAccess = 0o700;

/** Makes a tree of what a reading gives, below a directory that is held open. */
export class ImportWriter implements TarSink {
  #pass: ImportPass;
  #space: ExtractSpace;
  #rules: RestoreRules;
  #cursor: DirectoryCursor;
  #sources: DirectoryCursor;
  #file: StagedFile | undefined;
  #entry: HeaderEntry | undefined;
  /** Directories that one could not go through any more: their metadata comes at the end, deepest first. */
  #closed: HeaderEntry[] = [];

  constructor(pass: ImportPass, root: number, space: ExtractSpace, rules: RestoreRules) {
    this.#pass = pass;
    this.#space = space;
    this.#rules = rules;
    this.#cursor = new DirectoryCursor(root);
    this.#sources = new DirectoryCursor(root);
  }

  entry(entry: HeaderEntry): void {
    this.#entry = entry;
    try {
      if (this.#pass === 'files') this.#make(entry);
      else if (this.#pass === 'links') this.#link(entry);
      else if (entry.type !== 'directory') return;
      else if ((entry.mode & ownerAccess) !== ownerAccess) this.#closed.push(entry);
      else this.#finish(entry);
    } catch (error) {
      throw located(error, entry.path);
    }
  }

  data(chunk: Buffer): void {
    try {
      this.#file?.write(chunk);
    } catch (error) {
      throw located(error, (this.#entry as HeaderEntry).path);
    }
  }

  entryEnd(): void {
    try {
      this.#file?.end();
      this.#file = undefined;
    } catch (error) {
      throw located(error, (this.#entry as HeaderEntry).path);
    }
  }

  /** All was read and is good. */
  finish(): void {
    this.#closed.sort((a, b) => b.path.split('/').length - a.path.split('/').length);
    for (const entry of this.#closed) this.#finish(entry);
  }

  close(): void {
    this.#file?.abandon();
    this.#cursor.close();
    this.#sources.close();
  }

  #make(entry: HeaderEntry): void {
    if (entry.path === '' || (entry.type !== 'file' && entry.type !== 'directory')) return;
    const names = entry.path.split('/');
    const name = names.pop() as string;
    const parent = this.#cursor.move(names);
    if (entry.type === 'file') {
      this.#file = new StagedFile(parent, name, { ...entry, sparse: false }, this.#space, this.#rules);
      return;
    }
    mkdirSync(at(parent, name), ownerAccess);
    this.#space.entry();
  }

  #link(entry: HeaderEntry): void {
    if (entry.type !== 'symlink' && entry.type !== 'hardlink') return;
    const names = entry.path.split('/');
    const name = names.pop() as string;
    const parent = this.#cursor.move(names);
    if (entry.type === 'symlink') makeSymlink(parent, name, entry, this.#rules);
    else makeHardlink(this.#sources, parent, name, entry.link.split('/'), entry);
    this.#space.entry();
  }

  #finish(entry: HeaderEntry): void {
    applyMetadata(this.#cursor.move(entry.path === '' ? [] : entry.path.split('/')), entry, this.#rules);
  }
}
