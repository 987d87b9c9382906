import path from 'node:path';
import { ForgeError } from '@tiny-forge/contracts/domain';
import type { Clock } from '../environment.ts';
import { overlaps } from '../identity/mount-table.ts';
import { unlinkIfThere } from '../ports/durable-file.ts';
import { naming } from '../ports/fs-error.ts';
import type { FsPort } from '../ports/fs-port.ts';
import type { FrozenPlan } from '../restore-engine.ts';
import { encodeRecord, scanJournal } from './journal-bytes.ts';
import { cutTornTail, overwriteSame, writeAhead, writeJournalFile } from './journal-file.ts';
import { journalName, parseJournalName, type JournalName, type JournalOwner } from './journal-name.ts';
import type { JournalRecord, StoredRecord } from './record.ts';
import { foldRecords, reservesDirectories, type Transaction } from './transaction.ts';

/** One transaction's journal as found on disk. */
export type FoundJournal =
  | { readonly kind: 'transaction'; readonly file: string; readonly closed: boolean; readonly tx: Transaction }
  | CorruptJournal;

export interface CorruptJournal {
  readonly kind: 'corrupt';
  readonly file: string;
  readonly closed: boolean;
  readonly offset: number;
  readonly owner: JournalName;
  /** What the records before the damage say: more may have happened since. null: there is none of them. */
  readonly readable: Transaction | null;
}

/**
 * The journals of one host (restore.md 3). The caller holds the data-directory lock and the workload's mutex: nobody else appends.
 * After a failed append the transaction is *suspect*: what the disk holds of the new record is unknown and the kernel may show it as written, so
 * it counts as absent, and the next append goes into a new file (`epoch + 1`) that supersedes the old one.
 */
export class JournalStore {
  readonly folder: string;
  readonly closedFolder: string;
  readonly #fs: FsPort;
  readonly #clock: Clock;
  readonly #suspect = new Map<string, readonly StoredRecord[]>();
  readonly #trusted = new Set<string>();
  /** Looking for reserved directories and writing BEGIN is one step, whatever the workload. */
  #beginning: Promise<unknown> = Promise.resolve();

  constructor(options: { readonly fs: FsPort; readonly dataDir: string; readonly clock: Clock }) {
    this.#fs = options.fs;
    this.#clock = options.clock;
    this.folder = path.join(options.dataDir, 'journal');
    this.closedFolder = path.join(this.folder, 'closed');
  }

