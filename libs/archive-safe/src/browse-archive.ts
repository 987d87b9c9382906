import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { decodeTable, type ArchiveTable } from './archive-table.ts';
import { cancelled, forgeError } from './forge-fault.ts';
import type { ContentPlace } from './index-search.ts';
import { publicEntry, readManifest, type ArchiveEntry, type ArchiveIndex } from './read-index.ts';
import { damaged } from './refusal.ts';
import { crewOf, startThreads, stopIfAborted, type Thread } from './thread-crew.ts';

export interface BrowseArchiveOptions {
  /** 32 bytes; see `loadOrCreateKey`. */
  key: Buffer;
  /** 1 (default): a thread of its own until `close`; 0: the calling one, which blocks for a frame (2 MiB) at a time. */
  threads?: 0 | 1;
}

/** Where something lies: names are bytes, components joined by `/`, no slash at either end; empty: the volume's root. */
export interface EntryAddress {
  volume: number;
  path: Buffer;
}

export interface FolderPage {
  folder: ArchiveEntry;
  /** In byte order of their names. */
  entries: ArchiveEntry[];
  /** Name of the last entry here, to be given as `after`; null: there are no more. */
  next: Buffer | null;
}

export interface ContentOptions {
  /** First byte, default 0. At most the size of the file. */
  start?: number;
  /** First byte that is not wanted any more, default and at most the size of the file. */
  end?: number;
  signal?: AbortSignal;
}

export interface ArchiveContent {
  entry: ArchiveEntry;
  /** Of the whole file; for a hardlink that of the file it names. */
  size: number;
  /** Of `entry`, hex; for a hardlink that of the file it names. */
  sha256: string;
  /**
   * Chunks of at most 2 MiB, each from a frame that was compared with its authenticated hash; where the whole file is read,
   * its SHA-256 is compared too. Pulled: nothing is read ahead. `Readable.from` makes a stream of it. Can be run once.
   */
  bytes: AsyncGenerator<Buffer, void, void>;
}

/** An archive whose index is authentic, held open. Calls may overlap; they are answered one after the other. */
export interface BrowsedArchive extends AsyncDisposable {
  readonly index: ArchiveIndex;
  /** Null where nothing lies there. */
  find(address: EntryAddress): Promise<ArchiveEntry | null>;
  /**
   * One page of what lies directly in a folder; null where no folder lies there. Cost: index blocks by binary search, not the
   * size of the subfolders. `limit` 1 to 1,000, default 200.
   */
  list(address: EntryAddress, page?: { after?: Buffer; limit?: number }): Promise<FolderPage | null>;
  /** Null where no file and no hardlink lies there. @throws RangeError for a range that is not inside the file */
  content(address: EntryAddress, options?: ContentOptions): Promise<ArchiveContent | null>;
  /** Ends the thread; calls and contents that still run fail with `CANCELLED`. May be called again. */
  close(): Promise<void>;
}

const maxPage = 1000;

/**
 * Opens an archive of this installation for looking into it. Only the table and the index blocks that are needed are read.
 *
 * @throws ForgeError `ARCHIVE_DAMAGED`, `ARCHIVE_TAMPERED`, `IO_ERROR`; so do all calls
 */
export async function browseArchive(file: string, options: BrowseArchiveOptions): Promise<BrowsedArchive> {
  const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch(rethrow);
  const [thread] = startThreads(crewOf(options.threads ?? 1)) as [Thread];
  const release = async (): Promise<void> => {
    await thread.rest();
    await handle.close();
  };
  try {
    const { size } = await handle.stat();
    const payload = await thread.call('readTable', [handle.fd, options.key]);
    await thread.call('archiveOpen', [handle.fd, payload]);
    const table = decodeTable(Buffer.from(payload));
    return new OpenBrowse(thread, table, size, await readManifest(thread, table), release);
  } catch (error) {
    await thread.end();
    await release();
    throw forgeError(error);
  }
}

function rethrow(error: unknown): never {
  throw forgeError(error);
}

class OpenBrowse implements BrowsedArchive {
  readonly index: ArchiveIndex;
  #thread: Thread;
  #release: () => Promise<void>;
  #closed: Promise<void> | undefined;

  constructor(
    thread: Thread,
    { codec, volumes, notes }: ArchiveTable,
    bytes: number,
    manifest: unknown,
    release: () => Promise<void>,
  ) {
    this.#thread = thread;
    this.#release = release;
    this.index = { codec, manifest, volumes, notes, bytes };
  }

  async find({ volume, path }: EntryAddress): Promise<ArchiveEntry | null> {
    this.#stopIfClosed();
    const entry = await this.#thread.call('findEntry', [volume, namesOf(path)]);
    return entry === null ? null : publicEntry(entry);
  }

  async list(
    { volume, path }: EntryAddress,
    page: { after?: Buffer; limit?: number } = {},
  ): Promise<FolderPage | null> {
    this.#stopIfClosed();
    const { after, limit = 200 } = page;
    if (!Number.isInteger(limit) || limit < 1 || limit > maxPage) throw new RangeError('limit must be 1 to 1000');
    const slice = await this.#thread.call('listFolder', [volume, namesOf(path), after?.toString('latin1'), limit]);
    if (slice === null) return null;
    const entries = slice.entries.map(publicEntry);
    const last = slice.entries.at(-1)?.path.split('/').at(-1);
    const next = slice.more && last !== undefined ? Buffer.from(last, 'latin1') : null;
    return { folder: publicEntry(slice.folder), entries, next };
  }

  async content({ volume, path }: EntryAddress, options: ContentOptions = {}): Promise<ArchiveContent | null> {
    this.#stopIfClosed();
    const found = await this.#thread.call('findContent', [volume, namesOf(path)]);
    if (found === null) return null;
    const { entry, place, sha256 } = found;
    const { start = 0, end = place.size, signal } = options;
    if (!Number.isSafeInteger(start) || !Number.isSafeInteger(end) || start < 0 || end < start || end > place.size) {
      throw new RangeError('the range does not lie inside the file');
    }
    const expected = Buffer.from(sha256);
    const bytes = this.#bytes(place, start, end, start === 0 && end === place.size ? expected : undefined, signal);
    return { entry: publicEntry(entry), size: place.size, sha256: expected.toString('hex'), bytes };
  }

  async *#bytes(
    place: ContentPlace,
    start: number,
    end: number,
    expected: Buffer | undefined,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<Buffer, void, void> {
    const whole = createHash('sha256');
    for (let at = start; at < end;) {
      stopIfAborted(signal);
      this.#stopIfClosed();
      const part = Buffer.from(await this.#thread.call('contentPart', [place, at, end]));
      if (expected !== undefined) whole.update(part);
      at += part.length;
      if (at === end) checkWhole(whole, expected);
      stopIfAborted(signal);
      yield part;
    }
    if (start === end) checkWhole(whole, expected);
  }

  close(): Promise<void> {
    return (this.#closed ??= this.#release());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** The descriptor's number may by then be another file's. */
  #stopIfClosed(): void {
    if (this.#closed !== undefined) throw cancelled();
  }
}

function checkWhole(whole: ReturnType<typeof createHash>, expected: Buffer | undefined): void {
  if (expected !== undefined && !whole.digest().equals(expected)) {
    throw forgeError(damaged('CONTENT', 'The content of a file does not have its hash'));
  }
}

function namesOf(path: Buffer): string[] {
  return path.length === 0 ? [] : path.toString('latin1').split('/');
}
