/** The closed vocabularies of DESIGN.md and api.md, free of any library so that the workflow sandbox can load them. */

export const OPERATION_KINDS = [
  'deploy',
  'stop',
  'start',
  'rollback',
  'promote',
  'snapshot',
  'import',
  'restore',
  'undo-restore',
  'recover',
  'delete',
] as const;
export type OperationKind = (typeof OPERATION_KINDS)[number];

export const OPERATION_STATES = [
  'QUEUED',
  'RUNNING',
  'WAITING',
  'COMPENSATING',
  'SUCCEEDED',
  'ROLLED_BACK',
  'FAILED',
  'CANCELLED',
  'NEEDS_OPERATOR',
] as const;
export type OperationState = (typeof OPERATION_STATES)[number];

/** Ended: `endedAt` is set and the lane is free. NEEDS_OPERATOR and WAITING are not ends. */
export const ENDED_STATES = ['SUCCEEDED', 'ROLLED_BACK', 'FAILED', 'CANCELLED'] as const;
export type EndedState = (typeof ENDED_STATES)[number];
export const isEnded = (state: OperationState): state is EndedState =>
  (ENDED_STATES as readonly string[]).includes(state);

export const STEP_STATES = ['PENDING', 'RUNNING', 'WAITING', 'DONE', 'FAILED', 'UNDOING', 'UNDONE', 'SKIPPED'] as const;
export type StepState = (typeof STEP_STATES)[number];

export const RESTORE_STEPS = [
  'preflight',
  'extract',
  'stop',
  'preRestoreSnapshot',
  'swap',
  'redeploy',
  'finish',
] as const;
export type RestoreStep = (typeof RESTORE_STEPS)[number];

/** Steps of every kind, in order. One activity a step. */
export const STEPS_OF_KIND: Readonly<Record<OperationKind, readonly string[]>> = {
  deploy: ['deploy'],
  rollback: ['deploy'],
  promote: ['deploy'],
  stop: ['stopApp'],
  start: ['startApp'],
  snapshot: ['capture'],
  import: ['import'],
  restore: RESTORE_STEPS,
  'undo-restore': RESTORE_STEPS,
  recover: ['recover'],
  delete: ['delete'],
};

/** Kinds that exclude each other per workload: a second one is refused with 409, not queued. */
export const EXCLUSIVE_KINDS = ['restore', 'undo-restore', 'recover'] as const;
export const isExclusive = (kind: OperationKind): boolean => (EXCLUSIVE_KINDS as readonly string[]).includes(kind);

/** Kinds that are the restore transaction: with a journal, a safety snapshot and an undo of their own. */
export const isRestoring = (kind: OperationKind): boolean => kind === 'restore' || kind === 'undo-restore';

/** At most so many operations wait in one lane; one more is refused with 429 LANE_FULL. */
export const LANE_CAPACITY = 20;

export const PERMISSIONS = [
  'workloads:read',
  'workloads:write',
  'workloads:deploy',
  'snapshots:read',
  'snapshots:data',
  'snapshots:write',
  'snapshots:restore',
  'operations:read',
  'operations:control',
  'system:admin',
] as const;
export type Permission = (typeof PERMISSIONS)[number];

export const SNAPSHOT_KINDS = ['manual', 'scheduled', 'pre-restore', 'imported'] as const;
export type SnapshotKind = (typeof SNAPSHOT_KINDS)[number];
export const SNAPSHOT_STATES = ['CREATING', 'READY', 'FAILED'] as const;
export type SnapshotState = (typeof SNAPSHOT_STATES)[number];
export const ENTRY_TYPES = ['file', 'directory', 'symlink', 'hardlink'] as const;
/** What an uploaded archive claims to be: ours, made with any key, or anybody's tar. */
export const IMPORT_PROFILES = ['tiny-forge', 'tar'] as const;
export type ImportProfile = (typeof IMPORT_PROFILES)[number];
export const QUIESCE_MODES = ['pause', 'stop', 'none'] as const;
export type QuiesceMode = (typeof QUIESCE_MODES)[number];
export type Codec = 'zstd' | 'gzip';
export type LinkTier = 0 | 1 | 2;

/** How the app stood before a restore stopped it. */
export const APP_BEFORE = ['running-healthy', 'running-unhealthy', 'stopped', 'absent'] as const;
export type AppBefore = (typeof APP_BEFORE)[number];

export type SituationApp = 'running' | 'stopped' | 'unhealthy' | 'absent';
export type SituationData = 'current' | 'staged' | 'restored' | 'unclear';

/** Docker labels on everything the product makes. */
export const LABELS = {
  installation: 'io.tiny-forge.installation',
  workload: 'io.tiny-forge.workload',
  /** `instance`, `holder` or `probe`. Only `instance` is ever started for a workload. */
  role: 'io.tiny-forge.role',
  operation: 'io.tiny-forge.operation',
  revision: 'io.tiny-forge.revision',
  /** SHA-256 over what the container was made of; equal hash and image id = the very same thing. */
  spec: 'io.tiny-forge.spec',
  /** Which of the containers a source type wants; `main` for single-container types. */
  service: 'io.tiny-forge.service',
  /** The image as a person named it; containers are made by image id. */
  image: 'io.tiny-forge.image',
  /** Ids, comma-separated, of the running containers this one was made to replace: what a failed deploy starts again. */
  replaces: 'io.tiny-forge.replaces',
} as const;

/** Names that belong to the product inside the parent of a volume directory (restore.md 3), or inside one that is a mount point. `tx` and `attempt` are `[a-z0-9]+`. */
export const ownNames = {
  staging: (volume: string, tx: string, attempt: number): string => `.${volume}.restore-${tx}-${attempt}.new`,
  old: (volume: string, tx: string): string => `.${volume}.restore-${tx}.old`,
  /** Inside a live directory that is a mount point. */
  innerStaging: (tx: string, attempt: number): string => `.restore-${tx}-${attempt}.new`,
  innerOld: (tx: string): string => `.restore-${tx}.old`,
  trashPrefix: '.trash-',
  probePrefix: '.tiny-forge-probe-',
} as const;

export const taskQueues = {
  control: (installation: string): string => `tf-${installation}-control`,
  host: (installation: string, hostId: string): string => `tf-${installation}-host-${hostId}`,
} as const;

export const workflowIds = {
  lane: (installation: string, workloadId: string): string => `${installation}:lane:${workloadId}`,
  operation: (installation: string, operationId: string): string => `${installation}:op:${operationId}`,
} as const;
