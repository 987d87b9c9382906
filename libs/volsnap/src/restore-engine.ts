import type {
  AppBefore,
  Blocker,
  Codec,
  ImageRef,
  Manifest,
  Note,
  OperatorGuide,
  QuiesceMode,
  RestorePlan,
  StepProgress,
  WorkloadConfig,
} from '@tiny-forge/contracts/domain';

/** What a step may use of its caller. Every call settles only after all work it began (worker threads included) has really ended. */
export interface StepContext {
  readonly signal: AbortSignal;
  /** Called at most a few times a second; never awaited. */
  readonly onProgress: (progress: StepProgress) => void;
}

/** A workload at a frozen revision, without secrets: the engine needs volumes and times, never env. */
export interface WorkloadAtRevision {
  readonly id: string;
  readonly revision: number;
  readonly name: string;
  readonly project: string;
  readonly stage: string;
  readonly config: WorkloadConfig;
}

/** What the catalogue knows of a snapshot that is to be restored. */
export interface SnapshotSource {
  readonly id: string;
  readonly workloadId: string;
  readonly createdAt: string;
  /** Absolute path of the archive file. */
  readonly file: string;
  /** Hex SHA-256 of the archive file. */
  readonly archiveSha256: string;
  readonly bytes: number;
  readonly contentBytes: number;
  readonly manifest: Manifest;
  readonly volumes: readonly { readonly index: number; readonly contentBytes: number; readonly entries: number }[];
  readonly image: ImageRef | null;
}

/** Identity of a tree (restore.md 3): survives remounts, never a name. Decimal strings, because inode and ns exceed 2^53. */
export interface TreeIdentity {
  /** UUID or fsid of the file system, as found through its mount. */
  readonly fileSystem: string;
  readonly inode: string;
  readonly birthTimeNs: string;
}

export interface RestoreTarget {
  readonly index: number;
  readonly target: string;
  readonly scope: string;
  readonly source: string;
  readonly hostPath: string;
  readonly parent: string;
  readonly base: string;
  /** null: the live directory is absent now. */
  readonly live: TreeIdentity | null;
  /** The snapshot lists the volume as absent: restoring makes it absent. */
  readonly absentInSnapshot: boolean;
  /** `inner`: the live directory is a mount point, so what lies in it is swapped, and `parent` is itself. Absent: its name in the parent is. */
  readonly swap?: 'inner';
}

/** Result of `preflight`, small JSON without secrets; every later step gets it unchanged. */
export interface FrozenPlan {
  readonly txId: string;
  readonly operationId: string;
  readonly workloadId: string;
  readonly workloadName: string;
  readonly revision: number;
  readonly snapshotId: string;
  readonly archiveFile: string;
  readonly archiveSha256: string;
  readonly planHash: string;
  /** What was confirmed. A person may decide for `keep-old-tree` later; SAFE in the journal says what was done. */
  readonly safety: 'snapshot' | 'keep-old-tree';
  /** How long old trees are kept where they are kept; absent in journals from before that. */
  readonly safetyDays?: number;
  readonly targets: readonly RestoreTarget[];
  readonly image: ImageRef | null;
  readonly holderContainerId: string | null;
  readonly stopTimeoutSeconds: number;
}

export interface PlanInput {
  readonly workload: WorkloadAtRevision;
  readonly snapshot: SnapshotSource;
  readonly safety: 'snapshot' | 'keep-old-tree';
  /** Image of the last good deployment, else null. */
  readonly lastGoodImage: ImageRef | null;
  readonly safetyDays: number;
  /** Whether the name exists twice among workloads: the word to type is then `stage/name`. */
  readonly nameIsAmbiguous: boolean;
  /** Seconds, of the last restore of this workload; null: none. */
  readonly lastRestore: { readonly stagingSeconds: number; readonly downtimeSeconds: number } | null;
}

export interface RecordedContainer {
  readonly id: string;
  readonly name: string;
  readonly imageId: string;
  readonly restartPolicy: string;
  readonly running: boolean;
  readonly health: string;
}

/** Where a transaction stands, from the journal alone. */
export interface TransactionStatus {
  readonly txId: string;
  readonly operationId: string;
  readonly workloadId: string;
  /** null as `plan`. */
  readonly snapshotId: string | null;
  /** OPERATOR also where the journal is corrupt. */
  readonly record:
    | 'NONE'
    | 'BEGIN'
    | 'STAGED'
    | 'QUIESCING'
    | 'QUIESCED'
    | 'SAFE'
    | 'COMMIT'
    | 'SWAPPED'
    | 'ROLLBACK'
    | 'ROLLED_BACK'
    | 'DONE'
    | 'OPERATOR'
    | 'CLOSED';
  /** DONE was durable, also when the journal is closed since: the restore has succeeded. */
  readonly done: boolean;
  readonly before: AppBefore | null;
  readonly safetySnapshotId: string | null;
  /** SAFE says that the old trees are kept instead of a snapshot. */
  readonly keepsOldTrees: boolean;
  /** From DONE on, where old trees are kept: which, and until when. They may be gone since. */
  readonly kept: KeptTrees | null;
  /** null: the journal is corrupt, and nothing of it can be read. */
  readonly plan: FrozenPlan | null;
  /** null as `plan`. */
  readonly startedAt: string | null;
}

