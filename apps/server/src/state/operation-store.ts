import { gunzipSync, gzipSync } from 'node:zlib';
import { sql, type Kysely } from 'kysely';
import {
  isEnded,
  isRestoring,
  type EndedState,
  type OperationKind,
  type OperationState,
} from '@tiny-forge/contracts/domain';
import type { ErrorView, OperationView } from '@tiny-forge/workflows';
import { timestamp, type Clock } from './clock.ts';
import { toPage, type Cursor, type Page } from './cursor.ts';
import { errorView, queuedView, toOperation, type NewOperation, type OperationRecord } from './operation-record.ts';
import type { Database } from './schema.ts';
import { SnapshotStore } from './snapshot-store.ts';

export interface OperationFilter {
  readonly workloadId?: string;
  readonly kinds?: readonly OperationKind[];
  readonly states?: readonly OperationState[];
  /** Also rows that have not ended, whatever their stored state: the caller overlays and filters them. */
  readonly includeOpen?: boolean;
}

/**
 * Rows of `operations`. Every change is one compare-and-set statement or one immediate transaction, so that two processes agree (restore.md 6).
 * Each member names the writer it is for; members that touch several tables are called inside `State.transaction`.
 */
export class OperationStore {
  readonly #db: Kysely<Database>;
  readonly #clock: Clock;
  readonly #snapshots: SnapshotStore;

  constructor(db: Kysely<Database>, clock: Clock) {
    this.#db = db;
    this.#clock = clock;
    this.#snapshots = new SnapshotStore(db, clock);
  }

