import type { Generated } from 'kysely';

/**
 * Tables of the state database. Ids are UUIDs (text), times are RFC 3339 UTC with milliseconds (text, sorts by time), JSON columns are text.
 * Only plain SQL that Postgres also speaks; the access layer is Kysely (ADR 0004).
 */
export interface Database {
  meta: { key: string; value: string };
  projects: { id: string; name: string; created_at: string };
  stages: { id: string; project_id: string; name: string; created_at: string };
  workloads: WorkloadTable;
  /** The config of every revision, secrets encrypted: what a running operation has frozen. */
  workload_revisions: { workload_id: string; revision: number; config: string; created_at: string };
  /** One row per deployment that was tried; `good` = its health gate passed. */
  deployments: DeploymentTable;
  snapshots: SnapshotTable;
  snapshot_pins: {
    snapshot_id: string;
    operation_id: string;
    reason: string;
    /** null: until the operation ends; else the pin holds until then. */
    expires_at: string | null;
    created_at: string;
  };
  operations: OperationTable;
  operation_histories: { operation_id: string; gzip: Uint8Array };
  users: { id: string; name: string; password_hash: string; permissions: string; created_at: string };
  sessions: {
    id_hash: string;
    user_id: string;
    csrf_token: string;
    created_at: string;
    expires_at: string;
    last_seen_at: string;
  };
  tokens: {
    id: string;
    user_id: string;
    name: string;
    token_hash: string;
    permissions: string;
    created_at: string;
    last_used_at: string | null;
  };
  audit: {
    id: Generated<number>;
    at: string;
    principal: string;
    from: string;
    verb: string;
    target: string;
    outcome: string;
    details: string;
  };
  idempotency: {
    principal: string;
    method: string;
    path: string;
    key: string;
    fingerprint: string;
    status: number | null;
    headers: string | null;
    body: string | null;
    /** The operation whose row was inserted with this record: what a retry asks when the first run died before its answer. */
    operation_id: string | null;
    /** A record without status whose lease ran out belongs to a process that died. */
    lease_until: string;
    created_at: string;
  };
}

export interface WorkloadTable {
  id: string;
  stage_id: string;
  name: string;
  /** Host UUID. */
  host_id: string;
  revision: number;
  created_at: string;
  updated_at: string;
  /** Set when a `delete` ended; the row stays for history. */
  deleted_at: string | null;
}

export interface DeploymentTable {
  id: string;
  workload_id: string;
  operation_id: string;
  revision: number;
  image_reference: string;
  image_id: string;
  image_digest: string | null;
  good: number;
  created_at: string;
}

export interface SnapshotTable {
  id: string;
  workload_id: string;
  kind: string;
  state: string;
  created_at: string;
  note: string | null;
  quiesce: string;
  codec: string;
  /** JSON ImageRef or null. */
  image: string | null;
  bytes: number | null;
  content_bytes: number | null;
  entries: number | null;
  archive_sha256: string | null;
  /** JSON Manifest. */
  manifest: string | null;
  /** JSON, as in the API. */
  volumes: string;
  /** JSON Note[]. */
  notes: string;
  operation_id: string | null;
  /** JSON operation error. */
  error: string | null;
  /** pre-restore: when it may go. */
  expires_at: string | null;
}

/** Written only by the five writers of restore.md 6. */
export interface OperationTable {
  id: string;
  workload_id: string;
  kind: string;
  state: string;
  snapshot_id: string | null;
  /** JSON, full input of the operation (OperationInput of libs/workflows). No secrets. */
  input: string;
  /** Counts in the workflow; an update applies only where it grows. */
  seq: number;
  /** Grows with every change of the row, whoever wrote: `revision` of the API. */
  revision: number;
  /** JSON OperationView of libs/workflows: steps, situation, error, waitingUntil, downtime, undo, operatorGuide. */
  view: string;
  requested_by: string;
  retry_of: string | null;
  undo_of: string | null;
  recovers: string | null;
  queued_behind: string | null;
  /** Ordering of the list: created_at, id. */
  created_at: string;
  not_after: string;
  accepted_at: string | null;
  begun_at: string | null;
  ended_at: string | null;
  run_id: string | null;
}
