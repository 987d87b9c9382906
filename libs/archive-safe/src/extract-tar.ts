import { constants, fstatSync, readdirSync, statfsSync, type BigIntStats } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { openDirectory, closeReadOnly } from './directory-handle.ts';
import { forgeError } from './forge-fault.ts';
import type { ImportRules, ImportTotals } from './import-sink.ts';
import { NoteList, type Note } from './note.ts';
import { ProgressMeter } from './progress-meter.ts';
import { publicTarEntry, type ArchiveEntry } from './read-index.ts';
import { damaged, Refusal } from './refusal.ts';
import type { SpaceRule } from './space-watch.ts';
import { crewOf, withThreads, type Thread } from './thread-crew.ts';
import { LimitedSignal, type TimeLimits } from './time-limits.ts';

export interface ImportLimits {
  /** 0 (default): an archive with links is refused. 1: hardlinks, and symlinks that stay inside. */
  links?: 0 | 1;
  /** Content bytes. Default: what is free where it is written to. */
  maxBytes?: number;
  /** Default 5,000,000, at most the inodes that are free where it is written to. */
  maxEntries?: number;
}

const defaultMaxEntries = 5_000_000;

/** Rule G2: nothing is declared and authentic here, so the budget is what the disk has. */
export function importRules(dir: string, { links = 0, maxBytes, maxEntries }: ImportLimits): ImportRules {
  const { bavail, bsize, files, ffree } = statfsSync(dir);
  return {
    links,
    maxBytes: maxBytes ?? bavail * bsize,
    maxEntries: maxEntries ?? (files > 0 ? Math.min(defaultMaxEntries, ffree) : defaultMaxEntries),
  };
}

interface TarOptions {
  file: string;
  signal?: AbortSignal;
  limits?: TimeLimits;
  threads?: number;
}

export interface CheckTarOptions extends TarOptions, Required<Pick<ImportLimits, 'links'>> {
  maxBytes?: number;
  maxEntries?: number;
}

/** A foreign archive, checked as a whole; nothing is written. */
export async function checkTar(options: CheckTarOptions): Promise<ImportTotals & { notes: Note[] }> {
  return withTar(options, async (fd, thread) => thread.call('importCheck', [fd, unlimited(options)]));
}

function unlimited({ links, maxBytes, maxEntries }: CheckTarOptions): ImportRules {
  return { links, maxBytes: maxBytes ?? Number.MAX_SAFE_INTEGER, maxEntries: maxEntries ?? defaultMaxEntries };
}

/** The entries of a foreign archive in its own order, hashed. `checkTar` comes first: what is bad at the end was listed before. */
export async function listTar(
  options: CheckTarOptions,
  each: (entries: ArchiveEntry[]) => void | Promise<void>,
): Promise<void> {
  return withTar(options, async (fd, thread) => {
    const rules = unlimited(options);
    for (;;) {
      const batch = await thread.call('importNext', [fd, rules]);
      if (batch === null) return;
      await each(batch.map(publicTarEntry));
    }
  });
}

export interface ExtractTarOptions extends TarOptions, ImportLimits {
  /** Existing empty directory; becomes the root of the tree. */
  dir: string;
  spaceCheck?: SpaceRule;
  owner?: 'archive' | 'caller';
  onProgress?: (progress: { step: 'check' | 'extract'; doneBytes: number; doneEntries: number }) => void;
}

/**
 * Extracts a foreign archive: read once to be checked whole, before anything is written, then again for files, for links
 * and for the metadata of directories. On failure `dir` holds a part; the caller removes it.
 */
export async function extractTar(options: ExtractTarOptions): Promise<{ totals: ImportTotals; notes: Note[] }> {
  const { onProgress, spaceCheck, owner = 'archive' } = options;
  let root = -1;
  try {
    root = openDirectory(options.dir);
    if (readdirSync(`/proc/self/fd/${root}`).length > 0)
      throw new Refusal('IO_ERROR', 'The directory to extract into is not empty', { rule: 'TARGET' });
    return await withTar(options, async (fd, thread) => {
      const rules = importRules(options.dir, options);
      const before = fstatSync(fd, { bigint: true });
      let step: 'check' | 'extract' = 'check';
      const meter = new ProgressMeter((doneBytes, doneEntries) => onProgress?.({ step, doneBytes, doneEntries }));
      await thread.call('progressOpen', [meter.shared]);
      meter.start();
      try {
        const { notes, ...totals } = await thread.call('importCheck', [fd, rules]);
        const all = new NoteList();
        all.addAll(notes);
        step = 'extract';
        meter.reset();
        await thread.call('targetsOpen', [[[0, root]], spaceCheck, 1]);
        // What the first reading said is the budget of the others: the file may be another one by now.
        const exact = { ...rules, maxBytes: totals.contentBytes, maxEntries: totals.entries };
        const passes = [
          'files',
          ...(totals.symlinks + totals.hardlinks > 0 ? (['links'] as const) : []),
          'directories',
        ] as const;
        for (const pass of passes) all.addAll(await thread.call('importWrite', [fd, exact, pass, root, owner]));
        checkUnchanged(before, fd);
        return { totals, notes: all.list() };
      } finally {
        meter.stop();
      }
    });
  } catch (error) {
    throw forgeError(error);
  } finally {
    if (root >= 0) closeReadOnly(root);
  }
}

function checkUnchanged(before: BigIntStats, fd: number): void {
  const after = fstatSync(fd, { bigint: true });
  if (after.size !== before.size || after.mtimeNs !== before.mtimeNs) {
    throw damaged('CHANGED', 'The archive file was written to while it was read');
  }
}

async function withTar<T>(options: TarOptions, work: (fd: number, thread: Thread) => Promise<T>): Promise<T> {
  const limited = new LimitedSignal(options.signal, options.limits);
  let handle: FileHandle | undefined;
  try {
    const { fd } = (handle = await open(
      options.file,
      constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK,
    ));
    const crew = { ...crewOf(options.threads), count: 1 };
    return await withThreads(crew, limited.signal, ([thread]) => work(fd, thread as Thread));
  } catch (error) {
    throw forgeError(error);
  } finally {
    limited.stop();
    await handle?.close();
  }
}
