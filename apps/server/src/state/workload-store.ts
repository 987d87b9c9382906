import type { Kysely } from 'kysely';
import { ForgeError, type WorkloadConfig } from '@tiny-forge/contracts/domain';
import { timestamp, type Clock } from './clock.ts';
import { toPage, type Cursor, type Page } from './cursor.ts';
import { openEnv, sealConfig, withoutSecrets, type StoredConfig } from './stored-config.ts';
import type { Database } from './schema.ts';
import type { SecretBox } from './secret-box.ts';

export interface WorkloadRecord {
  readonly id: string;
  readonly hostId: string;
  readonly revision: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly deletedAt: string | null;
  /** Values of secrets are null. Defaults are filled in. */
  readonly config: WorkloadConfig;
}

interface JoinedRow {
  id: string;
  host_id: string;
  revision: number;
  created_at: string;
  updated_at: string;
  deleted_at: string | null;
  config: string;
}

/** Workloads and their revisions. Secrets of `env` are encrypted at rest and leave only through `env`. */
export class WorkloadStore {
  readonly #db: Kysely<Database>;
  readonly #box: SecretBox;
  readonly #clock: Clock;
  readonly #newId: () => string;

  constructor(db: Kysely<Database>, box: SecretBox, clock: Clock, newId: () => string) {
    this.#db = db;
    this.#box = box;
    this.#clock = clock;
    this.#newId = newId;
  }

