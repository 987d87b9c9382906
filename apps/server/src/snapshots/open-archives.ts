import { browseArchive, type BrowsedArchive } from '@tiny-forge/archive-safe';
import { RequestError } from '../http/problem.ts';

export interface OpenArchivesOptions {
  /** Of the installation, 32 bytes. */
  readonly key: Buffer;
  /** Archives that are open at once; each holds one thread and one descriptor. */
  readonly max?: number;
  /** How long one that nobody reads stays open for the next request, ms. */
  readonly idleMs?: number;
  /** How long a request waits for another one's archive to be closed, ms. */
  readonly waitMs?: number;
}

export interface LentArchive {
  readonly archive: BrowsedArchive;
  /** Idempotent. */
  readonly release: () => void;
}

interface Shelf {
  readonly opening: Promise<BrowsedArchive>;
  users: number;
  timer: NodeJS.Timeout | null;
  ending: Promise<void> | null;
}

interface Waiting {
  readonly go: () => void;
}

const MAX = 8;
const IDLE_MS = 10_000;
const WAIT_MS = 5_000;

/**
 * Archives that are being looked into. Requests for the same file share one; a page that lists folder after folder opens it once. At most `max`
 * are open: the one that has been idle longest gives way, and where all are read the next request waits, then is refused.
 */
export class OpenArchives {
  readonly #key: Buffer;
  readonly #max: number;
  readonly #idleMs: number;
  readonly #waitMs: number;
  /** Oldest use first. */
  readonly #shelves = new Map<string, Shelf>();
  /** Open or being closed, also what nobody new gets any more. */
  readonly #all = new Set<Shelf>();
  readonly #waiting: Waiting[] = [];
  #closed = false;

  constructor({ key, max = MAX, idleMs = IDLE_MS, waitMs = WAIT_MS }: OpenArchivesOptions) {
    this.#key = key;
    this.#max = max;
    this.#idleMs = idleMs;
    this.#waitMs = waitMs;
  }

  /** Open or being closed. */
  get size(): number {
    return this.#all.size;
  }

  /** @throws TOO_MANY_TRANSFERS, ARCHIVE_DAMAGED, ARCHIVE_TAMPERED, IO_ERROR; CANCELLED after `close` */
  async lend(file: string): Promise<LentArchive> {
    for (;;) {
      if (this.#closed) throw new RequestError('CANCELLED');
      const known = this.#shelves.get(file);
      if (known) return this.#use(file, known);
      if (this.size < this.#max) return this.#use(file, this.#open(file));
      const idle = [...this.#shelves].find(([, shelf]) => shelf.users === 0);
      if (idle) this.#drop(idle[0], idle[1]);
      await this.#room();
    }
  }

  /** The file is going to be deleted, or is not what it was: who reads it reads on, nobody new gets it. */
  async forget(file: string): Promise<void> {
    const shelf = this.#shelves.get(file);
    if (shelf === undefined) return;
    this.#shelves.delete(file);
    if (shelf.users === 0) await this.#end(shelf);
  }

  /** What is read now fails with CANCELLED. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const { go } of this.#waiting.splice(0)) go();
    this.#shelves.clear();
    await Promise.all([...this.#all].map((shelf) => this.#end(shelf)));
  }

  #open(file: string): Shelf {
    const shelf: Shelf = { opening: browseArchive(file, { key: this.#key }), users: 0, timer: null, ending: null };
    this.#all.add(shelf);
    this.#shelves.set(file, shelf);
    return shelf;
  }

  async #use(file: string, shelf: Shelf): Promise<LentArchive> {
    shelf.users += 1;
    if (shelf.timer) clearTimeout(shelf.timer);
    shelf.timer = null;
    // Newest use last.
    if (this.#shelves.delete(file)) this.#shelves.set(file, shelf);
    let released = false;
    const release = (): void => {
      if (released) return;
      released = true;
      shelf.users -= 1;
      if (shelf.users === 0) this.#rest(file, shelf);
    };
    try {
      return { archive: await shelf.opening, release };
    } catch (error) {
      if (this.#shelves.get(file) === shelf) this.#shelves.delete(file);
      release();
      throw error;
    }
  }

  #rest(file: string, shelf: Shelf): void {
    if (this.#shelves.get(file) !== shelf) {
      void this.#end(shelf);
      return;
    }
    if (this.#waiting.length > 0) return this.#drop(file, shelf);
    shelf.timer = setTimeout(() => this.#drop(file, shelf), this.#idleMs);
    shelf.timer.unref();
  }

  #drop(file: string, shelf: Shelf): void {
    this.#shelves.delete(file);
    void this.#end(shelf);
  }

  #end(shelf: Shelf): Promise<void> {
    if (shelf.timer) clearTimeout(shelf.timer);
    return (shelf.ending ??= (async () => {
      await shelf.opening.then((archive) => archive.close()).catch(() => undefined);
      this.#all.delete(shelf);
      this.#next();
    })());
  }

  #next(): void {
    if (this.size < this.#max) this.#waiting.shift()?.go();
  }

  async #room(): Promise<void> {
    if (this.size < this.#max) return;
    await new Promise<void>((resolve, reject) => {
      const waiting: Waiting = {
        go: () => {
          clearTimeout(timer);
          resolve();
        },
      };
      const timer = setTimeout(() => {
        this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
        reject(new RequestError('TOO_MANY_TRANSFERS', { limit: this.#max, retryAfterSeconds: 5 }));
      }, this.#waitMs);
      this.#waiting.push(waiting);
    });
  }
}
