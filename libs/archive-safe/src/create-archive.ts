import { open, rename, unlink } from 'node:fs/promises';
import path from 'node:path';
import { ArchiveOutput } from './archive-output.ts';
import { AttributeScan } from './attribute-scan.ts';
import type { ByteString } from './byte-string.ts';
import type { CapturedVolume, CreateArchiveOptions, CreatedArchive } from './capture-request.ts';
import { openDirectory, closeReadOnly } from './directory-handle.ts';
import { forgeError } from './forge-fault.ts';
import { frameBytes } from './frame-plan.ts';
import type { PackedFrame } from './pack-task.ts';
import { crewOf, withThreads, type Thread } from './thread-crew.ts';

/**
 * Captures volumes into one archive file. On any failure, abort included, the partial file is removed and no thread is left.
 *
 * @throws ForgeError `VOLUME_NOT_CAPTURABLE` (with `paths`), `INSUFFICIENT_SPACE`, `IO_ERROR`, `CANCELLED`
 */
export async function createArchive(options: CreateArchiveOptions): Promise<CreatedArchive> {
  const roots: { volume: CapturedVolume; fd: number }[] = [];
  let attributes: AttributeScan | undefined;
  try {
    for (const volume of [...options.volumes].sort((a, b) => a.index - b.index)) {
      if (volume.root !== null) roots.push({ volume, fd: openDirectory(volume.root) });
    }
    const crew = crewOf(options.threads);
    const scan = (attributes = new AttributeScan(
      roots.map(({ volume, fd }) => ({ index: volume.index, root: fd, exclude: excludedNames(volume) })),
      options.signal,
    ));
    return await withThreads({ ...crew, count: crew.count + 1 }, options.signal, ([scanner, ...packers]) =>
      writeFile(options, roots, scanner as Thread, packers, scan),
    );
  } catch (error) {
    throw forgeError(error);
  } finally {
    await attributes?.close();
    for (const { fd } of roots) closeReadOnly(fd);
  }
}

function excludedNames({ exclude = [] }: CapturedVolume): ByteString[] {
  return exclude.map((name) => Buffer.from(name, 'utf8').toString('latin1'));
}

async function writeFile(
  options: CreateArchiveOptions,
  roots: { volume: CapturedVolume; fd: number }[],
  scanner: Thread,
  packers: Thread[],
  attributes: AttributeScan,
): Promise<CreatedArchive> {
  const partial = `${options.file}.partial`;
  await unlink(partial).catch(ignoreMissing);
  const handle = await open(partial, 'wx', 0o600);
  try {
    const out = new ArchiveOutput(handle, options);
    await out.manifest();
    await pump(options, roots, scanner, packers, out);
    out.notes.addAll(await attributes.notes());
    const created = await out.finish();
    await handle.sync();
    await handle.close();
    if (options.signal?.aborted === true) throw options.signal.reason;
    await rename(partial, options.file);
    await syncRenamed(options.file);
    return created;
  } catch (error) {
    await handle.close().catch(() => undefined);
    await unlink(partial).catch(() => undefined);
    throw error;
  }
}

/** A name that may be gone after a power cut is none. */
async function syncRenamed(file: string): Promise<void> {
  try {
    await syncDirectory(path.dirname(file));
  } catch (error) {
    await unlink(file).catch(() => undefined);
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
      exclude: excludedNames(volume),
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
