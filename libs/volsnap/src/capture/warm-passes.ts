import path from 'node:path';
import { isForgeError } from '@tiny-forge/contracts/domain';
import type { EngineLog } from '../environment.ts';
import { throwIfAborted } from '../host-mutex.ts';
import type { WarmPass } from '../ports/archive-port.ts';
import { unlinkIfThere } from '../ports/durable-file.ts';
import { naming } from '../ports/fs-error.ts';
import type { FsPort } from '../ports/fs-port.ts';

interface Totals {
  readonly totalBytes: number;
  readonly totalEntries: number;
}

/** Where the archive of a snapshot grows, and where it grows ahead. */
export const unfinishedOf = (file: string): string => `${file}.new`;
export const partialOf = (file: string): string => `${unfinishedOf(file)}.partial`;

/** The warm passes of this process, by snapshot. Nothing depends on one: it spares time, and a capture without it is the same. */
export class WarmPasses {
  readonly #fs: FsPort;
  readonly #log: EngineLog;
  readonly #passes = new Map<string, WarmPass>();
  readonly #totals = new Map<string, Totals>();

  constructor(fs: FsPort, log: EngineLog) {
    this.#fs = fs;
    this.#log = log;
  }

  /**
   * Of the archive `file`; one that is there is kept.
   * @throws CANCELLED, and IO_ERROR where live data cannot be read: the capture would fail of it too, with the app standing still. Nothing else.
   */
  async make(
    snapshotId: string,
    file: string,
    signal: AbortSignal,
    work: () => Promise<WarmPass | null>,
  ): Promise<void> {
    if (this.#passes.has(snapshotId)) return;
    try {
      await unlinkIfThere(this.#fs, partialOf(file));
      const pass = await work();
      if (pass === null) return;
      this.#passes.set(snapshotId, pass);
    } catch (error) {
      throwIfAborted(signal);
      if (isUnreadable(error)) throw error;
      this.#log.warn(
        { snapshot: snapshotId, err: error },
        'what could be read ahead was not; all is read in the pause',
      );
    }
  }

  /** For `create`, which uses it up. */
  take(snapshotId: string): WarmPass | null {
    const pass = this.#passes.get(snapshotId) ?? null;
    this.#passes.delete(snapshotId);
    this.#totals.delete(snapshotId);
    return pass;
  }

  async drop(snapshotId: string): Promise<void> {
    await this.take(snapshotId)?.discard();
  }

  /** What the volumes held when the pass began. */
  totals(snapshotId: string): Totals | undefined {
    return this.#passes.has(snapshotId) ? this.#totals.get(snapshotId) : undefined;
  }

  expect(snapshotId: string, totals: Totals): void {
    this.#totals.set(snapshotId, totals);
  }
}

/** The disk does not give an entry of the live data; what was gone or in change meanwhile is none of it. */
export const isUnreadable = (error: unknown): boolean =>
  isForgeError(error) &&
  error.code === 'IO_ERROR' &&
  error.params['entry'] !== undefined &&
  ['EIO', 'EUCLEAN', 'EBADMSG'].includes(String(error.params['errno']));

/** What a killed capture leaves: an archive that grew, a result or a record of a pause that was not yet in its place. */
const unfinishedName = /\.tar\.(?:zst|gz)\.new(?:\.partial)?$|\.json\.tmp$/;

/** Removes what nobody writes any more, in the folders of snapshots and in that of the pauses. @returns how many files */
export async function sweepUnfinished(fs: FsPort, snapshots: string, pauses: string): Promise<number> {
  let removed = 0;
  const folders = (await namesIn(fs, snapshots)).map((workload) => path.join(snapshots, workload));
  for (const folder of [...folders, pauses]) {
    for (const name of await namesIn(fs, folder)) {
      if (!unfinishedName.test(name)) continue;
      await unlinkIfThere(fs, path.join(folder, name));
      removed++;
    }
  }
  return removed;
}

/** Empty: there is no such directory. */
async function namesIn(fs: FsPort, folder: string): Promise<readonly string[]> {
  if ((await fs.stat(folder))?.kind !== 'directory') return [];
  return naming('readdir', folder, () => fs.readDirectory(folder));
}
