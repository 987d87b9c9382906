import { createHash, type Hash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { encodeTable, encodeTrailer, type Segment, type VolumeSummary } from './archive-table.ts';
import { FrameCompressor, wrapHidden, type Codec } from './codec.ts';
import type { CreateArchiveOptions, CreatedArchive } from './capture-request.ts';
import { manifestPath, maxManifestBytes, type IndexEntry } from './entry.ts';
import { encodeIndexBlock } from './index-block.ts';
import { NoteList } from './note.ts';
import type { PackedFrame } from './pack-task.ts';
import { damaged } from './refusal.ts';
import { SpaceWatch } from './space-watch.ts';
import { encodeHeader, paddingOf } from './tar-header.ts';

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
  #segments: Segment[] = [];
  #open: Segment | undefined;
  #space: SpaceWatch;

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
  }

  async frame(frame: PackedFrame): Promise<void> {
    this.notes.addAll(frame.notes);
    if (frame.rawBytes === 0) return;
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
    if (frame.index === null || frame.indexSha256 === null) return;
    await this.#write(frame.index);
    Object.assign(this.#open, {
      entries: frame.entries,
      contentBytes: frame.contentBytes,
      indexBytes: frame.index.length,
      indexSha256: Buffer.from(frame.indexSha256),
    });
    this.#segments.push(this.#open);
    this.#open = undefined;
    this.entries += frame.entries;
    this.contentBytes += frame.contentBytes;
  }

  async finish(): Promise<CreatedArchive> {
    await this.#edge(Buffer.alloc(1024), []);
    const volumes = this.#summaries();
    const notes = this.notes.list();
    const table = encodeTable({ codec: this.#codec, segments: this.#segments, volumes, notes });
    const trailer = encodeTrailer(this.#position, table, this.#codec, this.#options.key);
    await this.#write(wrapHidden(table, this.#codec));
    await this.#write(trailer);
    return {
      bytes: this.#position,
      sha256: this.#hash.digest('hex'),
      contentBytes: this.contentBytes,
      entries: this.entries,
      volumes: volumes.map(({ index, contentBytes, entries }) => ({ index, contentBytes, entries })),
      notes,
    };
  }

  #summaries(): VolumeSummary[] {
    const sorted = [...this.#options.volumes].sort((a, b) => a.index - b.index);
    return sorted.map(({ index, root, links }) => {
      const own = this.#segments.filter((segment) => segment.volume === index);
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
    let at = 0;
    while (at < bytes.length) {
      const { bytesWritten } = await this.#handle.write(bytes, at, bytes.length - at, this.#position + at);
      at += bytesWritten;
    }
    this.#position += bytes.length;
  }
}

function sha256(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest();
}
