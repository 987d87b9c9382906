import { readdirSync } from 'node:fs';
import type { ArchiveTable } from './archive-table.ts';
import { openDirectory, closeReadOnly } from './directory-handle.ts';
import { forgeError } from './forge-fault.ts';
import { batches, share, withArchive, type OpenedArchive } from './open-archive.ts';
import type { Note } from './note.ts';
import { ProgressMeter } from './progress-meter.ts';
import { damaged, Refusal } from './refusal.ts';
import type { SpaceRule } from './space-watch.ts';
import type { Thread } from './thread-crew.ts';
import type { RestoreTrust } from './thread-operations.ts';
import { LimitedSignal, type TimeLimits } from './time-limits.ts';
import { WriteBehind } from './write-behind.ts';

export interface ExtractVolumesOptions {
  file: string;
  key: Buffer;
  /** `dir`: an existing empty directory, 0700, made by the caller; it becomes the root of the volume. */
  targets: readonly { index: number; dir: string }[];
  signal?: AbortSignal;
  /** Content bytes and entries of the targets, four times a second and at the end. */
  onProgress?: (progress: { doneBytes: number; totalBytes: number; doneEntries: number; totalEntries: number }) => void;
  spaceCheck?: SpaceRule;
  /** Content bytes of all targets together; checked before the first byte is written. */
  maxBytes?: number;
  maxEntries?: number;
  /** Default min(2, CPUs); 0: the calling thread, which then blocks. */
  threads?: number;
  /** Not watched with `threads: 0`. */
  limits?: TimeLimits;
  /** `caller`: who may not give files away keeps them; each is noted. Default `archive`. */
  owner?: 'archive' | 'caller';
}

/** An archive of ours that somebody else may have made. */
export interface ForeignOptions extends Omit<ExtractVolumesOptions, 'key'> {
  links: 0 | 1;
}

export interface ExtractedVolume {
  index: number;
  entries: number;
  contentBytes: number;
  files: number;
  directories: number;
  symlinks: number;
  hardlinks: number;
  fidelity: Fidelity;
}

/**
 * What came back, compared entry by entry with the index: content hash (of the bytes as they were written), type, size, mode,
 * owner, mtime to the microsecond, link target and link identity, read back from the file system. A difference that is not in
 * this report is none that was let pass: extraction fails with rule `FIDELITY`.
 */
export interface Fidelity {
  /** Entries that were read back; all of the volume. */
  compared: number;
  /** What the target cannot hold, or what a stranger may not bring: `MTIME_NOT_KEPT`, `OWNER_NOT_KEPT`, `MODE_CUT`. */
  notKept: Note[];
  /** What the archive itself does not hold, as noted at capture. */
  notCaptured: Note[];
}

/**
 * Extracts volumes and verifies every entry against the authenticated index: content hash, size, type, mode, owner, mtime
 * (microseconds) and links. What is written is written back meanwhile, but one sync a file system at the end is the caller's. On failure the targets hold a part;
 * the caller removes them with `removeTree`.
 *
 * @throws ForgeError `ARCHIVE_DAMAGED`, `ARCHIVE_TAMPERED`, `INSUFFICIENT_SPACE`, `IO_ERROR`, `CANCELLED`
 */
export async function extractVolumes(options: ExtractVolumesOptions): Promise<ExtractedVolume[]> {
  const trust = { modes: 0o7777, owner: options.owner ?? 'archive' };
  return restore(options, { key: options.key, trust });
}

/** The same for an archive of ours that was made with another key: nothing says who wrote it, so the import rules hold. */
export async function extractForeign(options: ForeignOptions): Promise<ExtractedVolume[]> {
  const trust = { modes: 0o777, owner: options.owner ?? 'archive' };
  return restore(options, { key: null, trust, links: options.links });
}

interface Trusted {
  key: Buffer | null;
  trust: RestoreTrust;
  /** Checked where given. */
  links?: 0 | 1;
}

async function restore(options: Omit<ExtractVolumesOptions, 'key'>, trusted: Trusted): Promise<ExtractedVolume[]> {
  const roots: [number, number][] = [];
  const limited = new LimitedSignal(options.signal, options.limits);
  try {
    for (const { index, dir } of options.targets) {
      const fd = openDirectory(dir);
      roots.push([index, fd]);
      if (readdirSync(`/proc/self/fd/${fd}`).length > 0)
        throw new Refusal('IO_ERROR', 'The directory to extract into is not empty', { rule: 'TARGET' });
    }
    return await withArchive(options.file, trusted.key, options.threads, limited.signal, (archive) =>
      restoreRoots(archive, roots, options, trusted, limited),
    );
  } catch (error) {
    throw forgeError(error);
  } finally {
    limited.stop();
    for (const [, fd] of roots) closeReadOnly(fd);
  }
}

