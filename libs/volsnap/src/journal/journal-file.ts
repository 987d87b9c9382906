import path from 'node:path';
import type { FsPort } from '../ports/fs-port.ts';
import { encodeRecord, JOURNAL_BLOCK, scanJournal } from './journal-bytes.ts';
import type { StoredRecord } from './record.ts';

const roundUp = (bytes: number): number => Math.ceil(bytes / JOURNAL_BLOCK) * JOURNAL_BLOCK;

/**
 * Makes a journal that is whole or not there: written beside its name with its blocks, synced, renamed, folder synced. Space for as much again
 * and one block more is written ahead: plans of many volumes come back in STAGED and COMMIT.
 */
export async function writeJournalFile(fs: FsPort, file: string, records: readonly StoredRecord[]): Promise<void> {
  const content = Buffer.concat(records.map(encodeRecord));
  const bytes = Buffer.alloc(content.length * 2 < JOURNAL_BLOCK ? JOURNAL_BLOCK : roundUp(content.length * 3));
  content.copy(bytes);
  const unfinished = `${file}.tmp`;
  if (await fs.stat(unfinished)) await fs.unlink(unfinished);
  try {
    const fd = await fs.create(unfinished);
    try {
      await fs.write(fd, 0, bytes);
      await fs.sync(fd);
    } finally {
      await fs.close(fd).catch(() => undefined);
    }
    await fs.rename(unfinished, file);
  } catch (error) {
    await fs.unlink(unfinished).catch(() => undefined);
    throw error;
  }
  await fs.syncDirectory(path.dirname(file));
}

/** Writes and syncs blocks where `needed` bytes do not fit, so that the record itself never allocates. */
export async function writeAhead(fs: FsPort, fd: number, size: number, needed: number): Promise<void> {
  if (needed <= size) return;
  await fs.write(fd, size, Buffer.alloc(roundUp(needed + JOURNAL_BLOCK) - size));
  await fs.sync(fd);
}

/** Zeroes what stands behind the last valid record. Blocks stay allocated. Synced together with the record that follows. */
export async function cutTornTail(fs: FsPort, fd: number, end: number, size: number): Promise<void> {
  await fs.write(fd, end, Buffer.alloc(Math.max(0, size - end)));
}

/** Writes the valid records of a file over themselves and syncs: same bytes, so that a torn write changes nothing. */
export async function overwriteSame(fs: FsPort, file: string): Promise<void> {
  const bytes = await fs.readFile(file);
  const { end } = scanJournal(bytes);
  const fd = await fs.open(file);
  try {
    await fs.write(fd, 0, bytes.subarray(0, end));
    await fs.sync(fd);
  } finally {
    await fs.close(fd).catch(() => undefined);
  }
}
