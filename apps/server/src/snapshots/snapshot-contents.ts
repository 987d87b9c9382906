import { stat } from 'node:fs/promises';
import type { ArchiveContent, EntryAddress } from '@tiny-forge/archive-safe';
import type { SnapshotFolder } from '@tiny-forge/contracts/domain';
import { RequestError, validationFailed } from '../http/problem.ts';
import type { Parts } from '../parts.ts';
import type { SnapshotRecord } from '../state/index.ts';
import type { ByteRange } from './content-headers.ts';
import { fromBase64url } from './entry-address.ts';
import { presentEntry } from './entry-presenter.ts';
import type { LentArchive, OpenArchives } from './open-archives.ts';

export interface OpenedContent {
  readonly content: ArchiveContent;
  readonly range: ByteRange;
  /** The chunks of the range; the archive goes back when they end, whichever way. Run once, or `release`. */
  readonly bytes: AsyncGenerator<Buffer, void, void>;
  readonly release: () => void;
}

/** Looks into snapshots without unpacking them. */
export class SnapshotContents {
  readonly #parts: Pick<Parts, 'captureEngine'>;
  readonly #archives: OpenArchives;

  constructor(parts: Pick<Parts, 'captureEngine'>, archives: OpenArchives) {
    this.#parts = parts;
    this.#archives = archives;
  }

  /** @throws SNAPSHOT_NOT_READY, ARCHIVE_MISSING, NOT_FOUND, ENTRY_NOT_A_FOLDER, VALIDATION_FAILED for the cursor, what lending throws */
  async list(
    snapshot: SnapshotRecord,
    address: EntryAddress,
    page: { readonly cursor: string | undefined; readonly limit: number },
  ): Promise<SnapshotFolder> {
    const after = afterOf(page.cursor);
    const { archive, release } = await this.#lend(snapshot);
    try {
      const found = await archive.list(address, { limit: page.limit, ...(after === null ? {} : { after }) });
      if (found === null) throw await missing(archive, address, 'folder');
      return {
        folder: presentEntry(found.folder),
        items: found.entries.map(presentEntry),
        nextCursor: found.next === null ? null : found.next.toString('base64url'),
      };
    } finally {
      release();
    }
  }

  /**
   * @param rangeOf what part is wanted, once the size is known
   * @throws as `list`, ENTRY_NOT_A_FILE, and what `rangeOf` throws
   */
  async content(
    snapshot: SnapshotRecord,
    address: EntryAddress,
    rangeOf: (content: ArchiveContent) => ByteRange,
    signal: AbortSignal,
  ): Promise<OpenedContent> {
    const { archive, release } = await this.#lend(snapshot);
    try {
      const content = await archive.content(address, { signal });
      if (content === null) throw await missing(archive, address, 'file');
      const range = rangeOf(content);
      const part = range === null ? content : await archive.content(address, { ...range, signal });
      if (part === null) throw await missing(archive, address, 'file');
      return { content, range, release, bytes: releasing(part.bytes, release) };
    } catch (error) {
      release();
      throw error;
    }
  }

  async #lend(snapshot: SnapshotRecord): Promise<LentArchive> {
    if (snapshot.state !== 'READY') {
      throw new RequestError('SNAPSHOT_NOT_READY', { snapshotId: snapshot.id, state: snapshot.state });
    }
    const file = this.#parts.captureEngine.archivePath(snapshot.workloadId, snapshot.id, snapshot.codec);
    const isThere = await stat(file).then(
      (found) => found.isFile(),
      () => false,
    );
    if (!isThere) throw new RequestError('ARCHIVE_MISSING', { snapshotId: snapshot.id });
    return this.#archives.lend(file);
  }
}

/** Why nothing came: nothing is there, or something else. */
async function missing(
  archive: LentArchive['archive'],
  address: EntryAddress,
  wanted: 'file' | 'folder',
): Promise<RequestError> {
  const entry = await archive.find(address);
  if (entry === null) return new RequestError('NOT_FOUND', { what: wanted === 'file' ? 'The file' : 'The folder' });
  const params = { entry: entry.shownPath, type: entry.type };
  return new RequestError(wanted === 'file' ? 'ENTRY_NOT_A_FILE' : 'ENTRY_NOT_A_FOLDER', params);
}

function afterOf(cursor: string | undefined): Buffer | null {
  if (cursor === undefined) return null;
  const name = fromBase64url(cursor);
  if (name === null || name.length === 0 || name.length > 255 || name.includes(0) || name.includes('/')) {
    throw validationFailed([{ path: 'query.cursor', message: 'not a cursor of an earlier page' }]);
  }
  return name;
}

async function* releasing(
  bytes: AsyncGenerator<Buffer, void, void>,
  release: () => void,
): AsyncGenerator<Buffer, void, void> {
  try {
    yield* bytes;
  } finally {
    release();
  }
}