  /** Writer 1, in one transaction with pin, idempotency record and audit: the row QUEUED with its full input. */
  async insert(operation: NewOperation): Promise<void> {
    const { input } = operation;
    await this.#db
      .insertInto('operations')
      .values({
        id: input.operationId,
        workload_id: input.workloadId,
        kind: input.kind,
        state: 'QUEUED',
        snapshot_id: input.snapshotId,
        input: JSON.stringify(input),
        seq: 0,
        revision: 1,
        view: JSON.stringify(queuedView(input.kind, operation.situation)),
        requested_by: input.requestedBy,
        retry_of: operation.retryOf ?? null,
        undo_of: operation.undoOf ?? null,
        recovers: operation.recovers ?? null,
        queued_behind: null,
        created_at: timestamp(this.#clock),
        not_after: operation.notAfter,
        accepted_at: null,
        begun_at: null,
        ended_at: null,
        run_id: null,
      })
      .execute();
  }

  /** Writer 1: a new submit of a row the lane has not accepted carries a new deadline. @returns whether it was still open and unaccepted */
  async renewDeadline(id: string, notAfter: string): Promise<boolean> {
    const result = await this.#db
      .updateTable('operations')
      .set({ not_after: notAfter })
      .where('id', '=', id)
      .where('state', '=', 'QUEUED')
      .where('accepted_at', 'is', null)
      .executeTakeFirst();
    return result.numUpdatedRows > 0n;
  }

  /** Writer 1: the lane took it. @returns false when the row has ended (expired) meanwhile; accepting twice is fine */
  async accept(id: string, queuedBehind: string | null): Promise<boolean> {
    const now = timestamp(this.#clock);
    const result = await this.#db
      .updateTable('operations')
      .set((on) => ({
        accepted_at: on.fn.coalesce('accepted_at', on.val(now)),
        // The workflow may have begun before the lane's answer was read: then nothing is in front any more.
        queued_behind: sql<string | null>`case when begun_at is null then ${queuedBehind} else null end`,
        revision: sql<number>`revision + 1`,
      }))
      .where('id', '=', id)
      .where('ended_at', 'is', null)
      .executeTakeFirst();
    return result.numUpdatedRows > 0n;
  }

  /** Writer 1, in a transaction: the lane refused (409, 429); row, pins and a snapshot made with it vanish. @returns whether the row went */
  async refuse(id: string): Promise<boolean> {
    const result = await this.#db
      .deleteFrom('operations')
      .where('id', '=', id)
      .where('state', '=', 'QUEUED')
      .where('begun_at', 'is', null)
      .where('accepted_at', 'is', null)
      .executeTakeFirst();
    if (result.numDeletedRows === 0n) return false;
    await this.#snapshots.releasePins(id, null);
    await this.#snapshots.dropOfOperation(id);
    return true;
  }

  /**
   * Writers 1 and 3, in a transaction: no answer before the deadline. QUEUED, not accepted, becomes CANCELLED SUBMIT_EXPIRED.
   * @returns the row after it: expired, or whatever won the race (begun, accepted, ended by another); null: no such row
   */
  async expire(id: string): Promise<OperationRecord | null> {
    await this.#endQueued(
      id,
      'CANCELLED',
      errorView('SUBMIT_EXPIRED', {}, 'Nothing began; all is as before.'),
      'not-accepted',
    );
    return this.get(id);
  }

  /** Writer 5, in a transaction: an accepted operation that never began (aborted while queued, or behind a `delete`). @returns whether it ended so */
  async cancelQueued(id: string, error: ErrorView): Promise<boolean> {
    return this.#endQueued(id, 'CANCELLED', error, 'any');
  }

  /**
   * Writer 2: QUEUED to RUNNING.
   * @returns `begun` also for a repeated call of the same run; `ended`: do nothing (expired or cancelled); `unknown`: refused and deleted
   */
  async begin(id: string, runId: string, seq: number, view: OperationView): Promise<'begun' | 'ended' | 'unknown'> {
    const now = timestamp(this.#clock);
    const result = await this.#db
      .updateTable('operations')
      .set((on) => ({
        state: view.state,
        view: JSON.stringify(view),
        seq,
        run_id: runId,
        begun_at: now,
        accepted_at: on.fn.coalesce('accepted_at', on.val(now)),
        queued_behind: null,
        revision: sql<number>`revision + 1`,
      }))
      .where('id', '=', id)
      .where('state', '=', 'QUEUED')
      .where('begun_at', 'is', null)
      .executeTakeFirst();
    if (result.numUpdatedRows > 0n) return 'begun';
    const row = await this.get(id);
    if (!row) return 'unknown';
    return row.endedAt === null && row.runId === runId ? 'begun' : 'ended';
  }

  /** Writer 2. @returns false when it is not newer than what is stored, or the row has ended */
  async record(id: string, seq: number, view: OperationView): Promise<boolean> {
    const result = await this.#db
      .updateTable('operations')
      .set({ state: view.state, view: JSON.stringify(view), seq, revision: sql<number>`revision + 1` })
      .where('id', '=', id)
      .where('seq', '<', seq)
      .where('ended_at', 'is', null)
      .executeTakeFirst();
    return result.numUpdatedRows > 0n;
  }

  /**
   * Writers 2, 3 and 4, in a transaction: the one end of a row; idempotent. Pins go, or hold until undo is no longer possible;
   * snapshots still CREATING under this operation become FAILED.
   * @param view its state must be an ended one
   * @returns false when the row had ended before
   */
  async end(id: string, view: OperationView): Promise<boolean> {
    if (!isEnded(view.state)) throw new Error(`${view.state} is no end`);
    const told = await this.#withUndo(id, view);
    const result = await this.#db
      .updateTable('operations')
      .set({
        state: told.state,
        view: JSON.stringify(told),
        ended_at: timestamp(this.#clock),
        queued_behind: null,
        revision: sql<number>`revision + 1`,
      })
      .where('id', '=', id)
      .where('ended_at', 'is', null)
      .executeTakeFirst();
    if (result.numUpdatedRows === 0n) return false;
    await this.#release(id, told);
    return true;
  }

  /** Writer 2: the history as JSON text, stored compressed. Idempotent. */
  async storeHistory(id: string, historyJson: string): Promise<void> {
    const gzip = gzipSync(historyJson);
    await this.#db
      .insertInto('operation_histories')
      .values({ operation_id: id, gzip })
      .onConflict((conflict) => conflict.column('operation_id').doUpdateSet({ gzip }))
      .execute();
  }

  /** JSON text; null: none stored. */
  async history(id: string): Promise<string | null> {
    const row = await this.#db
      .selectFrom('operation_histories')
      .select('gzip')
      .where('operation_id', '=', id)
      .executeTakeFirst();
    return row ? gunzipSync(row.gzip).toString('utf8') : null;
  }

  async get(id: string): Promise<OperationRecord | null> {
    const row = await this.#db.selectFrom('operations').selectAll().where('id', '=', id).executeTakeFirst();
    return row ? toOperation(row) : null;
  }

  /** Newest first. */
  async list(filter: OperationFilter, after: Cursor | null, limit: number): Promise<Page<OperationRecord>> {
    let query = this.#db.selectFrom('operations').selectAll();
    if (filter.workloadId !== undefined) query = query.where('workload_id', '=', filter.workloadId);
    if (filter.kinds) query = query.where('kind', 'in', filter.kinds);
    if (filter.states) {
      const states = filter.states;
      query = query.where((on) =>
        filter.includeOpen ? on.or([on('state', 'in', states), on('ended_at', 'is', null)]) : on('state', 'in', states),
      );
    }
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
    return toPage(rows.map(toOperation), limit, (record) => ({ key: record.createdAt, id: record.id }));
  }

  /** Not ended, oldest first; of one workload or of all. */
  async open(workloadId?: string): Promise<readonly OperationRecord[]> {
    let query = this.#db.selectFrom('operations').selectAll().where('ended_at', 'is', null);
    if (workloadId !== undefined) query = query.where('workload_id', '=', workloadId);
    return (await query.orderBy('created_at').orderBy('id').execute()).map(toOperation);
  }

  /** Accepted or begun, not ended, oldest first: what update-with-start tells a new lane (restore.md 5.3). */
  async openInLane(workloadId: string): Promise<readonly OperationRecord[]> {
    return (await this.open(workloadId)).filter((row) => row.acceptedAt !== null || row.begunAt !== null);
  }

  /** Ended since `since`: for streams that have to show an end once. */
  async endedSince(since: string): Promise<readonly OperationRecord[]> {
    const rows = await this.#db
      .selectFrom('operations')
      .selectAll()
      .where('ended_at', '>=', since)
      .orderBy('ended_at')
      .execute();
    return rows.map(toOperation);
  }

  /** The newest ended operation of that kind and state, for estimates. */
  async lastEnded(workloadId: string, kind: OperationKind, state: EndedState): Promise<OperationRecord | null> {
    const row = await this.#db
      .selectFrom('operations')
      .selectAll()
      .where('workload_id', '=', workloadId)
      .where('kind', '=', kind)
      .where('state', '=', state)
      .orderBy('created_at', 'desc')
      .limit(1)
      .executeTakeFirst();
    return row ? toOperation(row) : null;
  }

  async #endQueued(id: string, state: EndedState, error: ErrorView, which: 'not-accepted' | 'any'): Promise<boolean> {
    const row = await this.get(id);
    if (!row) return false;
    const view: OperationView = { ...row.view, state, error };
    let update = this.#db
      .updateTable('operations')
      .set({
        state,
        view: JSON.stringify(view),
        ended_at: timestamp(this.#clock),
        queued_behind: null,
        revision: sql<number>`revision + 1`,
      })
      .where('id', '=', id)
      .where('state', '=', 'QUEUED')
      .where('begun_at', 'is', null)
      .where('ended_at', 'is', null);
    if (which === 'not-accepted') update = update.where('accepted_at', 'is', null);
    const result = await update.executeTakeFirst();
    if (result.numUpdatedRows === 0n) return false;
    await this.#release(id, view);
    return true;
  }

  /** Whoever ended it: a restore that succeeded can be undone while its safety snapshot is kept. Its workflow may not have come to say so. */
  async #withUndo(id: string, view: OperationView): Promise<OperationView> {
    if (view.state !== 'SUCCEEDED' || view.undo !== undefined) return view;
    const row = await this.get(id);
    if (row === null || !isRestoring(row.kind)) return view;
    const safety = await this.#snapshots.safetyOf(id);
    return safety === null ? view : { ...view, undo: safety };
  }

  async #release(id: string, view: OperationView): Promise<void> {
    const undoUntil = view.state === 'SUCCEEDED' ? (view.undo?.until ?? null) : null;
    await this.#snapshots.releasePins(id, undoUntil);
    const error = view.error ?? errorView('CANCELLED', {}, 'The operation ended before the snapshot was complete.');
    await this.#snapshots.failOfOperation(id, error);
  }
}
