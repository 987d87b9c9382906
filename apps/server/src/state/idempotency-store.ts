import { sql, type Kysely } from 'kysely';
import { timestamp, type Clock } from './clock.ts';
import type { Database } from './schema.ts';

export interface IdempotencyScope {
  readonly principal: string;
  readonly method: string;
  readonly path: string;
  readonly key: string;
}

export interface StoredAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export type Claim =
  /** This caller runs the request and then stores or drops. `operationId`: a dead run had inserted this operation. */
  | { readonly outcome: 'run'; readonly operationId: string | null }
  | { readonly outcome: 'running' }
  | { readonly outcome: 'mismatch' }
  | { readonly outcome: 'answer'; readonly answer: StoredAnswer };

const KEEP_HOURS = 48;

/** The same key gives the same answer, in whichever process it arrives (api.md, Errors). */
export class IdempotencyStore {
  readonly #db: Kysely<Database>;
  readonly #clock: Clock;

  constructor(db: Kysely<Database>, clock: Clock) {
    this.#db = db;
    this.#clock = clock;
  }

  /** Call inside a transaction. The lease, in ms, is how long a run may take before it counts as dead; renew it while it runs. */
  async claim(scope: IdempotencyScope, fingerprint: string, leaseMs: number): Promise<Claim> {
    const now = timestamp(this.#clock);
    const row = await this.#db
      .selectFrom('idempotency')
      .selectAll()
      .where((on) => on.and({ ...scope }))
      .executeTakeFirst();
    const values = { fingerprint, lease_until: timestamp(this.#clock, leaseMs) };
    if (row && row.created_at > timestamp(this.#clock, -KEEP_HOURS * 3_600_000)) {
      if (row.fingerprint !== fingerprint) return { outcome: 'mismatch' };
      if (row.status !== null) {
        return {
          outcome: 'answer',
          answer: {
            status: row.status,
            headers: JSON.parse(row.headers ?? '{}') as Record<string, string>,
            body: row.body ?? '',
          },
        };
      }
      if (row.lease_until > now) return { outcome: 'running' };
      await this.#db
        .updateTable('idempotency')
        .set(values)
        .where((on) => on.and({ ...scope }))
        .execute();
      return { outcome: 'run', operationId: row.operation_id };
    }
    if (row) await this.drop(scope);
    await this.#db
      .insertInto('idempotency')
      .values({ ...scope, ...values, status: null, headers: null, body: null, operation_id: null, created_at: now })
      .execute();
    return { outcome: 'run', operationId: null };
  }

  async renewLease(scope: IdempotencyScope, leaseMs: number): Promise<void> {
    await this.#db
      .updateTable('idempotency')
      .set({ lease_until: timestamp(this.#clock, leaseMs) })
      .where((on) => on.and({ ...scope }))
      .where('status', 'is', null)
      .execute();
  }

  /** In the transaction that inserts the operation's row. */
  async attachOperation(scope: IdempotencyScope, operationId: string): Promise<void> {
    await this.#db
      .updateTable('idempotency')
      .set({ operation_id: operationId })
      .where((on) => on.and({ ...scope }))
      .execute();
  }

  async store(scope: IdempotencyScope, answer: StoredAnswer): Promise<void> {
    await this.#db
      .updateTable('idempotency')
      .set({ status: answer.status, headers: JSON.stringify(answer.headers), body: answer.body })
      .where((on) => on.and({ ...scope }))
      .execute();
  }

  /** The answer is not to be kept: the next one with this key runs anew. */
  async drop(scope: IdempotencyScope): Promise<void> {
    await this.#db
      .deleteFrom('idempotency')
      .where((on) => on.and({ ...scope }))
      .execute();
  }

  async purgeOld(): Promise<number> {
    const result = await this.#db
      .deleteFrom('idempotency')
      .where('created_at', '<=', timestamp(this.#clock, -KEEP_HOURS * 3_600_000))
      .where(sql<boolean>`lease_until <= ${timestamp(this.#clock)}`)
      .executeTakeFirst();
    return Number(result.numDeletedRows);
  }
}
