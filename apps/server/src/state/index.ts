// state: the SQLite file that several processes share. Everything that must survive a restart and is not a journal or an archive.
export { AuditStore, type AuditEntry, type AuditRecord } from './audit-store.ts';
export { systemClock, timestamp, type Clock } from './clock.ts';
export { decodeCursor, encodeCursor, type Cursor, type Page } from './cursor.ts';
export { DeploymentStore, type DeploymentRecord } from './deployment-store.ts';
export { IdempotencyStore, type Claim, type IdempotencyScope, type StoredAnswer } from './idempotency-store.ts';
export {
  SessionStore,
  TokenStore,
  UserStore,
  type SessionRecord,
  type TokenRecord,
  type UserRecord,
} from './identity-stores.ts';
export { makeDirectory } from './make-directory.ts';
export { MetaStore } from './meta-store.ts';
export { errorView, MAX_ATTEMPTS, queuedView, type NewOperation, type OperationRecord } from './operation-record.ts';
export { OperationStore, type OperationFilter } from './operation-store.ts';
export {
  SnapshotStore,
  type CapturedSnapshot,
  type NewSnapshot,
  type PinRecord,
  type SnapshotRecord,
  type SnapshotVolume,
} from './snapshot-store.ts';
export { openState, type State, type StateOptions, type Stores } from './state.ts';
export { WorkloadStore, type WorkloadRecord } from './workload-store.ts';
