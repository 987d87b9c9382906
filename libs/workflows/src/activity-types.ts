import type {
  AppBefore,
  ErrorKind,
  ErrorParams,
  EndedState,
  OperatorGuide,
  SituationApp,
  SituationData,
} from '@tiny-forge/contracts/domain';
import type { ErrorView, KeptView, OperationInput, OperationView, SafetyWish } from './operation-types.ts';

/** What a host activity is for. The activity refuses another host's or installation's work (WRONG_HOST) before it touches anything. */
export interface Job {
  readonly installation: string;
  readonly hostId: string;
  readonly operationId: string;
  readonly workloadId: string;
}

/** The frozen plan of a restore: JSON that the workflow hands on and never reads. */
export type OpaquePlan = Readonly<Record<string, unknown>>;

/** `details[0]` of every ApplicationFailure that an activity throws on purpose; `type` of the failure is `code`. */
export interface FailureDetails {
  readonly code: string;
  readonly kind: ErrorKind;
  readonly retryable: boolean;
  readonly params: ErrorParams;
  readonly message: string;
  readonly blockers?: NonNullable<ErrorView['blockers']>;
  /** Where a failed step left the data, as the journal tells. */
  readonly data?: SituationData;
  /** The journal says DONE: the step cannot be undone any more. */
  readonly done?: boolean;
  /** With `done`: the old trees that the restore keeps. */
  readonly kept?: KeptView;
  /** `deploy`: nothing was made, stopped or removed yet. */
  readonly untouched?: boolean;
}

/** On the control queue; all idempotent, all safe to repeat after a lost answer. */
export interface ControlActivities {
  /**
   * `QUEUED` to `RUNNING` by compare-and-set, only while accepted or before `notAfter`. `refused`: the row has ended, expired (it then ends
   * CANCELLED, SUBMIT_EXPIRED), belongs to another run or does not exist; the operation must do nothing.
   */
  begin(request: RecordRequest & { readonly runId: string }): Promise<BeginAnswer>;
  /** Applies only where `seq` is larger and the row has not ended. */
  record(request: RecordRequest): Promise<void>;
  /** As `record`, with the end (`view.state` ended, or NEEDS_OPERATOR), the outcome in the audit, pins released and the history stored. */
  end(request: EndRequest): Promise<void>;
  /** Outcome of an operation that never begins: aborted while queued, behind a `delete`, or refused by Temporal. Nothing where it has begun. */
  endUnbegun(request: {
    readonly operationId: string;
    readonly state: 'CANCELLED' | 'FAILED';
    readonly error: { readonly code: string; readonly params: ErrorParams };
  }): Promise<void>;
  /** Returns when Temporal positively calls the operation's workflow closed or unknown. */
  awaitClosed(request: { readonly installation: string; readonly operationId: string }): Promise<void>;
  /**
   * `silent`: returns when the step's activity waits for a worker longer than `silentMs`. `taken`: when a worker has it (or it is gone).
   * Heartbeats; ends on cancellation.
   */
  watchHost(request: {
    readonly operationId: string;
    readonly runId: string;
    readonly until: 'silent' | 'taken';
    readonly hostQueue: string;
    readonly silentMs: number;
  }): Promise<void>;
}

export interface BeginAnswer {
  readonly outcome: 'begun' | 'refused';
  /** As the row knew it when it was made. */
  readonly app: SituationApp;
}

export interface RecordRequest {
  readonly operationId: string;
  readonly seq: number;
  readonly view: OperationView;
}

export interface EndRequest extends RecordRequest {
  readonly runId: string;
  /** A `recover` ends, or holds, the row it recovers in the same transaction as its own (writer 4 of restore.md 6). */
  readonly recovered?: RecoveredEnd;
}

export interface RecoveredEnd {
  readonly operationId: string;
  readonly state: EndedState | 'NEEDS_OPERATOR';
  readonly app: SituationApp;
  readonly data: SituationData;
  readonly error?: { readonly code: string; readonly params: ErrorParams; readonly detail: string };
  readonly operatorGuide?: OperatorGuide;
  readonly kept?: KeptView;
}