async function restoreRoots(
  { table, threads }: OpenedArchive,
  roots: [number, number][],
  options: Omit<ExtractVolumesOptions, 'key'>,
  { trust, links }: Trusted,
  limited: LimitedSignal,
): Promise<ExtractedVolume[]> {
  const present = new Set(table.volumes.filter((volume) => !volume.absent).map((volume) => volume.index));
  if (roots.some(([index]) => !present.has(index)))
    throw damaged('VOLUME', 'The archive does not hold a volume that is to be extracted');
  const [first] = threads as [Thread];
  const { maxBytes = Number.MAX_SAFE_INTEGER, maxEntries = Number.MAX_SAFE_INTEGER } = options;
  const indexes = roots.map(([index]) => index);
  const totals = await first.call('checkIndex', [indexes, { maxBytes, maxEntries }]);
  const cut = links === undefined ? [] : await first.call('checkForeign', [indexes, links]);
  await verifyRest(table, threads, new Set(indexes));
  const wanted = new Map(totals.map((total) => [total.index, total]));
  const volumes = roots.map(([index]) => newVolume(index, wanted.get(index)));
  for (const volume of volumes) {
    volume.fidelity.notKept.push(...cut.filter((note) => isOf(note, volume.index)));
    volume.fidelity.notCaptured.push(...table.notes.filter((note) => isOf(note, volume.index)));
  }
  const totalBytes = volumes.reduce((sum, volume) => sum + volume.contentBytes, 0);
  const totalEntries = volumes.reduce((sum, volume) => sum + volume.entries, 0);
  const behind = new WriteBehind(
    roots.map(([, root]) => root),
    limited.signal,
  );
  const meter = new ProgressMeter((doneBytes, doneEntries) => {
    limited.progress();
    behind.reached(doneBytes);
    options.onProgress?.({ doneBytes, totalBytes, doneEntries, totalEntries });
  });
  await Promise.all(threads.map((thread) => thread.call('progressOpen', [meter.shared])));
  await Promise.all(threads.map((t) => t.call('targetsOpen', [roots, options.spaceCheck, threads.length])));
  meter.start();
  limited.progress();
  try {
    await writeVolumes(volumes, table, threads, meter, trust);
    await behind.finish();
  } finally {
    meter.stop();
    await behind.stop();
  }
  options.onProgress?.({ doneBytes: totalBytes, totalBytes, doneEntries: totalEntries, totalEntries });
  for (const volume of volumes) checkCounts(volume);
  return volumes;
}

async function writeVolumes(
  volumes: ExtractedVolume[],
  table: ArchiveTable,
  threads: Thread[],
  meter: ProgressMeter,
  trust: RestoreTrust,
): Promise<void> {
  await (threads[0] as Thread).call('makeDirectories', []);
  for (const volume of volumes) {
    const own = batches(table, (index) => index === volume.index);
    await share(threads, own, async (thread, batch) => {
      const { files, notes } = await thread.call('extract', [batch, trust]);
      volume.files += files;
      volume.fidelity.notKept.push(...notes);
      meter.tick();
    });
  }
  await share(threads, volumes, async (thread, volume) => {
    const { notes, ...counts } = await thread.call('finishVolume', [volume.index, trust]);
    Object.assign(volume, counts);
    volume.fidelity.notKept.push(...notes);
  });
}

/** What is not extracted is hashed, and manifest and end are read: a changed byte anywhere in the file is refused. */
async function verifyRest(table: ArchiveTable, threads: Thread[], extracted: ReadonlySet<number>): Promise<void> {
  const edges = batches(table, (volume) => volume === null);
  await share(threads, edges, (thread, batch) => thread.call('verify', [batch, true]));
  const rest = batches(table, (volume) => volume !== null && !extracted.has(volume));
  await share(threads, rest, (thread, batch) => thread.call('verify', [batch, false]));
  if (table.stored !== undefined) await (threads[0] as Thread).call('verifyDead', []);
}

function newVolume(index: number, total: { entries: number; contentBytes: number } | undefined): ExtractedVolume {
  const { entries, contentBytes } = total ?? { entries: 0, contentBytes: 0 };
  const fidelity = { compared: 0, notKept: [], notCaptured: [] };
  return { index, entries, contentBytes, files: 0, directories: 0, symlinks: 0, hardlinks: 0, fidelity };
}

/** `NOTES_CUT` counts notes of any volume. */
function isOf({ params }: Note, index: number): boolean {
  return params['path'] === undefined || `${params['path']}/`.startsWith(`${index}/`);
}

/** Every one of these was made and read back in the same step. */
function checkCounts(volume: ExtractedVolume): void {
  const made = volume.files + volume.directories + volume.symlinks + volume.hardlinks;
  if (made !== volume.entries)
    throw damaged('FIDELITY', 'Not every entry of a volume was made', { made, entries: volume.entries });
  volume.fidelity.compared = made;
}