/** Starts what `resume` cannot start because its container is gone: deploys the recorded image through the dispatch. */
export type RedeployRecorded = (image: ImageRef | null, signal: AbortSignal) => Promise<void>;

/**
 * The restore transaction (restore.md 1 to 4). Every member is idempotent by journal state: it reads the journal first, returns the recorded
 * result when its step is past, throws TX_STATE when the record it needs is missing and TX_ROLLED_BACK when ROLLBACK is there. One attempt at a
 * time per workload: a newer call of a member aborts an older one and waits for its real end (restore.md 5.4).
 */
export interface RestoreEngine {
  /** Changes nothing. All blockers and warnings at once. */
  plan(input: PlanInput, signal: AbortSignal): Promise<RestorePlan>;
  /** Pure part of `plan`, for comparing at submit. */
  /** @throws RESTORE_BLOCKED (params count, codes; `blockers` in the error's `blockers` property), PLAN_CHANGED, ARCHIVE_DAMAGED, ARCHIVE_TAMPERED, IMAGE_MISSING, … Leaves nothing but the holder container. */
  preflight(
    input: PlanInput & { readonly operationId: string; readonly confirmedPlanHash: string | null },
    context: StepContext,
  ): Promise<FrozenPlan>;
  extract(plan: FrozenPlan, context: StepContext): Promise<{ readonly contentBytes: number; readonly entries: number }>;
  stop(
    plan: FrozenPlan,
    context: StepContext,
  ): Promise<{
    readonly before: AppBefore;
    readonly containers: readonly RecordedContainer[];
    readonly stoppedAt: string;
  }>;
  /** After the safety snapshot is durable. */
  recordSafe(plan: FrozenPlan, snapshotId: string): Promise<void>;
  /** Instead of a safety snapshot: the old trees stay after DONE until their time is over. `plan.safety` or a person decided so. */
  recordOldTreesKept(plan: FrozenPlan): Promise<void>;
  swap(plan: FrozenPlan, context: StepContext): Promise<void>;
  /**
   * Appends nothing; checks SWAPPED, stops instances of the workload that this operation did not make (Docker may have started one again), and checks
   * that no other container or process has the live or old tree mounted. @throws CONTAINER_APPEARED
   */
  assertMayRedeploy(plan: FrozenPlan, signal: AbortSignal): Promise<{ readonly before: AppBefore }>;
  /** `instances`: the containers that carry the new data and get their policy; empty when the app stays stopped. */
  finish(
    plan: FrozenPlan,
    instances: readonly string[],
    context: StepContext,
  ): Promise<{ readonly warnings: readonly Note[] }>;

  /** Undo, in this order: removeNew, swapBack, resume, dropStaging, close. From QUIESCING on the first thing each does is make ROLLBACK durable. */
  removeNew(plan: FrozenPlan, signal: AbortSignal): Promise<void>;
  swapBack(plan: FrozenPlan, signal: AbortSignal): Promise<void>;
  resume(
    plan: FrozenPlan,
    redeployRecorded: RedeployRecorded,
    signal: AbortSignal,
  ): Promise<{ readonly app: 'running' | 'stopped' | 'unhealthy' | 'absent' }>;
  dropStaging(plan: FrozenPlan, signal: AbortSignal): Promise<void>;
  close(plan: FrozenPlan, signal: AbortSignal): Promise<void>;
  /** The chain of undo failed: record OPERATOR, keep everything. */
  needsOperator(plan: FrozenPlan, reason: { readonly code: string; readonly detail: string }): Promise<OperatorGuide>;

