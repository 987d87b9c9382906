import { forgeError } from './forge-fault.ts';
import { withArchive } from './open-archive.ts';
import { damaged } from './refusal.ts';
import { maxManifestBytes, type EntryType, type IndexEntry } from './entry.ts';
import { bytesOf, escapePath } from './byte-string.ts';
import { mtimeText } from './tar-header.ts';
import type { Note } from './note.ts';
import type { ArchiveTable } from './archive-table.ts';
import type { Codec } from './codec.ts';
import type { Thread } from './thread-crew.ts';

/** One entry as the index has it. `path` is relative to the volume's root (empty for the root itself). */
export interface ArchiveEntry {
  volume: number;
  path: Buffer;
  /** `path` for messages and pages. */
  shownPath: string;
  type: EntryType;
  size: number;
  mode: number;
  uid: number;
  gid: number;
  /** Seconds with up to nine decimals. */
  mtime: string;
  /** Symlink: its target. Hardlink: the first name's path relative to the volume's root. */
  link: Buffer | null;
  /** Hex, of files. */
  sha256: string | null;
}

export interface ArchiveIndex {
  codec: Codec;
  /** Parsed `manifest.json`; its shape is the caller's to check. */
  manifest: unknown;
  volumes: { index: number; absent: boolean; links: number; entries: number; contentBytes: number }[];
  notes: Note[];
  bytes: number;
}

/** Manifest, volumes and notes of an authentic archive; no entry is read. */
export async function readIndex(file: string, options: { key: Buffer; signal?: AbortSignal }): Promise<ArchiveIndex> {
  return readAnyIndex(file, options.key, 1, options.signal);
}

/** The same of an archive of ours with any key; nothing of it is authentic. */
export async function readForeignIndex(
  file: string,
  { signal, threads }: { signal?: AbortSignal; threads?: 0 | 1 } = {},
): Promise<ArchiveIndex> {
  return readAnyIndex(file, null, threads, signal);
}

async function readAnyIndex(
  file: string,
  key: Buffer | null,
  threads: 0 | 1 = 1,
  signal?: AbortSignal,
): Promise<ArchiveIndex> {
  return withArchive(file, key, threads, signal, async ({ table, threads, fileBytes }) => {
    const manifest = await readManifest(threads[0] as Thread, table);
    const { codec, volumes, notes } = table;
    return { codec, manifest, volumes, notes, bytes: fileBytes };
  });
}

/** Parsed `manifest.json` of the archive that `thread` has open. */
export async function readManifest(thread: Thread, table: ArchiveTable): Promise<unknown> {
  const size = table.segments[0]?.contentBytes ?? 0;
  if (size > maxManifestBytes) throw damaged('MANIFEST', 'The manifest is too large');
  const body = await thread.call('segmentContent', [0]);
  try {
    return JSON.parse(Buffer.from(body).toString('utf8'));
  } catch {
    throw damaged('MANIFEST', 'The manifest is not JSON', { entry: 'manifest.json' });
  }
}

/** Entries in archive order, one index block in memory at a time. Ending the loop early closes everything. */
export async function* readEntries(
  file: string,
  options: { key: Buffer; volume?: number; signal?: AbortSignal },
): AsyncGenerator<ArchiveEntry, void, void> {
  const queue: IndexEntry[][] = [];
  const wake: { up: () => void; down: () => void } = { up: () => undefined, down: () => undefined };
  const stop = new AbortController();
  const signal = options.signal === undefined ? stop.signal : AbortSignal.any([options.signal, stop.signal]);
  let ended = false;
  const reading = withArchive(file, options.key, 1, signal, async ({ table, threads }) => {
    for (const [i, segment] of table.segments.entries()) {
      if (segment.volume === null || (options.volume !== undefined && segment.volume !== options.volume)) continue;
      queue.push(await (threads[0] as Thread).call('segmentIndex', [i]));
      wake.up();
      while (queue.length > 1 && !signal.aborted) {
        await new Promise<void>((resolve) => {
          wake.down = resolve;
          signal.addEventListener('abort', () => resolve(), { once: true });
        });
      }
    }
  }).finally(() => {
    ended = true;
    wake.up();
  });
  reading.catch(() => undefined);
  try {
    for (;;) {
      const block = queue.shift();
      wake.down();
      if (block !== undefined) for (const entry of block) yield publicEntry(entry);
      else if (ended) break;
      else await new Promise<void>((resolve) => (wake.up = resolve));
    }
    await reading;
  } catch (error) {
    throw forgeError(error);
  } finally {
    stop.abort();
    await reading.catch(() => undefined);
  }
}

export function publicEntry(entry: IndexEntry): ArchiveEntry {
  const inside = (path: string): string => (path.includes('/') ? path.slice(path.indexOf('/') + 1) : '');
  const link = entry.type === 'hardlink' ? inside(entry.link) : entry.link;
  return shown({ ...entry, path: inside(entry.path), link }, Number.parseInt(entry.path, 10));
}

/** Of an archive without volumes: `path` and the target of a hardlink are relative to the archive's root. */
export function publicTarEntry(entry: IndexEntry): ArchiveEntry {
  return shown(entry, 0);
}

function shown(entry: IndexEntry, volume: number): ArchiveEntry {
  const { path, type, size, mode, uid, gid, sha256 } = entry;
  return {
    volume,
    path: bytesOf(path),
    shownPath: escapePath(path),
    type,
    size,
    mode,
    uid,
    gid,
    mtime: mtimeText(entry.mtimeSec, entry.mtimeNs),
    link: type === 'symlink' || type === 'hardlink' ? bytesOf(entry.link) : null,
    sha256: sha256 === undefined ? null : Buffer.from(sha256).toString('hex'),
  };
}
