import type {
  Blocker,
  ErrorParams,
  ImportProfile,
  OperationKind,
  OperationState,
  OperatorGuide,
  SituationApp,
  SituationData,
  StepProgress,
  StepState,
} from '@tiny-forge/contracts/domain';

/** What a restore does with today's data: a snapshot of it, or the directories themselves set aside for a while. */
export type SafetyWish = 'snapshot' | 'keep-old-tree';

/** Old trees that are kept instead of a safety snapshot. */
export interface KeptView {
  /** RFC 3339; removed after that. */
  readonly until: string;
  /** `path`: where the directory lies that was live at `livePath`. */
  readonly trees: readonly { readonly target: string; readonly livePath: string; readonly path: string }[];
}

/** Full input of one operation: what the row stores, the lane queues and the workflow gets. Ids only, no secrets, no env. */
export interface OperationInput {
  readonly installation: string;
  readonly operationId: string;
  readonly kind: OperationKind;
  readonly workloadId: string;
  readonly hostId: string;
  readonly snapshotId: string | null;
  readonly requestedBy: string;
  /** Seconds a failed step waits for a person; 0 = undo at once. */
  readonly operatorWaitSeconds: number;
  readonly options: {
    /** restore: the plan hash that was confirmed; null: none given. */
    readonly planHash?: string | null;
    readonly safety?: SafetyWish;
    /** snapshot */
    readonly quiesce?: 'pause' | 'stop' | 'none';
    /** import: the upload that lies on the host, what it is taken for, and which volume a tree without manifest becomes. */
    readonly upload?: {
      readonly id: string;
      readonly profile: ImportProfile;
      readonly links: 0 | 1;
      readonly target: string | null;
    };
    /** delete */
    readonly deleteData?: boolean;
    /** recover: the operation whose open journal it ends. */
    readonly recovers?: string;
    readonly recheckAccept?: 'as-is' | null;
  };
}

export interface StepView {
  readonly name: string;
  readonly state: StepState;
  readonly startedAt: string | null;
  readonly endedAt: string | null;
  readonly attempts: number;
  readonly maxAttempts: number;
  readonly nextAttemptAt?: string;
  readonly detail: string | null;
  readonly progress?: StepProgress;
}

export interface ErrorView {
  readonly code: string;
  readonly params: ErrorParams;
  readonly detail: string;
  readonly state: string;
  readonly next: string;
  /** RESTORE_BLOCKED: every check that failed. */
  readonly blockers?: readonly Blocker[];
}

/** What the workflow tells the world of an operation; stored whole with each `record`, so that readers never guess. */
export interface OperationView {
  readonly state: OperationState;
  readonly steps: readonly StepView[];
  readonly error?: ErrorView;
  readonly situation: { readonly app: SituationApp; readonly data: SituationData; readonly since: string };
  readonly waitingUntil?: string;
  readonly downtime?: { readonly from: string; readonly to: string | null };
  readonly undo?: { readonly until: string; readonly snapshotId: string };
  readonly kept?: KeptView;
  readonly operatorGuide?: OperatorGuide;
  /** Whether `swap` was scheduled: abort is then PAST_DECISION until WAITING. */
  readonly pastDecision: boolean;
  /** Whether anything had an effect yet: decides FAILED or CANCELLED against ROLLED_BACK. */
  readonly hadEffect: boolean;
}