  /** restore.md 4; before the host's worker polls. Running it twice changes nothing. */
  sweep(signal: AbortSignal): Promise<SweepReport>;
  /** Old trees that are kept, of all workloads, also of closed restores. */
  keptTrees(): Promise<readonly KeptTrees[]>;
  /** For the janitor: removes kept trees past their time, by identity and place; those of `spared` workloads stay. Running it twice changes nothing. */
  collectKept(signal: AbortSignal, spared?: ReadonlySet<string>): Promise<KeptReport>;
  openTransactions(): Promise<readonly TransactionStatus[]>;
  status(operationId: string): Promise<TransactionStatus | null>;
  /** For OPERATOR: looks at every tree by identity. `all-new` only where COMMIT is recorded: nothing else may be finished. */
  examine(
    operationId: string,
  ): Promise<{ readonly verdict: 'all-new' | 'all-old' | 'unclear'; readonly guide: OperatorGuide }>;
  /**
   * After `examine` said all-new or all-old (or `as-is` was accepted): the record that lets recovery go on. A corrupt journal is superseded by its
   * readable records; one of which nothing can be read is put away.
   */
  acceptVerdict(operationId: string, verdict: 'all-new' | 'all-old', by: string): Promise<void>;
  /** @throws VOLUME_IN_USE, WORKLOAD_HELD: restore.md 5.5; `operationId` is the asking operation's own. Called by every dispatch before it starts anything. */
  assertMayStart(workloadId: string, hostPaths: readonly string[], operationId: string): Promise<void>;
  /** Whether an OPERATOR journal holds the workload; its operation's id. */
  heldBy(workloadId: string): Promise<string | null>;
}

export interface KeptTrees {
  readonly txId: string;
  readonly operationId: string;
  readonly workloadId: string;
  /** ISO 8601. */
  readonly keptUntil: string;
  readonly trees: readonly { readonly target: string; readonly livePath: string; readonly path: string }[];
}

export interface KeptReport {
  /** Transactions whose old trees are gone for good. */
  readonly collected: readonly string[];
  /** Left for the next time, or for a person. */
  readonly problems: readonly Note[];
}

export interface SweepReport {
  readonly swappedForward: readonly string[];
  readonly swappedBack: readonly string[];
  readonly policiesHeld: readonly string[];
  readonly collected: readonly string[];
  readonly corrupt: readonly { readonly file: string; readonly detail: string }[];
  /** Journals whose recovery could not go on now, each with the reason; they hold their workload, and the next attempt of a step or sweep goes on. */
  readonly unresolved: readonly { readonly txId: string; readonly code: string; readonly detail: string }[];
}

export interface CaptureInput {
  readonly workload: WorkloadAtRevision;
  readonly snapshotId: string;
  readonly kind: 'manual' | 'scheduled' | 'pre-restore';
  readonly quiesce: QuiesceMode;
  readonly codec: Codec;
  /** `widest`: capture at tier 2 and note what no tier holds (safety snapshots). */
  readonly links: 'by-volume' | 'widest';
  /** Restricts to these targets; null: all captured volumes. */
  readonly targets: readonly string[] | null;
  /** Free bytes to keep on the file system of the snapshots. */
  readonly reserve: boolean;
}

export interface CaptureResult {
  readonly file: string;
  readonly archiveSha256: string;
  readonly bytes: number;
  readonly contentBytes: number;
  readonly entries: number;
  readonly manifest: Manifest;
  readonly volumes: readonly {
    readonly index: number;
    readonly target: string;
    readonly scope: string;
    readonly source: string;
    readonly contentBytes: number;
    readonly entries: number;
    readonly absent: boolean;
  }[];
  readonly notes: readonly Note[];
  readonly quiesce: QuiesceMode;
}

/** Snapshot of a workload's captured volumes; the same list of scopes drives capture and restore. */
export interface CaptureEngine {
  /** Idempotent by `snapshotId`: a finished archive of that id is returned as it is. Undoes its pause whatever happens; a pause journal record lets the sweep unpause after a kill. */
  capture(input: CaptureInput, context: StepContext): Promise<CaptureResult>;
  /**
   * Packs, while the app goes on, what a `capture` of the same input need not read again. A wish: what goes wrong is logged, and the
   * capture reads everything. Lives in this process; a `capture` of that id uses it up, `dropWarm` removes it.
   * @throws CANCELLED
   */
  warm(input: CaptureInput, context: StepContext): Promise<void>;
  /** Removes what a warm pass left, this process's or an earlier one's; nothing is fine. */
  dropWarm(workloadId: string, snapshotId: string): Promise<void>;
  /** Removes the archive file of a snapshot; absent is fine. */
  remove(workloadId: string, snapshotId: string): Promise<void>;
  /** Where the archive of a snapshot is, or will be. */
  archivePath(workloadId: string, snapshotId: string, codec: Codec): string;
  /** For the start of a server, when nothing captures: removes archives and records that an earlier process began. @returns how many */
  sweepUnfinished(): Promise<number>;
  /** Unpauses what a killed server left paused. */
  sweepPauses(signal: AbortSignal): Promise<readonly string[]>;
}

export type { Blocker };
