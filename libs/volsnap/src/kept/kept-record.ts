import path from 'node:path';
import { having, isCount, isDecimal, isString, listOf } from '../journal/shape.ts';
import { makeFolder, unlinkIfThere, writeDurably } from '../ports/durable-file.ts';
import { naming } from '../ports/fs-error.ts';
import type { FsPort } from '../ports/fs-port.ts';
import { keepsOldTrees, type Transaction } from '../journal/transaction.ts';
import type { TreeIdentity } from '../restore-engine.ts';

/** The old trees of one restore that are kept instead of a safety snapshot. On disk before the journal is closed, until they are collected. */
export interface KeptRecord {
  readonly v: 1;
  readonly txId: string;
  readonly operationId: string;
  readonly workloadId: string;
  /** ISO 8601: collected after that, not before. */
  readonly keptUntil: string;
  readonly trees: readonly {
    readonly index: number;
    readonly target: string;
    readonly parent: string;
    readonly livePath: string;
    /** Where it is kept. */
    readonly path: string;
    readonly identity: TreeIdentity;
  }[];
}

const isKeptRecord = having({
  v: (value) => value === 1,
  txId: isString,
  operationId: isString,
  workloadId: isString,
  keptUntil: isString,
  trees: listOf(
    having({
      index: isCount,
      target: isString,
      parent: isString,
      livePath: isString,
      path: isString,
      identity: having({ fileSystem: isString, inode: isDecimal, birthTimeNs: isDecimal }),
    }),
  ),
});

const DAY_MS = 86_400_000;

/** What a restore keeps, and until when, from its journal alone; null before DONE, and where it took a safety snapshot. */
export function keptRecordOf(tx: Transaction): KeptRecord | null {
  // From DONE on, as the journal has it: a note that is written again says the same.
  const done = tx.records.findLast((record) => record.type === 'DONE');
  if (!keepsOldTrees(tx) || done === undefined) return null;
  const trees = (tx.commit?.volumes ?? []).flatMap(({ index, target, parent, livePath, oldPath, old }) =>
    old === null ? [] : [{ index, target, parent, livePath, path: oldPath, identity: old }],
  );
  const keptUntil = new Date(Date.parse(done.at) + (tx.begin.plan.safetyDays ?? 0) * DAY_MS).toISOString();
  const { txId, operationId, workloadId } = tx;
  return { v: 1, txId, operationId, workloadId, keptUntil, trees };
}

/** Notes below `<data>/journal/kept`, one a restore. */
export class KeptRecords {
  readonly #fs: FsPort;
  readonly #dataDir: string;
  readonly #folder: string;

  constructor(fs: FsPort, dataDir: string) {
    this.#fs = fs;
    this.#dataDir = dataDir;
    this.#folder = path.join(dataDir, 'journal', 'kept');
  }

  /** Durable when it returns; the first note of a restore counts. */
  async write(record: KeptRecord): Promise<void> {
    await makeFolder(this.#fs, this.#dataDir, this.#folder);
    const file = this.#file(record.txId);
    if ((await naming('stat', file, () => this.#fs.stat(file))) === null)
      await writeDurably(this.#fs, file, JSON.stringify(record));
    else await naming('fsync', this.#folder, () => this.#fs.syncDirectory(this.#folder));
  }

  /** Notes that cannot be read are named apart: what they kept stays kept. */
  async list(): Promise<{ readonly records: readonly KeptRecord[]; readonly unreadable: readonly string[] }> {
    const records: KeptRecord[] = [];
    const unreadable: string[] = [];
    if ((await naming('stat', this.#folder, () => this.#fs.stat(this.#folder))) === null)
      return { records, unreadable };
    for (const name of await naming('readdir', this.#folder, () => this.#fs.readDirectory(this.#folder))) {
      const file = path.join(this.#folder, name);
      if (!name.endsWith('.json')) continue;
      const read = parse((await naming('read', file, () => this.#fs.readFile(file))).toString('utf8'));
      if (read) records.push(read);
      else unreadable.push(file);
    }
    return { records, unreadable };
  }

  async remove(txId: string): Promise<void> {
    await unlinkIfThere(this.#fs, this.#file(txId));
    await naming('fsync', this.#folder, () => this.#fs.syncDirectory(this.#folder));
  }

  #file(txId: string): string {
    return path.join(this.#folder, `${txId}.json`);
  }
}

function parse(text: string): KeptRecord | null {
  try {
    const value: unknown = JSON.parse(text);
    return isKeptRecord(value) ? (value as KeptRecord) : null;
  } catch {
    return null;
  }
}
