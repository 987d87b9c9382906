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
  return (await readWholeIndex(file, options.key, options.signal)).index;
}

/** The same of an archive of ours with any key; nothing of it is authentic. */
export async function readForeignIndex(
  file: string,
  { signal, threads }: { signal?: AbortSignal; threads?: 0 | 1 } = {},
): Promise<ArchiveIndex> {
  return (await readWholeIndex(file, null, signal, threads)).index;
}

/** Without a key nothing of it is authentic. */
export async function readWholeIndex(
  file: string,
  key: Buffer | null,
  signal?: AbortSignal,
  threads: 0 | 1 = 1,
): Promise<{ index: ArchiveIndex; manifestBytes: Buffer }> {
  return withArchive(file, key, threads, signal, async ({ table, threads: [thread], fileBytes }) => {
    const manifestBytes = await manifestBody(thread as Thread, table);
    const { codec, volumes, notes } = table;
    const manifest = parseManifest(manifestBytes);
    return { index: { codec, manifest, volumes, notes, bytes: fileBytes }, manifestBytes };
  });
}

/** Parsed `manifest.json` of the archive that `thread` has open. */
export async function readManifest(thread: Thread, table: ArchiveTable): Promise<unknown> {
  return parseManifest(await manifestBody(thread, table));
}

async function manifestBody(thread: Thread, table: ArchiveTable): Promise<Buffer> {
  const size = table.segments[0]?.contentBytes ?? 0;
  if (size > maxManifestBytes) throw damaged('MANIFEST', 'The manifest is too large');
  return Buffer.from(await thread.call('segmentContent', [0]));
}

function parseManifest(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    throw damaged('MANIFEST', 'The manifest is not JSON', { entry: 'manifest.json' });
  }
}

/** Entries in archive order, one index block in memory at a time. Ending the loop early closes everything. */
export async function* readEntries(
  file: string,
  options: { key: Buffer; volume?: number; signal?: AbortSignal },
): AsyncGenerator<ArchiveEntry, void, void> {
  const { volume } = options;
  const wanted = (of: number | null): boolean => of !== null && (volume === undefined || of === volume);
  for await (const entry of indexEntries(file, options.key, wanted, options.signal)) yield publicEntry(entry);
}

/** All entries as the archive names them, `manifest.json` first. Without a key nothing of them is authentic. */
export async function* readTarEntries(
  file: string,
  key: Buffer | null,
  signal?: AbortSignal,
  threads: 0 | 1 = 1,
): AsyncGenerator<ArchiveEntry, void, void> {
  for await (const entry of indexEntries(file, key, () => true, signal, threads)) yield publicTarEntry(entry);
}

async function* indexEntries(
  file: string,
  key: Buffer | null,
  wanted: (volume: number | null) => boolean,
  outer: AbortSignal | undefined,
  threads: 0 | 1 = 1,
): AsyncGenerator<IndexEntry, void, void> {
  const queue: IndexEntry[][] = [];
  const wake: { up: () => void; down: () => void } = { up: () => undefined, down: () => undefined };
  const stop = new AbortController();
  const signal = outer === undefined ? stop.signal : AbortSignal.any([outer, stop.signal]);
  let ended = false;
  const reading = withArchive(file, key, threads, signal, async ({ table, threads }) => {
    for (const [i, segment] of table.segments.entries()) {
      if (!wanted(segment.volume)) continue;
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
      if (block !== undefined) yield* block;
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
