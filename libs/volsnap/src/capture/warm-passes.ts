import path from 'node:path';
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

/** Where the archive of a snapshot grows. */
export const partialOf = (file: string): string => `${file}.new.partial`;

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

  /** One that is there is kept. @throws CANCELLED and nothing else */
  async make(
    snapshotId: string,
    file: string,
    signal: AbortSignal,
    work: () => Promise<WarmPass | null>,
  ): Promise<void> {
    if (this.#passes.has(snapshotId)) return;
    try {
      await unlinkIfThere(this.#fs, `${file}.partial`);
      const pass = await work();
      if (pass === null) return;
      this.#passes.set(snapshotId, pass);
    } catch (error) {
      throwIfAborted(signal);
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

/** Removes archives that nobody writes any more. */
export async function sweepUnfinished(fs: FsPort, snapshots: string): Promise<number> {
  let removed = 0;
  if ((await fs.stat(snapshots)) === null) return removed;
  for (const workload of await naming('readdir', snapshots, () => fs.readDirectory(snapshots))) {
    const folder = path.join(snapshots, workload);
    if ((await fs.stat(folder))?.kind !== 'directory') continue;
    for (const name of await naming('readdir', folder, () => fs.readDirectory(folder))) {
      if (!/\.tar\.(?:zst|gz)\.new(?:\.partial)?$/.test(name)) continue;
      await unlinkIfThere(fs, path.join(folder, name));
      removed++;
    }
  }
  return removed;
}
