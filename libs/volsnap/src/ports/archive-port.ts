import type { Codec, LinkTier, Manifest, Note, StepProgress } from '@tiny-forge/contracts/domain';
import type { TreeIdentity } from '../restore-engine.ts';

/** What the engines ask of archives. Every call runs in worker threads, honours `signal`, and settles only after its threads have ended. */
export interface ArchivePort {
  /**
   * Reads the whole file: hash, authentication of the index, every entry.
   * @throws ARCHIVE_DAMAGED, ARCHIVE_TAMPERED, IO_ERROR
   */
  verify(input: {
    readonly file: string;
    readonly sha256: string;
    readonly signal: AbortSignal;
    readonly onProgress: (progress: StepProgress) => void;
  }): Promise<{ readonly manifest: Manifest; readonly contentBytes: number; readonly entries: number }>;

  /**
   * Fills each empty directory with its volume and gives it the owner, mode and mtime of the volume's root. Not yet durable.
   * @throws INSUFFICIENT_SPACE when the reserve is reached, ARCHIVE_DAMAGED, ARCHIVE_TAMPERED, IO_ERROR
   */
  extract(input: {
    readonly file: string;
    readonly roots: readonly { readonly index: number; readonly directory: string }[];
    readonly reserve: SpaceReserve;
    readonly signal: AbortSignal;
    readonly onProgress: (progress: StepProgress) => void;
  }): Promise<{ readonly contentBytes: number; readonly entries: number }>;

  /**
   * Writes a durable archive at `file`, which must not exist.
   * @throws VOLUME_NOT_CAPTURABLE, INSUFFICIENT_SPACE, IO_ERROR
   */
  create(
    input: ArchiveRequest & {
      /** Of a warm pass for the same request: used up, whatever comes of it. */
      readonly warm: WarmPass | null;
    },
  ): Promise<CreatedArchive>;

  /**
   * Reads and packs, while the app goes on, what `create` need not read again where nothing changed since. Null: of no use here.
   * @throws as `create`; nothing is left then
   */
  warm(input: ArchiveRequest): Promise<WarmPass | null>;

  /**
   * Content and entries below a directory, itself included, without crossing mounts.
   * @param exclude exact names directly in it that are left out
   */
  measure(
    directory: string,
    exclude: readonly string[],
    signal: AbortSignal,
  ): Promise<{ readonly contentBytes: number; readonly entries: number }>;

  /**
   * Removes a directory and all it holds without crossing mounts or following links, if it is the very tree `identity`. One that is not there is
   * fine.
   * @throws IO_ERROR
   */
  removeTree(directory: string, identity: TreeIdentity, signal: AbortSignal): Promise<void>;
}

export interface ArchiveRequest {
  readonly file: string;
  readonly codec: Codec;
  readonly manifest: Manifest;
  /** `directory` null: absent. */
  readonly volumes: readonly {
    readonly index: number;
    readonly directory: string | null;
    readonly links: LinkTier;
    /** Exact names directly in it that are left out. */
    readonly exclude: readonly string[];
  }[];
  readonly reserve: SpaceReserve | null;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: StepProgress) => void;
}

/** An archive that is begun, in this process alone: a file beside the one that is to be made. */
export interface WarmPass {
  /** Removes what it wrote. Fine more than once, and after `create`. */
  discard(): Promise<void>;
}

/** What must stay free, in bytes and inodes, on the file system that is written to. */
export interface SpaceReserve {
  readonly bytes: number;
  readonly inodes: number;
}

export interface CreatedArchive {
  readonly sha256: string;
  readonly bytes: number;
  readonly contentBytes: number;
  readonly entries: number;
  readonly volumes: readonly { readonly index: number; readonly contentBytes: number; readonly entries: number }[];
  readonly notes: readonly Note[];
}
