import { closeSync } from 'node:fs';
import { open, rename, unlink } from 'node:fs/promises';
import path from 'node:path';
import { ArchiveOutput } from './archive-output.ts';
import type { Codec } from './codec.ts';
import { openDirectory } from './directory-handle.ts';
import { forgeError } from './forge-fault.ts';
import { frameBytes } from './frame-plan.ts';
import type { LinkTier } from './link-policy.ts';
import type { Note } from './note.ts';
import type { PackedFrame } from './pack-task.ts';
import type { SpaceRule } from './space-watch.ts';
import { crewOf, withThreads, type Thread } from './thread-crew.ts';

export interface CapturedVolume {
  index: number;
  /** Canonical absolute path of the directory, or null for a volume that is absent. */
  root: string | null;
  links: LinkTier;
  /** Exact names directly below the root that are left out. */
  exclude?: readonly string[];
}

export interface CreateArchiveOptions {
  /** Absolute path. Written as `<file>.partial` beside it, synced, renamed; a stale partial file is replaced. */
  file: string;
  volumes: readonly CapturedVolume[];
  /** Written as `manifest.json`, at most 1 MiB of JSON. */
  manifest: object;
  codec?: Codec;
  /** Compression level; default 3 for zstd, 6 for gzip. */
  level?: number;
  /** 32 bytes; see `loadOrCreateKey`. */
  key: Buffer;
  signal?: AbortSignal;
  /** Called on the calling thread as parts are written. Bytes are content bytes read. */
  onProgress?: (progress: { doneBytes: number; doneEntries: number }) => void;
  freeSpaceCheck?: SpaceRule;
  /** Compressing threads, default min(2, CPUs); one more reads the trees. 0: the calling thread does all, and blocks. */
  threads?: number;
}

export interface CreatedArchive {
  /** Size of the archive file. */
  bytes: number;
  /** Hex SHA-256 of the archive file. */
  sha256: string;
  contentBytes: number;
  /** Entries of all volumes, without the manifest. */
  entries: number;
  volumes: { index: number; contentBytes: number; entries: number }[];
  notes: Note[];
}

/**
 * Captures volumes into one archive file. On any failure, abort included, the partial file is removed and no thread is left.
 *
 * @throws ForgeError `VOLUME_NOT_CAPTURABLE` (with `paths`), `INSUFFICIENT_SPACE`, `IO_ERROR`, `CANCELLED`
 */
export async function createArchive(options: CreateArchiveOptions): Promise<CreatedArchive> {
  const roots: { volume: CapturedVolume; fd: number }[] = [];
  try {
    for (const volume of [...options.volumes].sort((a, b) => a.index - b.index)) {
      if (volume.root !== null) roots.push({ volume, fd: openDirectory(volume.root) });
    }
    const crew = crewOf(options.threads);
    return await withThreads({ ...crew, count: crew.count + 1 }, options.signal, ([scanner, ...packers]) =>
      writeFile(options, roots, scanner as Thread, packers),
    );
  } catch (error) {
    throw forgeError(error);
  } finally {
    for (const { fd } of roots) closeSync(fd);
  }
}

async function writeFile(
  options: CreateArchiveOptions,
  roots: { volume: CapturedVolume; fd: number }[],
  scanner: Thread,
  packers: Thread[],
): Promise<CreatedArchive> {
  const partial = `${options.file}.partial`;
  await unlink(partial).catch(ignoreMissing);
  const handle = await open(partial, 'wx', 0o600);
  try {
    const out = new ArchiveOutput(handle, options);
    await out.manifest();
    await pump(options, roots, scanner, packers, out);
    const created = await out.finish();
    await handle.sync();
    await handle.close();
    if (options.signal?.aborted === true) throw options.signal.reason;
    await rename(partial, options.file);
    await syncDirectory(path.dirname(options.file));
    return created;
  } catch (error) {
    await handle.close().catch(() => undefined);
    await unlink(partial).catch(() => undefined);
    throw error;
  }
}

function ignoreMissing(error: unknown): void {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
}

export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** What a frame takes when it cannot be compressed at all. */
const outputBytes = frameBytes + (frameBytes >> 7);

/** Jobs in flight are bounded, frames are written in the order in which they were planned. */
async function pump(
  { codec = 'zstd', level, onProgress }: CreateArchiveOptions,
  roots: { volume: CapturedVolume; fd: number }[],
  scanner: Thread,
  packers: Thread[],
  out: ArchiveOutput,
): Promise<void> {
  await scanner.call('scanOpen', [
    roots.map(({ volume, fd }) => ({
      index: volume.index,
      root: fd,
      links: volume.links,
      exclude: (volume.exclude ?? []).map((name) => Buffer.from(name, 'utf8').toString('latin1')),
    })),
  ]);
  const settings = level === undefined ? { codec } : { codec, level };
  await Promise.all(packers.map((packer) => packer.call('packOpen', [settings])));
  const inFlight: Promise<PackedFrame>[] = [];
  let finished = 0;
  let spare: ArrayBuffer[] = [];
  const outputs: ArrayBuffer[] = [];
  const writeOldest = async (): Promise<void> => {
    const frame = await (inFlight.shift() as Promise<PackedFrame>);
    finished++;
    if (frame.spare !== null) spare.push(frame.spare);
    await out.frame(frame);
    outputs.push(frame.out);
    onProgress?.({ doneBytes: out.contentBytes, doneEntries: out.entries });
  };
  for (;;) {
    const job = await scanner.call('scanNext', [finished, spare], spare);
    finished = 0;
    spare = [];
    if (job === null) break;
    const packer = packers.reduce((a, b) => (b.load < a.load ? b : a));
    const output = outputs.pop() ?? new ArrayBuffer(outputBytes);
    const packed = packer.call('pack', [job, output], [job.kind === 'piece' ? job.raw : job.plan, output]);
    packed.catch(() => undefined);
    inFlight.push(packed);
    if (inFlight.length >= packers.length + 2) await writeOldest();
  }
  while (inFlight.length > 0) await writeOldest();
  out.notes.addAll(await scanner.call('scanNotes', []));
}
