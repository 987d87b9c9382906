import { APP_BEFORE, type AppBefore } from '@tiny-forge/contracts/domain';
import type { FrozenPlan, RecordedContainer, TreeIdentity } from '../restore-engine.ts';
import {
  having,
  isBoolean,
  isCount,
  isDecimal,
  isString,
  listOf,
  oneOf,
  optional,
  orNull,
  type Shape,
} from './shape.ts';

/** A staging tree of one attempt; null: the snapshot lists the volume as absent, there is nothing to stage. */
export interface StagedVolume {
  readonly index: number;
  readonly staging: { readonly path: string; readonly identity: TreeIdentity } | null;
}

/** What the swap moves, all that recovery needs to know of one volume. `old` and `staging` null: absent before, absent after. */
export interface SwapVolume {
  readonly index: number;
  readonly target: string;
  readonly parent: string;
  readonly livePath: string;
  readonly oldPath: string;
  readonly old: TreeIdentity | null;
  readonly stagingPath: string | null;
  readonly staging: TreeIdentity | null;
  /** The live directory is a mount point: `parent` is itself, `old` and `staging` are directories in it. Absent: two renames in the parent. */
  readonly inner?: InnerSwap;
}

/** What the swap inside a mount point moves. Before COMMIT only `root` is known. */
export interface InnerSwap {
  /** Of the mounted directory, which stays where it is. */
  readonly root: TreeIdentity;
  readonly oldEntries: readonly RootEntry[];
  readonly newEntries: readonly RootEntry[];
  readonly oldRoot: RootAttributes | null;
  readonly newRoot: RootAttributes | null;
}

/** What lies directly in a root: its name and, in the root's own file system, its identity. */
export interface RootEntry {
  readonly name: string;
  readonly inode: string;
  readonly birthTimeNs: string;
}

export interface RootAttributes {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly modifiedNs: string;
}

export type JournalRecord =
  | { readonly type: 'BEGIN'; readonly plan: FrozenPlan; readonly missingParents: readonly string[] }
  | { readonly type: 'STAGING'; readonly attempt: number; readonly volumes: readonly StagedVolume[] }
  | {
      readonly type: 'STAGED';
      readonly attempt: number;
      readonly volumes: readonly StagedVolume[];
      readonly contentBytes: number;
      readonly entries: number;
    }
  | { readonly type: 'QUIESCING'; readonly before: AppBefore; readonly containers: readonly RecordedContainer[] }
  | { readonly type: 'QUIESCED'; readonly stoppedAt: string }
  /** The safety copy is durable: a snapshot, or the word that the old trees themselves are kept (`snapshotId` null). */
  | { readonly type: 'SAFE'; readonly snapshotId: string | null }
  | { readonly type: 'COMMIT'; readonly volumes: readonly SwapVolume[] }
  | { readonly type: 'SWAPPED' }
  | { readonly type: 'ROLLBACK'; readonly reason: string }
  | { readonly type: 'ROLLED_BACK' }
  | { readonly type: 'DONE'; readonly instances: readonly string[] }
  | { readonly type: 'OPERATOR'; readonly code: string; readonly detail: string }
  | { readonly type: 'ACCEPTED'; readonly verdict: 'all-new' | 'all-old'; readonly by: string }
  | { readonly type: 'CLOSED' };
export type RecordType = JournalRecord['type'];

/** Around every record: names the transaction, so that even one readable record tells whose journal it is. */
export interface Envelope {
  readonly v: 1;
  /** 0, 1, 2, ... within the file. */
  readonly seq: number;
  readonly tx: string;
  readonly epoch: number;
  readonly operationId: string;
  readonly workloadId: string;
  readonly at: string;
}
export type StoredRecord = Envelope & JournalRecord;

const isIdentity = having({ fileSystem: isString, inode: isDecimal, birthTimeNs: isDecimal });
const isTarget = having({
  index: isCount,
  target: isString,
  scope: isString,
  source: isString,
  hostPath: isString,
  parent: isString,
  base: isString,
  live: orNull(isIdentity),
  absentInSnapshot: isBoolean,
  swap: optional(oneOf('inner')),
});
const isPlan = having({
  txId: isString,
  operationId: isString,
  workloadId: isString,
  workloadName: isString,
  revision: isCount,
  snapshotId: isString,
  archiveFile: isString,
  archiveSha256: isString,
  planHash: isString,
  safety: isString,
  targets: listOf(isTarget),
  image: orNull(having({ reference: isString, imageId: isString, digest: orNull(isString) })),
  holderContainerId: orNull(isString),
  stopTimeoutSeconds: isCount,
  safetyDays: optional(isCount),
});
const isStaged = having({ index: isCount, staging: orNull(having({ path: isString, identity: isIdentity })) });
const isContainer = having({
  id: isString,
  name: isString,
  imageId: isString,
  restartPolicy: isString,
  running: isBoolean,
  health: isString,
});
const isRootEntry = having({ name: isString, inode: isDecimal, birthTimeNs: isDecimal });
const isRoot = having({ mode: isCount, uid: isCount, gid: isCount, modifiedNs: isDecimal });
const isInner = having({
  root: isIdentity,
  oldEntries: listOf(isRootEntry),
  newEntries: listOf(isRootEntry),
  oldRoot: orNull(isRoot),
  newRoot: orNull(isRoot),
});
const isSwap = having({
  index: isCount,
  target: isString,
  parent: isString,
  livePath: isString,
  oldPath: isString,
  old: orNull(isIdentity),
  stagingPath: orNull(isString),
  staging: orNull(isIdentity),
  inner: optional(isInner),
});

const bodies: Readonly<Record<RecordType, Shape>> = {
  BEGIN: having({ plan: isPlan, missingParents: listOf(isString) }),
  STAGING: having({ attempt: isCount, volumes: listOf(isStaged) }),
  STAGED: having({ attempt: isCount, volumes: listOf(isStaged), contentBytes: isCount, entries: isCount }),
  QUIESCING: having({ before: oneOf(...APP_BEFORE), containers: listOf(isContainer) }),
  QUIESCED: having({ stoppedAt: isString }),
  SAFE: having({ snapshotId: orNull(isString) }),
  COMMIT: having({ volumes: listOf(isSwap) }),
  SWAPPED: having({}),
  ROLLBACK: having({ reason: isString }),
  ROLLED_BACK: having({}),
  DONE: having({ instances: listOf(isString) }),
  OPERATOR: having({ code: isString, detail: isString }),
  ACCEPTED: having({ verdict: oneOf('all-new', 'all-old'), by: isString }),
  CLOSED: having({}),
};
const isEnvelope = having({
  v: (value) => value === 1,
  seq: isCount,
  tx: isString,
  epoch: isCount,
  operationId: isString,
  workloadId: isString,
  at: isString,
  type: oneOf(...Object.keys(bodies)),
});

export function isStoredRecord(value: unknown): value is StoredRecord {
  return isEnvelope(value) && bodies[(value as StoredRecord).type](value);
}
