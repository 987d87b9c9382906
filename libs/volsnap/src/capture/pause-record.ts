import path from 'node:path';
import { makeFolder, unlinkIfThere, writeDurably } from '../ports/durable-file.ts';
import { naming } from '../ports/fs-error.ts';
import type { FsPort } from '../ports/fs-port.ts';

/** What a capture made still; on disk from before the first Docker call until all of it is back. */
export interface PauseRecord {
  readonly snapshotId: string;
  readonly workloadId: string;
  readonly sourceType: string;
  readonly mode: 'pause' | 'stop';
  /** Ids of the containers that ran. */
  readonly containers: readonly string[];
  /** Those of them that were in a restart loop: they are stopped, not paused, and a later look cannot tell. */
  readonly restarting: readonly string[];
  readonly stopTimeoutSeconds: number;
  readonly at: string;
}

export class PauseRecords {
  readonly #fs: FsPort;
  readonly #dataDir: string;
  readonly folder: string;

  constructor(fs: FsPort, dataDir: string) {
    this.#fs = fs;
    this.#dataDir = dataDir;
    this.folder = path.join(dataDir, 'journal', 'pauses');
  }

  async write(record: PauseRecord): Promise<void> {
    await makeFolder(this.#fs, this.#dataDir, this.folder);
    await writeDurably(this.#fs, this.#file(record.snapshotId), JSON.stringify(record));
  }

  async read(snapshotId: string): Promise<PauseRecord | null> {
    const file = this.#file(snapshotId);
    if ((await this.#fs.stat(file)) === null) return null;
    return JSON.parse((await naming('read', file, () => this.#fs.readFile(file))).toString('utf8')) as PauseRecord;
  }

  async list(): Promise<PauseRecord[]> {
    if ((await this.#fs.stat(this.folder)) === null) return [];
    const names = await naming('readdir', this.folder, () => this.#fs.readDirectory(this.folder));
    const records: PauseRecord[] = [];
    for (const name of names.filter((one) => one.endsWith('.json'))) {
      const record = await this.read(name.slice(0, -'.json'.length));
      if (record) records.push(record);
    }
    return records;
  }

  async remove(snapshotId: string): Promise<void> {
    await unlinkIfThere(this.#fs, this.#file(snapshotId));
  }

  #file(snapshotId: string): string {
    return path.join(this.folder, `${snapshotId}.json`);
  }
}
