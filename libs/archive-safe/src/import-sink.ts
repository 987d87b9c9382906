import { escapePath, type ByteString } from './byte-string.ts';
import { ContainedLinks } from './contained-links.ts';
import { manifestPath, maxManifestBytes, volumeOf, type HeaderEntry } from './entry.ts';
import { layoutOf, type ImportLayout } from './import-layout.ts';
import type { NoteTaker } from './note.ts';
import { PathSet } from './path-set.ts';
import { damaged, Refusal } from './refusal.ts';
import type { TarSink } from './tar-parser.ts';

export interface ImportRules {
  /** 0: files and directories only. 1: also hardlinks, and symlinks that stay inside. */
  links: 0 | 1;
  maxBytes: number;
  maxEntries: number;
}

export interface ImportVolume {
  index: number;
  entries: number;
  contentBytes: number;
}

export interface ImportTotals {
  layout: ImportLayout;
  /** Parsed `manifest.json` where the layout is `volumes`. */
  manifest: unknown;
  volumes: ImportVolume[];
  entries: number;
  contentBytes: number;
  files: number;
  directories: number;
  symlinks: number;
  hardlinks: number;
  /** Whether the root of the tree has an entry of its own, `./`. */
  hasRoot: boolean;
}

const file = 1;
const directory = 2;
const symlink = 3;
const kinds = { file, directory, symlink, hardlink: file };
const counted = { file: 'files', directory: 'directories', symlink: 'symlinks', hardlink: 'hardlinks' } as const;
const maxHeldLinkBytes = 64 << 20;

/**
 * The rules that need more than one header: every path new, its parent declared as a directory before (N6), links by tier,
 * budget at the header that breaks it. What passes is given on with nine mode bits.
 */
export class ImportSink implements TarSink {
  readonly totals = { entries: 0, contentBytes: 0, files: 0, directories: 0, symlinks: 0, hardlinks: 0 };
  #rules: ImportRules;
  #inner: TarSink | undefined;
  #notes: NoteTaker;
  #paths = new PathSet();
  #symlinks = new ContainedLinks();
  #volumes = new Map<number, ImportVolume>();
  #hasRoot = false;
  #hasOther = false;
  #manifest: Buffer[] | undefined;
  #inManifest = false;
  #crossLink: ByteString | undefined;

  constructor(rules: ImportRules, notes: NoteTaker, inner?: TarSink) {
    this.#rules = rules;
    this.#notes = notes;
    this.#inner = inner;
  }

  entry(entry: HeaderEntry): void {
    this.#count(entry);
    const { path, type } = entry;
    if (path.includes('/') && this.#paths.get(path.slice(0, path.lastIndexOf('/'))) !== directory) {
      throw damaged('PARENT', 'The parent of an entry was not declared as a directory before', refusedAt(path));
    }
    this.#link(entry);
    if (!this.#paths.add(path, kinds[type])) throw damaged('DUPLICATE', 'A path appears twice', refusedAt(path));
    this.#place(entry);
    const mode = entry.mode & 0o777;
    if (mode !== entry.mode) this.#notes.add('MODE_CUT', { path: escapePath(path), mode: entry.mode.toString(8) });
    this.#inner?.entry({ ...entry, mode });
  }

  data(chunk: Buffer): void {
    if (this.#inManifest) this.#manifest?.push(Buffer.from(chunk));
    this.#inner?.data(chunk);
  }

  entryEnd(): void {
    this.#inManifest = false;
    this.#inner?.entryEnd();
  }

  /** What can be told only when all was seen. */
  finish(): ImportTotals {
    const manifest = this.#manifest && Buffer.concat(this.#manifest);
    const { layout, manifest: parsed } = layoutOf(manifest, [...this.#volumes.keys()], this.#hasOther || this.#hasRoot);
    for (const path of this.#symlinks.escaping(layout === 'volumes' ? 1 : 0)) {
      throw damaged('LINK', 'A symlink leads out of the tree', refusedAt(path));
    }
    if (layout === 'volumes' && this.#crossLink !== undefined) {
      throw damaged('LINK', 'A hardlink leads into another volume', refusedAt(this.#crossLink));
    }
    const volumes = layout === 'volumes' ? [...this.#volumes.values()].sort((a, b) => a.index - b.index) : [];
    return { ...this.totals, layout, manifest: parsed, volumes, hasRoot: this.#hasRoot };
  }

  #count({ path, type, size }: HeaderEntry): void {
    const { totals } = this;
    totals.entries++;
    totals.contentBytes += size;
    totals[counted[type]]++;
    const { maxBytes, maxEntries } = this.#rules;
    if (totals.contentBytes > maxBytes || totals.entries > maxEntries) {
      const bytes = totals.contentBytes > maxBytes;
      throw overBudget(bytes ? totals.contentBytes : totals.entries, bytes ? maxBytes : maxEntries, refusedAt(path));
    }
  }

  #link({ path, type, link }: HeaderEntry): void {
    if (type !== 'symlink' && type !== 'hardlink') return;
    if (this.#rules.links === 0) {
      throw damaged('LINK', 'Links are not taken from an archive of somebody else, unless asked for (links 1)', {
        ...refusedAt(path),
        links: 0,
      });
    }
    if (type === 'symlink') {
      this.#symlinks.add(path, link);
      if (this.#symlinks.bytes > maxHeldLinkBytes)
        throw overBudget(this.#symlinks.bytes, maxHeldLinkBytes, refusedAt(path));
      return;
    }
    if (this.#paths.get(link) !== file || path === link) {
      throw damaged('LINK', 'A hardlink does not name an earlier file of the archive', refusedAt(path));
    }
    if (volumeOf(link) !== volumeOf(path)) this.#crossLink ??= path;
  }

  /** Notes where in the layout of volumes the entry would lie. */
  #place({ path, type, size }: HeaderEntry): void {
    if (path === '') {
      this.#hasRoot = true;
      return;
    }
    if (path === manifestPath && type === 'file' && size <= maxManifestBytes) {
      this.#manifest = [];
      this.#inManifest = true;
      return;
    }
    const index = volumeOf(path);
    if (index === undefined || (type !== 'directory' && !path.includes('/'))) {
      this.#hasOther = true;
      return;
    }
    const volume = this.#volumes.get(index) ?? { index, entries: 0, contentBytes: 0 };
    volume.entries++;
    volume.contentBytes += size;
    this.#volumes.set(index, volume);
  }
}

function refusedAt(path: ByteString): { entry: string } {
  return { entry: escapePath(path) };
}

export function overBudget(need: number, free: number, where: { entry?: string } = {}): Refusal {
  return new Refusal('INSUFFICIENT_SPACE', 'The archive holds more than it may', {
    rule: 'BUDGET',
    mount: 'The budget',
    need,
    free,
    ...where,
  });
}
