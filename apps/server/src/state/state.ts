import { chmodSync } from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Kysely, sql } from 'kysely';
import { ForgeError } from '@tiny-forge/contracts/domain';
import { AuditStore } from './audit-store.ts';
import type { Clock } from './clock.ts';
import { DeploymentStore } from './deployment-store.ts';
import { IdempotencyStore } from './idempotency-store.ts';
import { SessionStore, TokenStore, UserStore } from './identity-stores.ts';
import { makeDirectory } from './make-directory.ts';
import { MetaStore } from './meta-store.ts';
import { migrate } from './migrations.ts';
import { OperationStore } from './operation-store.ts';
import type { Database } from './schema.ts';
import { loadOrCreateKey, SecretBox } from './secret-box.ts';
import { SnapshotStore } from './snapshot-store.ts';
import { forKysely, ImmediateSqliteDialect } from './sqlite-dialect.ts';
import { WorkloadStore } from './workload-store.ts';

/** Every repository, bound to the database or to one transaction of it. */
export interface Stores {
  readonly meta: MetaStore;
  readonly workloads: WorkloadStore;
  readonly deployments: DeploymentStore;
  readonly snapshots: SnapshotStore;
  readonly operations: OperationStore;
  readonly users: UserStore;
  readonly sessions: SessionStore;
  readonly tokens: TokenStore;
  readonly audit: AuditStore;
  readonly idempotency: IdempotencyStore;
}

export interface State extends Stores {
  /**
   * One immediate transaction: all or nothing, serialised with every other process on the file. Await nothing but `stores` inside it: it holds
   * the write lock, and a call of `State` itself from inside waits for ever.
   */
  transaction<T>(work: (stores: Stores) => Promise<T>): Promise<T>;
  /** @throws when the file cannot be read or written */
  ping(): Promise<void>;
  close(): Promise<void>;
}

export interface StateOptions {
  /** TINY_FORGE_DATA; the file is `<dataDir>/state.sqlite`, the key `<dataDir>/keys/state`. */
  readonly dataDir: string;
  readonly clock: Clock;
  readonly newId: () => string;
  /** How long a statement waits for another process, ms. */
  readonly busyTimeoutMs?: number;
}

/**
 * Opens or creates the state database: WAL, synchronous=full, foreign keys on, migrated.
 * @throws ForgeError DATA_DIR_UNUSABLE
 */
export async function openState(options: StateOptions): Promise<State> {
  const file = path.join(options.dataDir, 'state.sqlite');
  const waitMs = options.busyTimeoutMs ?? 5_000;
  let database: DatabaseSync;
  let box: SecretBox;
  try {
    makeDirectory(options.dataDir);
    box = new SecretBox(loadOrCreateKey(path.join(options.dataDir, 'keys', 'state')));
    // The switch to WAL needs the file alone for a moment; after it the dialect waits, without blocking the event loop.
    database = new DatabaseSync(file, { timeout: waitMs, enableForeignKeyConstraints: true });
    // Password hashes are in it; the WAL gets the mode of the file.
    chmodSync(file, 0o600);
    database.exec('pragma journal_mode = wal; pragma synchronous = full; pragma busy_timeout = 0;');
  } catch (error) {
    if ((error as { forgeError?: boolean }).forgeError) throw error;
    throw new ForgeError({
      code: 'DATA_DIR_UNUSABLE',
      params: { path: options.dataDir, why: error instanceof Error ? error.message : String(error) },
      cause: error,
    });
  }
  const db = new Kysely<Database>({ dialect: new ImmediateSqliteDialect({ database: forKysely(database) }, waitMs) });
  try {
    await migrate(db, options.dataDir);
  } catch (error) {
    await db.destroy();
    throw error;
  }
  const stores = (on: Kysely<Database>): Stores => ({
    meta: new MetaStore(on),
    workloads: new WorkloadStore(on, box, options.clock, options.newId),
    deployments: new DeploymentStore(on, options.clock, options.newId),
    snapshots: new SnapshotStore(on, options.clock),
    operations: new OperationStore(on, options.clock),
    users: new UserStore(on, options.clock, options.newId),
    sessions: new SessionStore(on, options.clock),
    tokens: new TokenStore(on, options.clock),
    audit: new AuditStore(on, options.clock),
    idempotency: new IdempotencyStore(on, options.clock),
  });
  return {
    ...stores(db),
    transaction: (work) => db.transaction().execute((trx) => work(stores(trx))),
    ping: async () => {
      await sql`select 1`.execute(db);
    },
    close: () => db.destroy(),
  };
}
