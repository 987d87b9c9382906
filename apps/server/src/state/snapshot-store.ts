import { sql, type Kysely } from 'kysely';
import type {
  Codec,
  ImageRef,
  Manifest,
  Note,
  QuiesceMode,
  SnapshotKind,
  SnapshotState,
} from '@tiny-forge/contracts/domain';
import type { ErrorView } from '@tiny-forge/workflows';
import { timestamp, type Clock } from './clock.ts';
import { toPage, type Cursor, type Page } from './cursor.ts';
import type { Database, SnapshotTable } from './schema.ts';

export interface SnapshotVolume {
  readonly index: number;
  readonly target: string;
  readonly scope: string;
  readonly source: string;
  readonly contentBytes: number;
  readonly entries: number;
  readonly absent?: boolean;
}

export interface SnapshotRecord {
  readonly id: string;
  readonly workloadId: string;
  readonly kind: SnapshotKind;
  readonly state: SnapshotState;
  readonly createdAt: string;
  readonly note: string | null;
  readonly quiesce: QuiesceMode;
  readonly codec: Codec;
  readonly image: ImageRef | null;
  readonly bytes: number | null;
  readonly contentBytes: number | null;
  readonly entries: number | null;
  readonly archiveSha256: string | null;
  readonly manifest: Manifest | null;
  readonly volumes: readonly SnapshotVolume[];
  readonly notes: readonly Note[];
  readonly operationId: string | null;
  readonly error: ErrorView | null;
  readonly expiresAt: string | null;
}

export interface NewSnapshot {
  readonly id: string;
  readonly workloadId: string;
  readonly kind: SnapshotKind;
  readonly note: string | null;
  readonly quiesce: QuiesceMode;
  readonly codec: Codec;
  readonly operationId: string | null;
  readonly expiresAt: string | null;
}

export interface CapturedSnapshot {
  readonly image: ImageRef | null;
  readonly bytes: number;
  readonly contentBytes: number;
  readonly entries: number;
  readonly archiveSha256: string;
  readonly manifest: Manifest;
  readonly volumes: readonly SnapshotVolume[];
  readonly notes: readonly Note[];
  /** As it really happened. */
  readonly quiesce: QuiesceMode;
  readonly codec: Codec;
}

export interface PinRecord {
  readonly snapshotId: string;
  readonly operationId: string;
  readonly reason: string;
  readonly expiresAt: string | null;
}

/** The catalogue of snapshots and what holds them (I10). */
export class SnapshotStore {
  readonly #db: Kysely<Database>;
  readonly #clock: Clock;

  constructor(db: Kysely<Database>, clock: Clock) {
    this.#db = db;
    this.#clock = clock;
  }

