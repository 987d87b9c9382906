import { escapePath, type ByteString } from './byte-string.ts';
import { comparePaths, manifestPath, volumeOf, type IndexEntry } from './entry.ts';
import { damaged, type Refusal } from './refusal.ts';

/**
 * Checks that entries come in the one order a writer uses: manifest first, volumes by number, each depth first in byte
 * order. With that, a duplicate cannot be expressed and a parent is always a directory that was declared before (rule N6);
 * the memory it takes is one path.
 */
export class EntryOrder {
  #last: ByteString[] | undefined;
  #directories: ByteString[] = [];
  /** Of the last entry. */
  #parent: ByteString = '';

  accept(entry: IndexEntry): void {
    if (this.#isNextBesideLast(entry)) return;
    const refuse = (rule: string, message: string): Refusal =>
      damaged(rule, message, { entry: escapePath(entry.path) });
    const names = entry.path.split('/');
    if (this.#last === undefined) {
      if (entry.path !== manifestPath || entry.type !== 'file')
        throw refuse('ORDER', 'The manifest is not the first entry');
      this.#last = [];
      return;
    }
    const volume = volumeOf(entry.path);
    if (volume === undefined) throw refuse('PATH', 'An entry belongs to no volume');
    if (names.length === 1) {
      const before = this.#last.length === 0 ? -1 : Number(this.#last[0]);
      if (entry.type !== 'directory') throw refuse('TYPE', 'The root of a volume is no directory');
      if (volume <= before) throw refuse('ORDER', 'The volumes are not in ascending order');
      this.#directories = [];
    } else if (this.#last.length === 0 || comparePaths(this.#last, names) >= 0) {
      throw refuse('ORDER', 'An entry is out of order or appears twice');
    }
    let shared = 0;
    while (shared < this.#directories.length && this.#directories[shared] === names[shared]) shared++;
    if (shared < names.length - 1) throw refuse('PARENT', 'The parent of an entry is no directory of the archive');
    this.#directories.length = names.length - 1;
    if (entry.type === 'directory') this.#directories.push(names[names.length - 1] as ByteString);
    if (entry.type === 'hardlink') this.#checkLink(entry, names, refuse);
    this.#last = names;
    this.#parent = names.slice(0, -1).join('/');
  }

  /** Most entries are files that follow another entry of their directory: then one comparison says all. */
  #isNextBesideLast({ path, type }: IndexEntry): boolean {
    const last = this.#last;
    if (last === undefined || last.length < 2 || (type !== 'file' && type !== 'symlink')) return false;
    const border = path.lastIndexOf('/');
    if (border !== this.#parent.length || !path.startsWith(this.#parent)) return false;
    const name = path.slice(border + 1);
    if (name <= (last[last.length - 1] as string)) return false;
    this.#directories.length = last.length - 1;
    last[last.length - 1] = name;
    return true;
  }

  #checkLink(entry: IndexEntry, names: ByteString[], refuse: (rule: string, message: string) => Refusal): void {
    const target = entry.link.split('/');
    if (volumeOf(entry.link) !== Number(names[0]) || target.length < 2 || comparePaths(target, names) >= 0) {
      throw refuse('LINK', 'A hardlink does not name an earlier entry of its volume');
    }
  }
}
