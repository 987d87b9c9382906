import type { Codec, ImportProfile } from '@tiny-forge/contracts/domain';
import type { CaptureResult, StepContext, WorkloadAtRevision } from '../restore-engine.ts';

export interface ReceiveInput {
  /** Names the upload from now on; a UUID. */
  readonly uploadId: string;
  readonly source: AsyncIterable<Uint8Array>;
  /** What the sender says it will send, bytes; null: it does not say. */
  readonly declaredBytes: number | null;
  readonly signal: AbortSignal;
}

/** An upload that lies on disk. Until `settled` nothing collects it, whatever the tables say. */
export interface Upload {
  readonly bytes: number;
  /** Somebody answers for it now (a row names it), or it was released. Idempotent. */
  readonly settled: () => void;
}

export interface ImportInput {
  readonly workload: WorkloadAtRevision;
  readonly snapshotId: string;
  readonly uploadId: string;
  readonly profile: ImportProfile;
  /** 0: an archive with links is refused. 1: hardlinks, and symlinks that stay inside their volume. */
  readonly links: 0 | 1;
  /** Which volume a tree without a manifest is, by target; null: the only one there is. */
  readonly target: string | null;
  readonly codec: Codec;
}

/**
 * Archives of somebody else: received into a file of ours, then checked as a whole and written anew as an archive of this installation, so that
 * everything later meets only archives of ours. Owns `<data>/imports`.
 */
export interface ImportEngine {
  /**
   * Takes an upload into a private file and looks at nothing in it. Nothing is left of one that fails.
   * @throws UPLOAD_TOO_LARGE (params need, free) for what would not leave the reserve of the disk, UPLOAD_INCOMPLETE for a sender that stalls,
   * takes too long or breaks off, TOO_MANY_TRANSFERS, CANCELLED, IO_ERROR
   */
  receive(input: ReceiveInput): Promise<Upload>;
  /** Removes an upload that nobody will import; absent is fine. */
  release(uploadId: string): Promise<void>;
  /**
   * Idempotent by `snapshotId`: a finished archive of that id is the answer. The upload is removed when the archive is durable.
   * @throws ARCHIVE_DAMAGED (params rule, entry, offset), IMPORT_NAMES_NO_VOLUME, UPLOAD_LOST, INSUFFICIENT_SPACE, IO_ERROR, CANCELLED
   */
  import(input: ImportInput, context: StepContext): Promise<CaptureResult>;
  /** Removes all that an import left that did not succeed: upload, work, archive. Idempotent. */
  discard(input: {
    readonly workloadId: string;
    readonly snapshotId: string;
    readonly uploadId: string;
  }): Promise<void>;
  /**
   * Removes uploads and work that nobody needs: of processes that died, of operations that ended.
   * @param needed which of these uploads an operation that has not ended names
   * @returns ids of what was removed
   */
  collect(needed: (uploadIds: readonly string[]) => Promise<ReadonlySet<string>>): Promise<readonly string[]>;
}
