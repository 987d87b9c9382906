import { sql, type Kysely } from 'kysely';
import type { Migration } from './migration.ts';
import type { Database } from './schema.ts';

const statements = [
  `create table meta (key text primary key, value text not null)`,
  `create table projects (id text primary key, name text not null unique, created_at text not null)`,
  `create table stages (id text primary key, project_id text not null references projects (id), name text not null,
    created_at text not null, unique (project_id, name))`,
  `create table workloads (id text primary key, stage_id text not null references stages (id), name text not null,
    host_id text not null, revision integer not null, created_at text not null, updated_at text not null, deleted_at text)`,
  `create unique index workloads_living_name on workloads (stage_id, name) where deleted_at is null`,
  `create table workload_revisions (workload_id text not null references workloads (id), revision integer not null,
    config text not null, created_at text not null, primary key (workload_id, revision))`,
  `create table deployments (id text primary key, workload_id text not null references workloads (id), operation_id text not null,
    revision integer not null, image_reference text not null, image_id text not null, image_digest text, good integer not null,
    created_at text not null)`,
  `create index deployments_by_workload on deployments (workload_id, created_at)`,
  `create table snapshots (id text primary key, workload_id text not null references workloads (id), kind text not null,
    state text not null, created_at text not null, note text, quiesce text not null, codec text not null, image text, bytes integer,
    content_bytes integer, entries integer, archive_sha256 text, manifest text, volumes text not null, notes text not null,
    operation_id text, error text, expires_at text)`,
  `create index snapshots_by_workload on snapshots (workload_id, created_at, id)`,
  `create table snapshot_pins (snapshot_id text not null, operation_id text not null, reason text not null, expires_at text,
    created_at text not null, primary key (snapshot_id, operation_id))`,
  `create table operations (id text primary key, workload_id text not null references workloads (id), kind text not null,
    state text not null, snapshot_id text, input text not null, seq integer not null, revision integer not null, view text not null,
    requested_by text not null, retry_of text, undo_of text, recovers text, queued_behind text, created_at text not null,
    not_after text not null, accepted_at text, begun_at text, ended_at text, run_id text)`,
  `create index operations_by_time on operations (created_at, id)`,
  `create index operations_by_workload on operations (workload_id, created_at, id)`,
  `create index operations_open on operations (workload_id) where ended_at is null`,
  `create table operation_histories (operation_id text primary key, gzip blob not null)`,
  `create table users (id text primary key, name text not null unique, password_hash text not null, permissions text not null,
    created_at text not null)`,
  `create table sessions (id_hash text primary key, user_id text not null references users (id), csrf_token text not null,
    created_at text not null, expires_at text not null, last_seen_at text not null)`,
  `create table tokens (id text primary key, user_id text not null references users (id), name text not null,
    token_hash text not null unique, permissions text not null, created_at text not null, last_used_at text)`,
  `create table audit (id integer primary key autoincrement, at text not null, principal text not null, "from" text not null,
    verb text not null, target text not null, outcome text not null, details text not null)`,
  `create index audit_by_time on audit (at)`,
  `create table idempotency (principal text not null, method text not null, path text not null, key text not null,
    fingerprint text not null, status integer, headers text, body text, operation_id text, lease_until text not null,
    created_at text not null, primary key (principal, method, path, key))`,
  `create index idempotency_by_time on idempotency (created_at)`,
];

export const firstTables: Migration = {
  name: '0001-first-tables',
  async up(db: Kysely<Database>): Promise<void> {
    for (const statement of statements) await sql.raw(statement).execute(db);
  },
};
