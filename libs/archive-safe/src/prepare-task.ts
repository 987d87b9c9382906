import { mkdirSync } from 'node:fs';
import type { ArchiveReader } from './archive-reader.ts';
import { at, DirectoryCursor } from './directory-handle.ts';
import type { IndexEntry } from './entry.ts';
import { EntryOrder } from './entry-order.ts';
import { damaged, located, Refusal } from './refusal.ts';

export interface Budget {
  maxBytes: number;
  maxEntries: number;
}

export interface VolumeTotals {
  index: number;
  entries: number;
  contentBytes: number;
}

const maxKept = 20_000;

/**
 * The directories and links of the wanted volumes, so that the index is not read again for each of them; too many of them are
 * not kept, and then it is.
 */
export class KeptEntries {
  #entries: IndexEntry[] = [];
  #all = true;

  add(entry: IndexEntry): void {
    if (entry.type === 'file' || !this.#all) return;
    if (this.#entries.length < maxKept) this.#entries.push(entry);
    else {
      this.#all = false;
      this.#entries = [];
    }
  }

  /** In archive order. */
  *of(reader: ArchiveReader, volume: number): Generator<IndexEntry, void, void> {
    if (this.#all) {
      for (const entry of this.#entries) {
        if (entry.path === `${volume}` || entry.path.startsWith(`${volume}/`)) yield entry;
      }
    } else yield* noFiles(reader, volume);
  }
}

/** What of a volume is no file, in archive order, one index block in memory at a time. */
export function* noFiles(reader: ArchiveReader, volume: number): Generator<IndexEntry, void, void> {
  for (const [i, segment] of reader.table.segments.entries()) {
    if (segment.volume !== volume) continue;
    for (const entry of reader.index(i)) if (entry.type !== 'file') yield entry;
  }
}

/**
 * Reads the whole index before the first byte is written: order, parents, volumes against the table, and the budget of
 * `wanted` volumes. Memory is one index block at any number of entries.
 */
export function checkIndex(
  reader: ArchiveReader,
  wanted: ReadonlySet<number>,
  budget: Budget,
  kept?: KeptEntries,
): VolumeTotals[] {
  const order = new EntryOrder();
  const totals = new Map<number, VolumeTotals>();
  const { segments, volumes } = reader.table;
  for (const [i, segment] of segments.entries()) {
    const entries = reader.index(i);
    const edge = segment.volume === null;
    const expected = i === 0 ? 1 : i === segments.length - 1 ? 0 : undefined;
    if (edge !== (expected !== undefined) || (expected !== undefined && entries.length !== expected)) {
      throw damaged('TABLE', 'The manifest or the end of the archive is not where it belongs');
    }
    if (segment.frames.length !== 1 && entries.length !== 1) throw damaged('TABLE', 'A segment has a wrong shape');
    for (const entry of entries) {
      order.accept(entry);
      if (segment.volume === null) continue;
      if (entry.path !== `${segment.volume}` && !entry.path.startsWith(`${segment.volume}/`)) {
        throw damaged('TABLE', 'An entry lies in the segment of another volume');
      }
      const total = totals.get(segment.volume) ?? { index: segment.volume, entries: 0, contentBytes: 0 };
      total.entries++;
      total.contentBytes += entry.size;
      totals.set(segment.volume, total);
      if (wanted.has(segment.volume)) kept?.add(entry);
    }
    checkBudget(totals, wanted, budget);
  }
  for (const volume of volumes) {
    const total = totals.get(volume.index) ?? { entries: 0, contentBytes: 0 };
    if (
      total.entries !== volume.entries ||
      total.contentBytes !== volume.contentBytes ||
      volume.absent !== (total.entries === 0)
    ) {
      throw damaged('TABLE', 'The summary of a volume contradicts its entries');
    }
  }
  if ([...totals.keys()].some((index) => !volumes.some((volume) => volume.index === index))) {
    throw damaged('TABLE', 'A volume has no summary');
  }
  return [...totals.values()];
}

function checkBudget(totals: Map<number, VolumeTotals>, wanted: ReadonlySet<number>, budget: Budget): void {
  let bytes = 0;
  let entries = 0;
  for (const total of totals.values()) {
    if (!wanted.has(total.index)) continue;
    bytes += total.contentBytes;
    entries += total.entries;
  }
  if (bytes > budget.maxBytes || entries > budget.maxEntries) {
    throw new Refusal('INSUFFICIENT_SPACE', 'The archive holds more than it may', {
      rule: 'BUDGET',
      need: Math.max(bytes, entries),
      free: bytes > budget.maxBytes ? budget.maxBytes : budget.maxEntries,
    });
  }
}

/** Creates all directories of the wanted volumes, mode 0700, so that files can be written in any order. */
export function makeDirectories(
  entriesOf: (volume: number) => Iterable<IndexEntry>,
  roots: ReadonlyMap<number, number>,
  space: { entry(): void },
): void {
  for (const [volume, root] of roots) {
    const cursor = new DirectoryCursor(root);
    try {
      for (const entry of entriesOf(volume)) {
        if (entry.type !== 'directory') continue;
        const names = entry.path.split('/').slice(1);
        const name = names.pop();
        if (name === undefined) continue;
        try {
          mkdirSync(at(cursor.move(names), name), 0o700);
        } catch (error) {
          throw located(error, entry.path);
        }
        space.entry();
      }
    } finally {
      cursor.close();
    }
  }
}