export interface PlanJob {
  readonly job: Job;
  readonly plan: OpaquePlan;
}

/** What SAFE in the journal says: the snapshot that was taken, or that the old trees are kept instead (`snapshotId` null). */
export type SafetyAnswer =
  { readonly snapshotId: string; readonly expiresAt: string; readonly notes: number } | { readonly snapshotId: null };

/** On the host's queue; idempotent by journal (restore.md 4), one attempt at a time per workload. */
export interface HostActivities {
  preflight(request: {
    readonly job: Job;
    readonly snapshotId: string;
    readonly planHash: string | null;
    readonly safety: SafetyWish;
  }): Promise<{ readonly plan: OpaquePlan; readonly app: SituationApp }>;
  extract(request: PlanJob): Promise<{ readonly contentBytes: number; readonly entries: number }>;
  stop(request: PlanJob): Promise<{ readonly before: AppBefore; readonly stoppedAt: string }>;
  /** `safety`: what was asked for last; a journal past SAFE answers what was done. */
  preRestoreSnapshot(request: PlanJob & { readonly safety?: SafetyWish }): Promise<SafetyAnswer>;
  swap(request: PlanJob): Promise<void>;
  redeploy(request: PlanJob): Promise<{ readonly instances: readonly string[] }>;
  finish(
    request: PlanJob & { readonly instances: readonly string[] },
  ): Promise<{ readonly warnings: readonly string[]; readonly kept?: KeptView }>;

  removeNew(request: PlanJob): Promise<void>;
  swapBack(request: PlanJob): Promise<void>;
  resume(request: PlanJob): Promise<{ readonly app: SituationApp }>;
  dropStaging(request: PlanJob): Promise<void>;
  close(request: PlanJob): Promise<void>;
  needsOperator(
    request: PlanJob & { readonly code: string; readonly detail: string },
  ): Promise<{ readonly guide: OperatorGuide }>;

  deploy(request: { readonly job: Job }): Promise<{ readonly app: SituationApp; readonly changed: boolean }>;
  /** Removes what a failed or aborted `deploy` of this operation made, and serves what ran before. */
  undoDeploy(request: { readonly job: Job }): Promise<{ readonly app: SituationApp }>;
  stopApp(request: { readonly job: Job }): Promise<{ readonly app: SituationApp }>;
  startApp(request: { readonly job: Job }): Promise<{ readonly app: SituationApp }>;
  capture(request: {
    readonly job: Job;
    readonly snapshotId: string;
    readonly quiesce: 'pause' | 'stop' | 'none';
  }): Promise<{ readonly app: SituationApp; readonly contentBytes: number; readonly entries: number }>;
  /** Checks an upload as a whole and writes it anew as an archive of ours; idempotent by `snapshotId`. */
  importSnapshot(request: {
    readonly job: Job;
    readonly snapshotId: string;
    readonly upload: NonNullable<OperationInput['options']['upload']>;
  }): Promise<{ readonly app: SituationApp; readonly contentBytes: number; readonly entries: number }>;
  /** Removes what an import that did not succeed left, its upload too. */
  discardImport(request: { readonly job: Job; readonly snapshotId: string; readonly uploadId: string }): Promise<void>;
  deleteWorkload(request: { readonly job: Job; readonly deleteData: boolean }): Promise<void>;

  /** What the journal of `recovers` says. An OPERATOR journal is examined; only with `recheck` is a clear verdict accepted. */
  recoverStatus(request: {
    readonly job: Job;
    readonly recovers: string;
    readonly recheck: boolean;
    readonly accept: 'as-is' | null;
  }): Promise<RecoverStatus>;
}

export interface RecoverStatus {
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
  readonly plan: OpaquePlan | null;
  /** CLOSED after DONE: the restore had succeeded. */
  readonly done: boolean;
  readonly before: AppBefore | null;
  readonly app: SituationApp;
  /** With `done`: the old trees that the restore keeps. */
  readonly kept?: KeptView;
  /** OPERATOR that stays: what the person still has to do. */
  readonly guide: OperatorGuide | null;
}
