import { closeSync, readdirSync } from 'node:fs';
import { openDirectory } from './directory-handle.ts';
import { forgeError } from './forge-fault.ts';
import { batches, share, withArchive } from './open-archive.ts';
import type { Note } from './note.ts';
import { damaged, Refusal } from './refusal.ts';
import type { SpaceRule } from './space-watch.ts';
import type { Thread } from './thread-crew.ts';

export interface ExtractVolumesOptions {
  file: string;
  key: Buffer;
  /** `dir`: an existing empty directory, 0700, made by the caller; it becomes the root of the volume. */
  targets: readonly { index: number; dir: string }[];
  signal?: AbortSignal;
  /** Content bytes and entries of the targets. */
  onProgress?: (progress: { doneBytes: number; totalBytes: number; doneEntries: number; totalEntries: number }) => void;
  spaceCheck?: SpaceRule;
  /** Content bytes of all targets together; checked before the first byte is written. */
  maxBytes?: number;
  maxEntries?: number;
  /** Default min(2, CPUs); 0: the calling thread, which then blocks. */
  threads?: number;
}

export interface ExtractedVolume {
  index: number;
  entries: number;
  contentBytes: number;
  files: number;
  directories: number;
  symlinks: number;
  hardlinks: number;
  /** `MTIME_NOT_KEPT`: what the target file system cannot hold. */
  notes: Note[];
}

/**
 * Extracts volumes and verifies every entry against the authenticated index: content hash, size, type, mode, owner, mtime
 * (microseconds) and links. Nothing is synced: one sync a file system is the caller's. On failure the targets hold a part;
 * the caller removes them with `removeTree`.
 *
 * @throws ForgeError `ARCHIVE_DAMAGED`, `ARCHIVE_TAMPERED`, `INSUFFICIENT_SPACE`, `IO_ERROR`, `CANCELLED`
 */
export async function extractVolumes(options: ExtractVolumesOptions): Promise<ExtractedVolume[]> {
  const roots: [number, number][] = [];
  try {
    for (const { index, dir } of options.targets) {
      const fd = openDirectory(dir);
      roots.push([index, fd]);
      if (readdirSync(`/proc/self/fd/${fd}`).length > 0)
        throw new Refusal('IO_ERROR', 'The directory to extract into is not empty', { rule: 'TARGET' });
    }
    return await withArchive(options.file, options.key, options.threads, options.signal, async ({ table, threads }) => {
      const present = new Set(table.volumes.filter((volume) => !volume.absent).map((volume) => volume.index));
      if (roots.some(([index]) => !present.has(index)))
        throw damaged('VOLUME', 'The archive does not hold a volume that is to be extracted');
      const [first] = threads as [Thread];
      const { maxBytes = Number.MAX_SAFE_INTEGER, maxEntries = Number.MAX_SAFE_INTEGER } = options;
      const totals = await first.call('checkIndex', [roots.map(([index]) => index), { maxBytes, maxEntries }]);
      await Promise.all(threads.map((t) => t.call('targetsOpen', [roots, options.spaceCheck, threads.length])));
      await first.call('makeDirectories', []);
      const wanted = new Map(totals.map((total) => [total.index, total]));
      const volumes = roots.map(([index]) => newVolume(index, wanted.get(index)));
      const totalBytes = volumes.reduce((sum, volume) => sum + volume.contentBytes, 0);
      const totalEntries = volumes.reduce((sum, volume) => sum + volume.entries, 0);
      let doneBytes = 0;
      let doneEntries = 0;
      for (const volume of volumes) {
        await share(
          threads,
          batches(table, (index) => index === volume.index),
          async (thread, batch) => {
            const done = await thread.call('extract', [batch]);
            volume.files += done.files;
            volume.notes.push(...done.notes);
            doneBytes += done.bytes;
            doneEntries += done.entries;
            options.onProgress?.({ doneBytes, totalBytes, doneEntries, totalEntries });
          },
        );
      }
      await share(threads, volumes, async (thread, volume) => {
        const { notes, ...counts } = await thread.call('finishVolume', [volume.index]);
        Object.assign(volume, counts);
        volume.notes.push(...notes);
      });
      for (const volume of volumes) checkCounts(volume);
      return volumes;
    });
  } catch (error) {
    throw forgeError(error);
  } finally {
    for (const [, fd] of roots) closeSync(fd);
  }
}

function newVolume(index: number, total: { entries: number; contentBytes: number } | undefined): ExtractedVolume {
  const { entries, contentBytes } = total ?? { entries: 0, contentBytes: 0 };
  return { index, entries, contentBytes, files: 0, directories: 0, symlinks: 0, hardlinks: 0, notes: [] };
}

function checkCounts(volume: ExtractedVolume): void {
  const made = volume.files + volume.directories + volume.symlinks + volume.hardlinks;
  if (made !== volume.entries)
    throw damaged('FIDELITY', 'Not every entry of a volume was made', { made, entries: volume.entries });
}
