import { trailerLength } from './archive-table.ts';
import { forgeError } from './forge-fault.ts';
import { damaged } from './refusal.ts';
import { batches, share, withArchive } from './open-archive.ts';
import type { Note } from './note.ts';
import { ProgressMeter } from './progress-meter.ts';
import type { Thread } from './thread-crew.ts';

export interface VerifyArchiveOptions {
  key: Buffer;
  /** Hex; compared where given with the `sha256` that the writing of the archive gave. */
  expectedSha256?: string;
  /** `bytes` (default): every byte of the file against its authenticated hash, and the index. `content`: also every entry. */
  depth?: 'bytes' | 'content';
  signal?: AbortSignal;
  /** Bytes of the archive file. */
  onProgress?: (progress: { doneBytes: number; totalBytes: number }) => void;
  /** Default min(2, CPUs); 0: the calling thread, which then blocks. */
  threads?: number;
}

export interface VerifiedArchive {
  bytes: number;
  entries: number;
  contentBytes: number;
  volumes: { index: number; absent: boolean; entries: number; contentBytes: number }[];
  notes: Note[];
}

const hashStep = 64 << 20;

/**
 * Checks a whole archive without writing anything.
 *
 * @throws ForgeError `ARCHIVE_DAMAGED` (params `rule`, `offset`, `entry`), `ARCHIVE_TAMPERED`, `IO_ERROR`, `CANCELLED`
 */
export async function verifyArchive(file: string, options: VerifyArchiveOptions): Promise<VerifiedArchive> {
  return verify(file, options.key, options);
}

/** The same for an archive of ours with any key: it is whole and in itself right, and its links are of the tier. */
export async function verifyForeign(
  file: string,
  options: Omit<VerifyArchiveOptions, 'key'> & { links: 0 | 1 },
): Promise<VerifiedArchive> {
  return verify(file, null, { ...options, depth: 'content' });
}

async function verify(
  file: string,
  key: Buffer | null,
  options: Omit<VerifyArchiveOptions, 'key'> & { links?: 0 | 1 },
): Promise<VerifiedArchive> {
  const { expectedSha256, depth = 'bytes', signal, onProgress, links } = options;
  return withArchive(file, key, options.threads, signal, async ({ fd, fileBytes, table, threads }) => {
    const [first] = threads as [Thread];
    if (expectedSha256 !== undefined) {
      // The trailer has the hash of the table, which has the hash of every other byte: all of it is compared below.
      const from = table.stored === undefined ? 0 : fileBytes - trailerLength(table.codec);
      let found: string | null = null;
      for (let at = from; at < fileBytes || found === null; at += hashStep) {
        const to = Math.min(at + hashStep, fileBytes);
        found = await first.call('hashFile', [fd, at, to, to === fileBytes]);
      }
      if (found !== expectedSha256) {
        throw forgeError(damaged('SHA256', 'The file does not have the hash that was recorded when it was written'));
      }
    }
    const unlimited = { maxBytes: Number.MAX_SAFE_INTEGER, maxEntries: Number.MAX_SAFE_INTEGER };
    await first.call('checkIndex', [[], unlimited]);
    const all = table.volumes.map(({ index }) => index);
    const cut = links === undefined ? [] : await first.call('checkForeign', [all, links]);
    const meter = new ProgressMeter((doneBytes) => onProgress?.({ doneBytes, totalBytes: fileBytes }));
    await Promise.all(threads.map((thread) => thread.call('progressOpen', [meter.shared])));
    meter.start();
    try {
      await share(
        threads,
        batches(table, () => true),
        (thread, batch) => thread.call('verify', [batch, depth === 'content']),
      );
      if (table.stored !== undefined) await first.call('verifyDead', []);
    } finally {
      meter.stop();
    }
    onProgress?.({ doneBytes: fileBytes, totalBytes: fileBytes });
    const volumes = table.volumes.map(({ index, absent, entries, contentBytes }) => ({
      index,
      absent,
      entries,
      contentBytes,
    }));
    return {
      bytes: fileBytes,
      entries: volumes.reduce((sum, volume) => sum + volume.entries, 0),
      contentBytes: volumes.reduce((sum, volume) => sum + volume.contentBytes, 0),
      volumes,
      notes: [...table.notes, ...cut],
    };
  });
}