  /**
   * Call inside a transaction. Project and stage come into being by name.
   * @param id UUID, so that a caller can resolve the volumes' paths before it saves
   * @throws ForgeError NAME_TAKEN
   */
  async create(id: string, config: WorkloadConfig, hostId: string): Promise<WorkloadRecord> {
    const now = timestamp(this.#clock);
    const stageId = await this.#stage(config, null, now);
    await this.#db
      .insertInto('workloads')
      .values({
        id,
        stage_id: stageId,
        name: config.name,
        host_id: hostId,
        revision: 1,
        created_at: now,
        updated_at: now,
        deleted_at: null,
      })
      .execute();
    await this.#insertRevision(id, 1, sealConfig(config, null, this.#box, id), now);
    return this.#require(id);
  }

  /**
   * Call inside a transaction. A secret whose value is null keeps the value it had.
   * @returns null when the workload is at another revision than `expectedRevision` or gone
   * @throws ForgeError NAME_TAKEN
   */
  async update(id: string, expectedRevision: number, config: WorkloadConfig): Promise<WorkloadRecord | null> {
    const now = timestamp(this.#clock);
    const previous = await this.#storedConfig(id, expectedRevision);
    if (!previous) return null;
    const stageId = await this.#stage(config, id, now);
    const result = await this.#db
      .updateTable('workloads')
      .set({ stage_id: stageId, name: config.name, revision: expectedRevision + 1, updated_at: now })
      .where('id', '=', id)
      .where('revision', '=', expectedRevision)
      .where('deleted_at', 'is', null)
      .executeTakeFirst();
    if (result.numUpdatedRows === 0n) return null;
    await this.#insertRevision(id, expectedRevision + 1, sealConfig(config, previous, this.#box, id), now);
    return this.#require(id);
  }

  /** The living workload at its current revision; null: unknown or deleted. */
  async get(id: string): Promise<WorkloadRecord | null> {
    const row = await this.#joined().where('workloads.id', '=', id).where('deleted_at', 'is', null).executeTakeFirst();
    return row ? toRecord(row) : null;
  }

  /** Also a deleted one: operations outlive their workload. */
  async getEvenDeleted(id: string): Promise<WorkloadRecord | null> {
    const row = await this.#joined().where('workloads.id', '=', id).executeTakeFirst();
    return row ? toRecord(row) : null;
  }

  /** The config an operation has frozen, whatever the current revision is; null: no such revision. */
  async atRevision(id: string, revision: number): Promise<WorkloadRecord | null> {
    const current = await this.getEvenDeleted(id);
    const stored = await this.#storedConfig(id, revision);
    return current && stored ? { ...current, revision, config: withoutSecrets(stored) } : null;
  }

  /** Environment with secrets in the clear: for the deployer, never for an answer, a log or Temporal. */
  async env(id: string, revision: number): Promise<Readonly<Record<string, string>>> {
    const stored = await this.#storedConfig(id, revision);
    if (!stored) throw new ForgeError({ code: 'WORKLOAD_GONE' });
    return openEnv(stored, this.#box, id);
  }

  /** By name, then id. */
  async list(after: Cursor | null, limit: number): Promise<Page<WorkloadRecord>> {
    let query = this.#joined().where('deleted_at', 'is', null);
    if (after) {
      query = query.where((on) =>
        on.or([
          on('workloads.name', '>', after.key),
          on.and([on('workloads.name', '=', after.key), on('workloads.id', '>', after.id)]),
        ]),
      );
    }
    const rows = await query
      .orderBy('workloads.name')
      .orderBy('workloads.id')
      .limit(limit + 1)
      .execute();
    return toPage(rows.map(toRecord), limit, (record) => ({ key: record.config.name, id: record.id }));
  }

  /** Every living workload: for what concerns directories and names across workloads. */
  async all(): Promise<readonly WorkloadRecord[]> {
    return (await this.#joined().where('deleted_at', 'is', null).orderBy('workloads.id').execute()).map(toRecord);
  }

  /** Living workloads of that name in any project and stage. */
  async countByName(name: string): Promise<number> {
    const row = await this.#db
      .selectFrom('workloads')
      .select((on) => on.fn.countAll<number>().as('count'))
      .where('name', '=', name)
      .where('deleted_at', 'is', null)
      .executeTakeFirstOrThrow();
    return Number(row.count);
  }

  /** Idempotent. The row stays for history; its name is free again. */
  async markDeleted(id: string): Promise<void> {
    const now = timestamp(this.#clock);
    await this.#db
      .updateTable('workloads')
      .set({ deleted_at: now, updated_at: now })
      .where('id', '=', id)
      .where('deleted_at', 'is', null)
      .execute();
  }

  async #stage(config: WorkloadConfig, ownId: string | null, now: string): Promise<string> {
    const projectId = await this.#named('projects', { name: config.project }, now);
    const stageId = await this.#named('stages', { name: config.stage, project_id: projectId }, now);
    const taken = await this.#db
      .selectFrom('workloads')
      .select('id')
      .where('stage_id', '=', stageId)
      .where('name', '=', config.name)
      .where('deleted_at', 'is', null)
      .executeTakeFirst();
    if (taken && taken.id !== ownId) {
      throw new ForgeError({
        code: 'NAME_TAKEN',
        params: { name: config.name, project: config.project, stage: config.stage },
      });
    }
    return stageId;
  }

  async #named(
    table: 'projects' | 'stages',
    key: { readonly name: string; readonly project_id?: string },
    now: string,
  ): Promise<string> {
    if (table === 'projects') {
      const found = await this.#db.selectFrom('projects').select('id').where('name', '=', key.name).executeTakeFirst();
      if (found) return found.id;
      const id = this.#newId();
      await this.#db.insertInto('projects').values({ id, name: key.name, created_at: now }).execute();
      return id;
    }
    const projectId = key.project_id ?? '';
    const found = await this.#db
      .selectFrom('stages')
      .select('id')
      .where('project_id', '=', projectId)
      .where('name', '=', key.name)
      .executeTakeFirst();
    if (found) return found.id;
    const id = this.#newId();
    await this.#db
      .insertInto('stages')
      .values({ id, project_id: projectId, name: key.name, created_at: now })
      .execute();
    return id;
  }

  async #insertRevision(id: string, revision: number, config: StoredConfig, now: string): Promise<void> {
    await this.#db
      .insertInto('workload_revisions')
      .values({ workload_id: id, revision, config: JSON.stringify(config), created_at: now })
      .execute();
  }

  async #storedConfig(id: string, revision: number): Promise<StoredConfig | null> {
    const row = await this.#db
      .selectFrom('workload_revisions')
      .select('config')
      .where('workload_id', '=', id)
      .where('revision', '=', revision)
      .executeTakeFirst();
    return row ? (JSON.parse(row.config) as StoredConfig) : null;
  }

  async #require(id: string): Promise<WorkloadRecord> {
    const record = await this.get(id);
    if (!record) throw new Error(`workload ${id} vanished inside a transaction`);
    return record;
  }

  #joined() {
    return this.#db
      .selectFrom('workloads')
      .innerJoin('workload_revisions as current', (join) =>
        join.onRef('current.workload_id', '=', 'workloads.id').onRef('current.revision', '=', 'workloads.revision'),
      )
      .select([
        'workloads.id',
        'workloads.host_id',
        'workloads.revision',
        'workloads.created_at',
        'workloads.updated_at',
        'workloads.deleted_at',
        'current.config',
      ]);
  }
}

const toRecord = (row: JoinedRow): WorkloadRecord => ({
  id: row.id,
  hostId: row.host_id,
  revision: row.revision,
  createdAt: row.created_at,
  updatedAt: row.updated_at,
  deletedAt: row.deleted_at,
  config: withoutSecrets(JSON.parse(row.config) as StoredConfig),
});
