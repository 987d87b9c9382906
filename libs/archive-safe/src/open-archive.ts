import { open } from 'node:fs/promises';
import { constants } from 'node:fs';
import { hasTrailer } from './archive-reader.ts';
import { decodeTable, type ArchiveTable } from './archive-table.ts';
import { forgeError } from './forge-fault.ts';
import { crewOf, withThreads, type Thread } from './thread-crew.ts';

export interface OpenedArchive {
  fd: number;
  fileBytes: number;
  table: ArchiveTable;
  threads: Thread[];
}

/** Opens an archive, checks its table against the key and gives it to `threads` threads (see `crewOf`); closes all of it afterwards. */
export async function withArchive<T>(
  file: string,
  key: Buffer | null,
  threads: number | undefined,
  signal: AbortSignal | undefined,
  work: (archive: OpenedArchive) => Promise<T>,
): Promise<T> {
  try {
    const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const { size } = await handle.stat();
      return await withThreads(crewOf(threads), signal, async (threads) => {
        const payload = await (threads[0] as Thread).call('readTable', [handle.fd, key]);
        await Promise.all(threads.map((thread) => thread.call('archiveOpen', [handle.fd, payload])));
        return work({ fd: handle.fd, fileBytes: size, table: decodeTable(Buffer.from(payload)), threads });
      });
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw forgeError(error);
  }
}

/** Whether a file ends as an archive of ours, made with any key. */
export async function isOwnArchive(file: string): Promise<boolean> {
  try {
    const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      return hasTrailer(handle.fd);
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw forgeError(error);
  }
}

/** Consecutive segments in batches of about `batchBytes` of tar: contiguous for each thread, small enough to share out. */
export function batches(
  table: ArchiveTable,
  wanted: (volume: number | null) => boolean,
  batchBytes = 16 << 20,
): number[][] {
  const all: number[][] = [];
  let batch: number[] = [];
  let bytes = 0;
  for (const [i, segment] of table.segments.entries()) {
    if (!wanted(segment.volume)) continue;
    batch.push(i);
    bytes += segment.frames.reduce((sum, frame) => sum + frame.rawBytes, 0);
    if (bytes < batchBytes) continue;
    all.push(batch);
    batch = [];
    bytes = 0;
  }
  if (batch.length > 0) all.push(batch);
  return all;
}

/** Gives each thread the next job as soon as it is free; stops handing out at the first failure. */
export async function share<J>(
  threads: Thread[],
  jobs: J[],
  run: (thread: Thread, job: J) => Promise<void>,
): Promise<void> {
  let next = 0;
  let failed = false;
  await Promise.all(
    threads.map(async (thread) => {
      while (!failed && next < jobs.length) {
        try {
          await run(thread, jobs[next++] as J);
        } catch (error) {
          failed = true;
          throw error;
        }
      }
    }),
  );
}