  /** Makes the folders. Idempotent. */
  async prepare(): Promise<void> {
    for (const folder of [this.folder, this.closedFolder]) {
      if ((await this.#fs.stat(folder)) !== null) continue;
      await naming('mkdir', folder, () => this.#fs.mkdir(folder, 0o700));
      await naming('fsync', path.dirname(folder), () => this.#fs.syncDirectory(path.dirname(folder)));
    }
  }

  /** Every journal that is not closed, oldest first. */
  async list(): Promise<FoundJournal[]> {
    const names = await this.#names(this.folder);
    const newest = new Map<string, JournalName>();
    for (const one of names) if ((newest.get(one.txId)?.epoch ?? -1) < one.epoch) newest.set(one.txId, one);
    const found: FoundJournal[] = [];
    for (const one of newest.values()) found.push(await this.#read(this.folder, one, false));
    return found.sort((a, b) => (startOf(a) < startOf(b) ? -1 : 1));
  }

  /** The journal of one transaction, closed ones included. */
  async find(txId: string): Promise<FoundJournal | null> {
    for (const [folder, closed] of [
      [this.folder, false],
      [this.closedFolder, true],
    ] as const) {
      const own = (await this.#names(folder)).filter((name) => name.txId === txId);
      const newest = own.sort((a, b) => b.epoch - a.epoch)[0];
      if (newest) return this.#read(folder, newest, closed);
    }
    return null;
  }

  /**
   * @throws TX_OPEN where the workload has an open journal, VOLUME_IN_USE where another one reserves a directory, TX_STATE where this transaction
   * had a journal already.
   */
  begin(plan: FrozenPlan, missingParents: readonly string[]): Promise<Transaction> {
    const turn = this.#beginning.then(() => this.#begin(plan, missingParents));
    this.#beginning = turn.catch(() => undefined);
    return turn;
  }

  async #begin(plan: FrozenPlan, missingParents: readonly string[]): Promise<Transaction> {
    await this.prepare();
    for (const other of await this.list()) assertCompatible(other, plan);
    const before = await this.find(plan.txId);
    if (before)
      throw new ForgeError({ code: 'TX_STATE', params: { step: 'extract', needs: 'none', found: describe(before) } });
    const head = { tx: plan.txId, epoch: 0, operationId: plan.operationId, workloadId: plan.workloadId };
    const record: StoredRecord = { v: 1, seq: 0, ...head, at: this.#now(), type: 'BEGIN', plan, missingParents };
    return this.#writeFile([record]);
  }

  /**
   * Durable when it returns. An error leaves it unknown whether the record is on disk: see `isSuspect`.
   * @throws IO_ERROR, INSUFFICIENT_SPACE
   */
  async append(tx: Transaction, body: JournalRecord): Promise<Transaction> {
    if (this.#suspect.has(tx.txId)) return this.supersede(tx, body);
    await this.trust(tx);
    const file = this.#fileOf(tx);
    const next = this.#next(tx, tx.epoch, body);
    const bytes = encodeRecord(next);
    const { fd, scanned, size } = await this.#openForAppend(file, tx);
    try {
      await writeAhead(this.#fs, fd, size, scanned.end + bytes.length);
      if (scanned.torn) await cutTornTail(this.#fs, fd, scanned.end, size);
      await this.#fs.write(fd, scanned.end, bytes);
      await this.#fs.sync(fd);
    } catch (error) {
      this.#suspect.set(tx.txId, tx.records);
      return await naming('append', file, () => Promise.reject(error as Error));
    } finally {
      await this.#fs.close(fd).catch(() => undefined);
    }
    return folded([...tx.records, next], file);
  }

  /** Whether the last append failed, so that only `append` into a superseding file can go on. */
  isSuspect(txId: string): boolean {
    return this.#suspect.has(txId);
  }

  /**
   * Makes durable what this process only read: a process before us may have died after a failed fsync, which leaves pages that read well and are
   * not on disk. Writes the same bytes again, once per file and process.
   */
  async trust(tx: Transaction): Promise<void> {
    const file = this.#fileOf(tx);
    if (this.#suspect.has(tx.txId) || this.#trusted.has(file)) return;
    await naming('fsync', file, () => overwriteSame(this.#fs, file));
    await naming('fsync', this.folder, () => this.#fs.syncDirectory(this.folder));
    this.#trusted.add(file);
  }

  /**
   * The records of `readable`, those of a corrupt journal or the certain ones of a suspect one, and `record`, whole or not at all, in a new file
   * that supersedes it; the old one moves to `closed` and stays for whoever wants to know.
   * @throws IO_ERROR, INSUFFICIENT_SPACE
   */
  async supersede(readable: Transaction, record: JournalRecord | null): Promise<Transaction> {
    const { txId } = readable;
    const epoch = (await this.#highestEpoch(txId)) + 1;
    const kept = readable.records.map((old) => ({ ...old, epoch }));
    const written = await this.#writeFile([...kept, ...(record ? [this.#next(readable, epoch, record)] : [])]);
    this.#suspect.delete(txId);
    // Durable by now; a superseded file left behind is never read again.
    await this.#retireBelow(txId, epoch).catch(() => undefined);
    return written;
  }

  /** Puts a corrupt journal away of which nothing can be read. Idempotent. */
  async giveUp({ owner }: CorruptJournal): Promise<void> {
    await this.#retireBelow(owner.txId, owner.epoch + 1);
  }

  /** Record CLOSED, then the file moves to `closed`. Older epochs move first: the newest must be the last that could be found open. */
  async close(tx: Transaction): Promise<void> {
    await this.retireClosed(await this.append(tx, { type: 'CLOSED' }));
  }

  /** Moves the file of a transaction whose CLOSED is durable. Idempotent. */
  async retireClosed(tx: Transaction): Promise<void> {
    await this.#retireBelow(tx.txId, tx.epoch);
    const name = journalName(tx, tx.epoch);
    if ((await this.#fs.stat(path.join(this.folder, name))) !== null) await this.#retire(name);
  }

  /** Removes files that never became journals: left by a kill while one was being made. */
  async removeUnfinished(): Promise<string[]> {
    const names = (await this.#fs.stat(this.folder)) ? await this.#fs.readDirectory(this.folder) : [];
    const unfinished = names.filter((name) => name.endsWith('.journal.tmp'));
    for (const name of unfinished) {
      const file = path.join(this.folder, name);
      await naming('unlink', file, () => this.#fs.unlink(file));
    }
    return unfinished;
  }

  #next({ txId, operationId, workloadId, records }: Transaction, epoch: number, body: JournalRecord): StoredRecord {
    return { v: 1, tx: txId, operationId, workloadId, at: this.#now(), seq: records.length, epoch, ...body };
  }

  async #writeFile(records: readonly StoredRecord[]): Promise<Transaction> {
    const first = records[0] as StoredRecord;
    const file = path.join(this.folder, journalName({ ...first, txId: first.tx }, first.epoch));
    await naming('create', file, () => writeJournalFile(this.#fs, file, records));
    this.#trusted.add(file);
    return folded(records, file);
  }

  async #openForAppend(file: string, tx: Transaction) {
    const bytes = await naming('read', file, () => this.#fs.readFile(file));
    const scanned = scanJournal(bytes);
    if (scanned.corruptAt !== null) throw corrupt(file, scanned.corruptAt);
    if (scanned.records.length !== tx.records.length)
      throw new ForgeError({
        code: 'TX_STATE',
        params: { step: 'append', needs: `${tx.records.length} records`, found: `${scanned.records.length}` },
      });
    return { fd: await naming('open', file, () => this.#fs.open(file)), scanned, size: bytes.length };
  }

  async #read(folder: string, owner: JournalName, closed: boolean): Promise<FoundJournal> {
    const file = path.join(folder, owner.name);
    const scanned = scanJournal(await naming('read', file, () => this.#fs.readFile(file)));
    const records = this.#suspect.get(owner.txId) ?? scanned.records;
    // A journal is made with BEGIN in it: without one it lost more than a crash can take.
    const tx = scanned.corruptAt === null ? foldRecords(records) : null;
    if (tx) return { kind: 'transaction', file, closed, tx };
    return { kind: 'corrupt', file, closed, offset: scanned.corruptAt ?? 0, owner, readable: longestFold(records) };
  }

  async #names(folder: string): Promise<JournalName[]> {
    if ((await this.#fs.stat(folder)) === null) return [];
    const names = await naming('readdir', folder, () => this.#fs.readDirectory(folder));
    return names.flatMap((name) => parseJournalName(name) ?? []);
  }

  async #highestEpoch(txId: string): Promise<number> {
    const own = (await this.#names(this.folder)).filter((name) => name.txId === txId);
    return Math.max(-1, ...own.map((name) => name.epoch));
  }

  async #retireBelow(txId: string, epoch: number): Promise<void> {
    for (const old of await this.#names(this.folder))
      if (old.txId === txId && old.epoch < epoch) await this.#retire(old.name);
  }

  /**
   * Never by a rename from folder to folder: where a file system may keep either half of one, the journal of a finished restore could vanish, and a
   * step that is repeated would begin it anew. A file that a power cut leaves in both is put away again by the next sweep.
   */
  async #retire(name: string): Promise<void> {
    const file = path.join(this.folder, name);
    const closed = path.join(this.closedFolder, name);
    if ((await this.#fs.stat(closed)) === null) await naming('link', closed, () => this.#fs.link(file, closed));
    await naming('fsync', this.closedFolder, () => this.#fs.syncDirectory(this.closedFolder));
    await unlinkIfThere(this.#fs, file);
  }

  #fileOf(tx: Transaction): string {
    return path.join(this.folder, journalName(tx, tx.epoch));
  }

  #now(): string {
    return this.#clock.now().toISOString();
  }
}

export const corrupt = (file: string, offset: number): ForgeError =>
  new ForgeError({ code: 'TX_CORRUPT', params: { path: file, offset } });

/** Of records that contradict each other, those before the contradiction. */
function longestFold(records: readonly StoredRecord[]): Transaction | null {
  for (let count = records.length; count > 0; count--) {
    const tx = foldRecords(records.slice(0, count));
    if (tx) return tx;
  }
  return null;
}

export const ownerOf = (found: FoundJournal): JournalOwner => (found.kind === 'transaction' ? found.tx : found.owner);

/** Live directories that are a journal's own (restore.md 5.5): of a corrupt one all that it names. */
export function reservedBy(found: FoundJournal): readonly string[] {
  const tx = found.kind === 'corrupt' ? found.readable : reservesDirectories(found.tx) ? found.tx : null;
  return tx?.begin.plan.targets.map((target) => target.hostPath) ?? [];
}

function assertCompatible(other: FoundJournal, plan: FrozenPlan): void {
  const owner = ownerOf(other);
  if (owner.txId === plan.txId) return;
  const { txId, operationId } = owner;
  if (owner.workloadId === plan.workloadId) throw new ForgeError({ code: 'TX_OPEN', params: { txId, operationId } });
  const reserved = reservedBy(other);
  const taken = plan.targets.find((target) => reserved.some((path) => overlaps(path, target.hostPath)));
  if (taken)
    throw new ForgeError({
      code: 'VOLUME_IN_USE',
      params: { path: taken.hostPath, user: `restore ${operationId}`, operationId },
    });
}

const startOf = (found: FoundJournal): string =>
  found.kind === 'transaction' ? `${found.tx.startedAt} ${found.file}` : found.file;

const describe = (found: FoundJournal): string => (found.kind === 'transaction' ? found.tx.state : found.kind);

function folded(records: readonly StoredRecord[], file: string): Transaction {
  const tx = foldRecords(records);
  if (!tx) throw corrupt(file, 0);
  return tx;
}
