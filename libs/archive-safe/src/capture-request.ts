import type { Codec } from './codec.ts';
import type { LinkTier } from './link-policy.ts';
import type { Note } from './note.ts';
import type { SpaceRule } from './space-watch.ts';

export interface CapturedVolume {
  index: number;
  /** Canonical absolute path of the directory, or null for a volume that is absent. */
  root: string | null;
  links: LinkTier;
  /** Exact names directly below the root that are left out. */
  exclude?: readonly string[];
}

export interface CreateArchiveOptions {
  /** Absolute path. Written as `<file>.partial` beside it, synced, renamed; a stale partial file is replaced. */
  file: string;
  volumes: readonly CapturedVolume[];
  /** Written as `manifest.json`, at most 1 MiB of JSON. */
  manifest: object;
  codec?: Codec;
  /** Compression level; default 3 for zstd, 6 for gzip. */
  level?: number;
  /** 32 bytes; see `loadOrCreateKey`. */
  key: Buffer;
  signal?: AbortSignal;
  /** Called on the calling thread as parts are written. Bytes are content bytes read. */
  onProgress?: (progress: { doneBytes: number; doneEntries: number }) => void;
  freeSpaceCheck?: SpaceRule;
  /** Reuses what a warm pass for the same file packed and nobody changed since, and uses it up. */
  warm?: WarmArchive | undefined;
  /** Compressing threads, default min(2, CPUs); one more reads the trees. 0: the calling thread does all, and blocks. */
  threads?: number;
}

export interface CreatedArchive {
  /** Size of the archive file. */
  bytes: number;
  /**
   * Hex SHA-256 that stands for every byte of the archive file: of the whole file; of its trailer where a warm pass left dead
   * segments in it (version 2), because the trailer has the hash of what has the hash of everything.
   */
  sha256: string;
  contentBytes: number;
  /** Entries of all volumes, without the manifest. */
  entries: number;
  volumes: { index: number; contentBytes: number; entries: number }[];
  notes: Note[];
}

/**
 * What a capture packed while its volumes were in use, in the partial file of an archive that is still to be made. Holds that file open and the
 * threads of the capture ready until one of the two is called.
 */
export interface WarmArchive {
  /**
   * Makes the archive: whatever did not change since is in it as it was packed. For a request that is not the one of the pass, or
   * where too much changed, the answer is undefined and nothing is left. To be called once.
   *
   * @throws what `createArchive` throws; then nothing is left either
   */
  finish(options: CreateArchiveOptions): Promise<CreatedArchive | undefined>;
  /** Removes the partial file. Fine at any time, and more than once. */
  discard(): Promise<void>;
}
