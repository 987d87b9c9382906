import type { Kysely } from 'kysely';
import { timestamp, type Clock } from './clock.ts';
import type { Database } from './schema.ts';

export interface AuditEntry {
  readonly principal: string;
  /** Address of the peer, or the part of the server that acted. */
  readonly from: string;
  readonly verb: string;
  readonly target: string;
  readonly outcome: string;
  /** Bounded, no secrets. */
  readonly details: Readonly<Record<string, string | number | boolean | null>>;
}

export interface AuditRecord extends AuditEntry {
  readonly id: number;
  readonly at: string;
}

/** Who did what, from where, with which outcome. Records are added and concluded, never removed. */
export class AuditStore {
  readonly #db: Kysely<Database>;
  readonly #clock: Clock;

  constructor(db: Kysely<Database>, clock: Clock) {
    this.#db = db;
    this.#clock = clock;
  }

  /** @returns the record's number, for `conclude` */
  async add(entry: AuditEntry): Promise<number> {
    const row = await this.#db
      .insertInto('audit')
      .values({
        at: timestamp(this.#clock),
        principal: entry.principal,
        from: entry.from,
        verb: entry.verb,
        target: entry.target,
        outcome: entry.outcome,
        details: JSON.stringify(entry.details),
      })
      .returning('id')
      .executeTakeFirstOrThrow();
    return row.id;
  }

  async conclude(id: number, outcome: string): Promise<void> {
    await this.#db.updateTable('audit').set({ outcome }).where('id', '=', id).execute();
  }

  /** Newest first. */
  async list(limit: number): Promise<readonly AuditRecord[]> {
    const rows = await this.#db.selectFrom('audit').selectAll().orderBy('id', 'desc').limit(limit).execute();
    return rows.map((row) => ({
      id: row.id,
      at: row.at,
      principal: row.principal,
      from: row.from,
      verb: row.verb,
      target: row.target,
      outcome: row.outcome,
      details: JSON.parse(row.details) as AuditEntry['details'],
    }));
  }
}
