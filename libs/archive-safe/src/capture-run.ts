import { open, rename, unlink, type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import type { ArchiveOutput } from './archive-output.ts';
import type { ByteString } from './byte-string.ts';
import type { CapturedVolume, CreateArchiveOptions } from './capture-request.ts';
import { openDirectory, closeReadOnly } from './directory-handle.ts';
import { forgeError } from './forge-fault.ts';
import { frameBytes } from './frame-plan.ts';
import type { PackedFrame } from './pack-task.ts';
import type { KeepJob, ScanVolume } from './scan-task.ts';
import { crewOf, startThreads, stopIfAborted, useThreads, type Thread } from './thread-crew.ts';

export interface CaptureRun {
  volumes: ScanVolume[];
  scanner: Thread;
  packers: Thread[];
}

/** The threads of a capture, started: the first scans, the others pack. */
export function startCrew({ threads }: CreateArchiveOptions): Thread[] {
  const crew = crewOf(threads);
  return startThreads({ ...crew, count: crew.count + 1 });
}

/** Opens the roots of the volumes and starts the threads of a capture, unless they are `started` already; both are gone when it settles. */
export async function withCapture<T>(
  options: CreateArchiveOptions,
  work: (run: CaptureRun) => Promise<T>,
  started?: Thread[],
): Promise<T> {
  const volumes: ScanVolume[] = [];
  try {
    for (const volume of [...options.volumes].sort((a, b) => a.index - b.index)) {
      const { index, root, links } = volume;
      if (root !== null) volumes.push({ index, root: openDirectory(root), links, exclude: excludedNames(volume) });
    }
    stopIfAborted(options.signal);
    return await useThreads(started ?? startCrew(options), options.signal, ([scanner, ...packers]) =>
      work({ volumes, scanner: scanner as Thread, packers }),
    );
  } catch (error) {
    throw forgeError(error);
  } finally {
    for (const { root } of volumes) closeReadOnly(root);
  }
}

function excludedNames({ exclude = [] }: CapturedVolume): ByteString[] {
  return exclude.map((name) => Buffer.from(name, 'utf8').toString('latin1'));
}

export const partialOf = (file: string): string => `${file}.partial`;

export async function openPartial(file: string): Promise<FileHandle> {
  await unlink(partialOf(file)).catch(ignoreMissing);
  return open(partialOf(file), 'wx+', 0o600);
}

export async function removePartial(file: string, handle: FileHandle): Promise<void> {
  await handle.close().catch(() => undefined);
  await unlink(partialOf(file)).catch(() => undefined);
}

/** Makes the partial file durable and gives it its name. */
export async function publish({ file, signal }: CreateArchiveOptions, handle: FileHandle): Promise<void> {
  await handle.sync();
  await handle.close();
  if (signal?.aborted === true) throw signal.reason;
  await rename(partialOf(file), file);
  try {
    await syncDirectory(path.dirname(file));
  } catch (error) {
    // A name that may be gone after a power cut is none.
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

interface InFlight {
  packed: Promise<PackedFrame | KeepJob>;
  marks: BigInt64Array<ArrayBuffer> | null;
}

/**
 * Packs what the scanner finds; it was opened before. Jobs in flight are bounded, frames are written in the order in which they
 * were planned.
 * @param onSegment is told of each segment that was written, with its marks
 */
export async function pump(
  { codec = 'zstd', level, onProgress }: CreateArchiveOptions,
  { scanner, packers }: CaptureRun,
  out: ArchiveOutput,
  onSegment?: (frame: PackedFrame, marks: BigInt64Array<ArrayBuffer> | null) => void,
): Promise<void> {
  const settings = level === undefined ? { codec } : { codec, level };
  await Promise.all(packers.map((packer) => packer.call('packOpen', [settings])));
  const inFlight: InFlight[] = [];
  let finished = 0;
  let spare: ArrayBuffer[] = [];
  const outputs: ArrayBuffer[] = [];
  const writeOldest = async (): Promise<void> => {
    const { packed, marks } = inFlight.shift() as InFlight;
    const frame = await packed;
    if ('kind' in frame) out.keep(frame.segment);
    else {
      finished++;
      if (frame.spare !== null) spare.push(frame.spare);
      if (await out.frame(frame)) onSegment?.(frame, marks);
      outputs.push(frame.out);
    }
    onProgress?.({ doneBytes: out.contentBytes, doneEntries: out.entries });
  };
  for (;;) {
    const job = await scanner.call('scanNext', [finished, spare], spare);
    finished = 0;
    spare = [];
    if (job === null) break;
    if (job.kind === 'keep') inFlight.push({ packed: Promise.resolve(job), marks: null });
    else {
      const packer = packers.reduce((a, b) => (b.load < a.load ? b : a));
      const output = outputs.pop() ?? new ArrayBuffer(outputBytes);
      const packed = packer.call('pack', [job, output], [job.kind === 'piece' ? job.raw : job.plan, output]);
      packed.catch(() => undefined);
      inFlight.push({ packed, marks: job.marks });
    }
    if (inFlight.length >= packers.length + 2) await writeOldest();
  }
  while (inFlight.length > 0) await writeOldest();
  out.notes.addAll(await scanner.call('scanNotes', []));
}