  /** Row in state CREATING. Idempotent by id. */
  async insert(snapshot: NewSnapshot): Promise<void> {
    await this.#db
      .insertInto('snapshots')
      .values({
        id: snapshot.id,
        workload_id: snapshot.workloadId,
        kind: snapshot.kind,
        state: 'CREATING',
        created_at: timestamp(this.#clock),
        note: snapshot.note,
        quiesce: snapshot.quiesce,
        codec: snapshot.codec,
        image: null,
        bytes: null,
        content_bytes: null,
        entries: null,
        archive_sha256: null,
        manifest: null,
        volumes: '[]',
        notes: '[]',
        operation_id: snapshot.operationId,
        error: null,
        expires_at: snapshot.expiresAt,
      })
      .onConflict((conflict) => conflict.column('id').doNothing())
      .execute();
  }

  /** CREATING to READY; idempotent: a READY one stays as it is. @returns whether it is READY now */
  async complete(id: string, captured: CapturedSnapshot): Promise<boolean> {
    await this.#db
      .updateTable('snapshots')
      .set({
        state: 'READY',
        image: captured.image ? JSON.stringify(captured.image) : null,
        bytes: captured.bytes,
        content_bytes: captured.contentBytes,
        entries: captured.entries,
        archive_sha256: captured.archiveSha256,
        manifest: JSON.stringify(captured.manifest),
        volumes: JSON.stringify(captured.volumes),
        notes: JSON.stringify(captured.notes),
        quiesce: captured.quiesce,
        codec: captured.codec,
      })
      .where('id', '=', id)
      .where('state', '=', 'CREATING')
      .execute();
    return (await this.get(id))?.state === 'READY';
  }

  /** CREATING to FAILED; anything else stays. */
  async fail(id: string, error: ErrorView): Promise<void> {
    await this.#db
      .updateTable('snapshots')
      .set({ state: 'FAILED', error: JSON.stringify(error) })
      .where('id', '=', id)
      .where('state', '=', 'CREATING')
      .execute();
  }

  /** Whatever an ended operation left CREATING is FAILED with its error. */
  async failOfOperation(operationId: string, error: ErrorView): Promise<void> {
    await this.#db
      .updateTable('snapshots')
      .set({ state: 'FAILED', error: JSON.stringify(error) })
      .where('operation_id', '=', operationId)
      .where('state', '=', 'CREATING')
      .execute();
  }

  /** A refused submit leaves no snapshot behind. */
  async dropOfOperation(operationId: string): Promise<void> {
    await this.#db
      .deleteFrom('snapshots')
      .where('operation_id', '=', operationId)
      .where('state', '=', 'CREATING')
      .execute();
  }

  async get(id: string): Promise<SnapshotRecord | null> {
    const row = await this.#db.selectFrom('snapshots').selectAll().where('id', '=', id).executeTakeFirst();
    return row ? toSnapshot(row) : null;
  }

  /** Newest first. */
  async list(workloadId: string, after: Cursor | null, limit: number): Promise<Page<SnapshotRecord>> {
    let query = this.#db.selectFrom('snapshots').selectAll().where('workload_id', '=', workloadId);
    if (after) {
      query = query.where((on) =>
        on.or([on('created_at', '<', after.key), on.and([on('created_at', '=', after.key), on('id', '<', after.id)])]),
      );
    }
    const rows = await query
      .orderBy('created_at', 'desc')
      .orderBy('id', 'desc')
      .limit(limit + 1)
      .execute();
    return toPage(rows.map(toSnapshot), limit, (record) => ({ key: record.createdAt, id: record.id }));
  }

  /** The newest that is READY, else the newest of any state. */
  async last(workloadId: string): Promise<SnapshotRecord | null> {
    const row = await this.#db
      .selectFrom('snapshots')
      .selectAll()
      .where('workload_id', '=', workloadId)
      .orderBy(sql`case state when 'READY' then 0 else 1 end`)
      .orderBy('created_at', 'desc')
      .orderBy('id', 'desc')
      .limit(1)
      .executeTakeFirst();
    return row ? toSnapshot(row) : null;
  }

  /** What undoes a restore: the safety snapshot it took, and until when; null: none is READY and kept. */
  async safetyOf(operationId: string): Promise<{ readonly until: string; readonly snapshotId: string } | null> {
    const row = await this.#db
      .selectFrom('snapshots')
      .select(['id', 'expires_at'])
      .where('operation_id', '=', operationId)
      .where('kind', '=', 'pre-restore')
      .where('state', '=', 'READY')
      .executeTakeFirst();
    return row?.expires_at == null ? null : { until: row.expires_at, snapshotId: row.id };
  }

  /** Safety snapshots whose time is over, oldest first, whatever may still hold them. */
  async expired(): Promise<readonly SnapshotRecord[]> {
    const rows = await this.#db
      .selectFrom('snapshots')
      .selectAll()
      .where('kind', '=', 'pre-restore')
      .where('expires_at', '<=', timestamp(this.#clock))
      .orderBy('created_at')
      .orderBy('id')
      .execute();
    return rows.map(toSnapshot);
  }

  /** READY ones of a workload, but this one. */
  async countReadyBut(workloadId: string, id: string): Promise<number> {
    const { count } = await this.#db
      .selectFrom('snapshots')
      .select((on) => on.fn.countAll<number>().as('count'))
      .where('workload_id', '=', workloadId)
      .where('state', '=', 'READY')
      .where('id', '!=', id)
      .executeTakeFirstOrThrow();
    return Number(count);
  }

  /**
   * Removes the row, if nothing holds it; call inside a transaction, remove the file after it.
   * @returns the operation that holds it, or null when the row is gone
   */
  async delete(id: string): Promise<{ readonly heldBy: string } | null> {
    const [pin] = await this.pins(id);
    if (pin) return { heldBy: pin.operationId };
    await this.#db.deleteFrom('snapshots').where('id', '=', id).execute();
    await this.#db.deleteFrom('snapshot_pins').where('snapshot_id', '=', id).execute();
    return null;
  }

  /** Idempotent. `expiresAt` null: until `releasePins` of that operation. */
  async pin(snapshotId: string, operationId: string, reason: string, expiresAt: string | null = null): Promise<void> {
    await this.#db
      .insertInto('snapshot_pins')
      .values({
        snapshot_id: snapshotId,
        operation_id: operationId,
        reason,
        expires_at: expiresAt,
        created_at: timestamp(this.#clock),
      })
      .onConflict((conflict) =>
        conflict.columns(['snapshot_id', 'operation_id']).doUpdateSet({ reason, expires_at: expiresAt }),
      )
      .execute();
  }

  /** Pins that hold now. */
  async pins(snapshotId: string): Promise<readonly PinRecord[]> {
    return this.pinsOf([snapshotId]);
  }

  async pinsOf(snapshotIds: readonly string[]): Promise<readonly PinRecord[]> {
    if (snapshotIds.length === 0) return [];
    const rows = await this.#db
      .selectFrom('snapshot_pins')
      .selectAll()
      .where('snapshot_id', 'in', snapshotIds)
      .where((on) => on.or([on('expires_at', 'is', null), on('expires_at', '>', timestamp(this.#clock))]))
      .orderBy('created_at')
      .execute();
    return rows.map((row) => ({
      snapshotId: row.snapshot_id,
      operationId: row.operation_id,
      reason: row.reason,
      expiresAt: row.expires_at,
    }));
  }

  /** At the end of an operation: its pins go, or, while it can be undone, hold until then. */
  async releasePins(operationId: string, undoUntil: string | null): Promise<void> {
    if (undoUntil === null) {
      await this.#db.deleteFrom('snapshot_pins').where('operation_id', '=', operationId).execute();
    } else {
      await this.#db
        .updateTable('snapshot_pins')
        .set({ expires_at: undoUntil, reason: 'undo' })
        .where('operation_id', '=', operationId)
        .execute();
    }
  }
}

const json = (text: string | null): unknown => (text === null ? null : JSON.parse(text));

const toSnapshot = (row: SnapshotTable): SnapshotRecord => ({
  id: row.id,
  workloadId: row.workload_id,
  kind: row.kind as SnapshotKind,
  state: row.state as SnapshotState,
  createdAt: row.created_at,
  note: row.note,
  quiesce: row.quiesce as QuiesceMode,
  codec: row.codec as Codec,
  image: json(row.image) as ImageRef | null,
  bytes: row.bytes,
  contentBytes: row.content_bytes,
  entries: row.entries,
  archiveSha256: row.archive_sha256,
  manifest: json(row.manifest) as Manifest | null,
  volumes: json(row.volumes) as SnapshotVolume[],
  notes: json(row.notes) as Note[],
  operationId: row.operation_id,
  error: json(row.error) as ErrorView | null,
  expiresAt: row.expires_at,
});
