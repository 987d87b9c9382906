import { createHash, type Hash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { packedBytes, readExactly } from './archive-reader.ts';
import { encodeTable, encodeTrailer, type Segment, type StoredSegment, type VolumeSummary } from './archive-table.ts';
import { FrameCompressor, wrapHidden, type Codec } from './codec.ts';
import type { CreateArchiveOptions, CreatedArchive } from './capture-request.ts';
import { deadSpans, headBytes, spanHead } from './dead-segment.ts';
import { manifestPath, maxManifestBytes, type IndexEntry } from './entry.ts';
import { encodeIndexBlock } from './index-block.ts';
import { NoteList } from './note.ts';
import type { PackedFrame } from './pack-task.ts';
import { damaged } from './refusal.ts';
import { SpaceWatch } from './space-watch.ts';
import { encodeHeader, paddingOf } from './tar-header.ts';

/** The kernel begins to write back by itself after many seconds; the sync at the end would have all of it to do. */
const syncEveryBytes = 64 << 20;

/** Puts the parts of an archive into its file in order, hashes them, and keeps the table. */
export class ArchiveOutput {
  readonly notes = new NoteList();
  entries = 0;
  contentBytes = 0;
  #handle: FileHandle;
  #options: CreateArchiveOptions;
  #codec: Codec;
  #hash: Hash = createHash('sha256');
  #position = 0;
  /** In the order of the file. */
  #segments: Segment[] = [];
  /** Where in the file each of them ends. */
  #ends: number[] = [];
  /** Numbers of segments in archive order. */
  #order: number[] = [];
  #open: Segment | undefined;
  #space: SpaceWatch;
  #syncedUpTo = 0;
  #syncing: Promise<void> | undefined;
  #syncFailure: Error | undefined;

  constructor(handle: FileHandle, options: CreateArchiveOptions) {
    this.#handle = handle;
    this.#options = options;
    this.#codec = options.codec ?? 'zstd';
    this.#space = new SpaceWatch([handle.fd], options.freeSpaceCheck);
    this.#space.check();
  }

  async manifest(): Promise<void> {
    const body = Buffer.from(`${JSON.stringify(this.#options.manifest, null, 2)}\n`);
    if (body.length > maxManifestBytes) throw damaged('MANIFEST', 'The manifest is larger than 1 MiB');
    const entry: IndexEntry = {
      path: manifestPath,
      type: 'file',
      mode: 0o644,
      uid: 0,
      gid: 0,
      mtimeSec: 0,
      mtimeNs: 0,
      size: body.length,
      link: '',
      sparse: false,
      sha256: createHash('sha256').update(body).digest(),
    };
    await this.#edge(Buffer.concat([encodeHeader(entry), body, Buffer.alloc(paddingOf(body.length))]), [entry]);
  }

  /** The first and the last segment, made here. */
  async #edge(raw: Buffer, entries: IndexEntry[]): Promise<void> {
    const compressor = new FrameCompressor({ codec: this.#codec });
    const packed = Buffer.from(compressor.compress(raw));
    compressor.close();
    const index = encodeIndexBlock(entries, this.#codec);
    await this.#write(packed);
    await this.#write(index);
    this.#segments.push({
      volume: null,
      entries: entries.length,
      contentBytes: entries.reduce((sum, entry) => sum + entry.size, 0),
      frames: [{ packedBytes: packed.length, rawBytes: raw.length, sha256: sha256(packed) }],
      indexBytes: index.length,
      indexSha256: sha256(index),
    });
    this.#ends.push(this.#position);
    this.#order.push(this.#segments.length - 1);
  }

  /** @returns whether a segment ended with it */
  async frame(frame: PackedFrame): Promise<boolean> {
    this.notes.addAll(frame.notes);
    if (frame.rawBytes === 0) return false;
    const packed = new Uint8Array(frame.out, 0, frame.packedBytes);
    await this.#write(packed);
    this.#open ??= {
      volume: frame.volume,
      entries: 0,
      contentBytes: 0,
      frames: [],
      indexBytes: 0,
      indexSha256: Buffer.alloc(0),
    };
    const { packedBytes, rawBytes } = frame;
    this.#open.frames.push({ packedBytes, rawBytes, sha256: Buffer.from(frame.sha256) });
    this.#space.bytes(packedBytes);
    if (frame.index === null || frame.indexSha256 === null) return false;
    await this.#write(frame.index);
    Object.assign(this.#open, {
      entries: frame.entries,
      contentBytes: frame.contentBytes,
      indexBytes: frame.index.length,
      indexSha256: Buffer.from(frame.indexSha256),
    });
    this.#segments.push(this.#open);
    this.#ends.push(this.#position);
    this.#open = undefined;
    this.keep(this.#segments.length - 1);
    return true;
  }

  /** Segments that are complete. */
  get count(): number {
    return this.#segments.length;
  }

  /** Where the index block of a segment lies in the file. */
  indexOf(number: number): { indexOffset: number; indexBytes: number; indexSha256: Buffer } {
    const { indexBytes, indexSha256 } = this.#segments[number] as Segment;
    return { indexOffset: (this.#ends[number] as number) - indexBytes, indexBytes, indexSha256 };
  }

  /** The next segment in archive order. */
  keep(number: number): void {
    const { entries, contentBytes } = this.#segments[number] as Segment;
    this.#order.push(number);
    this.entries += entries;
    this.contentBytes += contentBytes;
  }

  /** Nothing but the manifest is in the archive until it is kept, or comes behind what is in the file. */
  again(options: CreateArchiveOptions): void {
    this.#options = options;
    this.#space = new SpaceWatch([this.#handle.fd], options.freeSpaceCheck);
    this.#space.check();
    this.notes.clear();
    this.#order = [0];
    this.entries = 0;
    this.contentBytes = 0;
  }

  async finish(): Promise<CreatedArchive> {
    await this.#edge(Buffer.alloc(1024), []);
    const segments = this.#order.map((number) => this.#segments[number] as Segment);
    const moved = this.#order.length < this.#segments.length || this.#order.some((number, i) => number !== i);
    const stored = moved ? await this.#bury() : undefined;
    const volumes = this.#summaries(segments);
    const notes = this.notes.list();
    const table = encodeTable({ codec: this.#codec, segments, volumes, notes, stored });
    const trailer = encodeTrailer(this.#position, table, this.#codec, this.#options.key);
    await this.#write(wrapHidden(table, this.#codec));
    await this.#write(trailer);
    await this.written();
    return {
      bytes: this.#position,
      sha256: moved ? sha256(trailer).toString('hex') : this.#hash.digest('hex'),
      contentBytes: this.contentBytes,
      entries: this.entries,
      volumes: volumes.map(({ index, contentBytes, entries }) => ({ index, contentBytes, entries })),
      notes,
    };
  }

  /**
   * To be called before the last sync of the file.
   *
   * @throws what an earlier sync failed with: the kernel tells an error of writing back once, and a later sync would not see it
   */
  async written(): Promise<void> {
    await this.#syncing;
    if (this.#syncFailure !== undefined) throw this.#syncFailure;
  }

  /** Hides the segments that are not kept from stock tools. */
  async #bury(): Promise<StoredSegment[]> {
    const places = new Map(this.#order.map((number, place) => [number, place]));
    const stored: StoredSegment[] = [];
    let offset = 0;
    for (const [number, segment] of this.#segments.entries()) {
      const place = places.get(number) ?? null;
      const heads: Buffer[] = [];
      for (const span of place === null ? deadSpans(segment) : []) {
        heads.push(readExactly(this.#handle.fd, headBytes, offset + span.at));
        await this.#put(spanHead(span), offset + span.at);
      }
      stored.push({ segment, place, heads });
      offset += packedBytes(segment);
    }
    return stored;
  }

  #summaries(segments: readonly Segment[]): VolumeSummary[] {
    const sorted = [...this.#options.volumes].sort((a, b) => a.index - b.index);
    return sorted.map(({ index, root, links }) => {
      const own = segments.filter((segment) => segment.volume === index);
      return {
        index,
        absent: root === null,
        links,
        entries: own.reduce((sum, segment) => sum + segment.entries, 0),
        contentBytes: own.reduce((sum, segment) => sum + segment.contentBytes, 0),
      };
    });
  }

  async #write(bytes: Uint8Array): Promise<void> {
    this.#hash.update(bytes);
    await this.#put(bytes, this.#position);
    this.#position += bytes.length;
    if (this.#position - this.#syncedUpTo >= syncEveryBytes && this.#syncing === undefined) this.#syncSoFar();
  }

  /** Beside what is packed meanwhile. Whoever closes the handle waits for it: Node does, for every call on it. */
  #syncSoFar(): void {
    this.#syncedUpTo = this.#position;
    this.#syncing = this.#handle
      .datasync()
      .catch((error: unknown) => {
        this.#syncFailure ??= error as Error;
      })
      .finally(() => {
        this.#syncing = undefined;
      });
  }

  async #put(bytes: Uint8Array, position: number): Promise<void> {
    let at = 0;
    while (at < bytes.length) {
      const { bytesWritten } = await this.#handle.write(bytes, at, bytes.length - at, position + at);
      at += bytesWritten;
    }
  }
}

function sha256(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest();
}
