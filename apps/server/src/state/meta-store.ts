import type { Kysely } from 'kysely';
import type { Database } from './schema.ts';

/** Facts of the installation, one value a key. */
export class MetaStore {
  readonly #db: Kysely<Database>;

  constructor(db: Kysely<Database>) {
    this.#db = db;
  }

  async get(key: string): Promise<string | null> {
    const row = await this.#db.selectFrom('meta').select('value').where('key', '=', key).executeTakeFirst();
    return row?.value ?? null;
  }

  /** The first writer wins, whichever process it is in; everybody gets its value. */
  async getOrCreate(key: string, value: string): Promise<string> {
    await this.#db
      .insertInto('meta')
      .values({ key, value })
      .onConflict((conflict) => conflict.column('key').doNothing())
      .execute();
    return (await this.get(key)) ?? value;
  }

  /** @returns whether this call was the first to set `key` */
  async claim(key: string, value: string): Promise<boolean> {
    const result = await this.#db
      .insertInto('meta')
      .values({ key, value })
      .onConflict((conflict) => conflict.column('key').doNothing())
      .executeTakeFirst();
    return (result.numInsertedOrUpdatedRows ?? 0n) > 0n;
  }

  async set(key: string, value: string): Promise<void> {
    await this.#db
      .insertInto('meta')
      .values({ key, value })
      .onConflict((conflict) => conflict.column('key').doUpdateSet({ value }))
      .execute();
  }

  async delete(key: string): Promise<void> {
    await this.#db.deleteFrom('meta').where('key', '=', key).execute();
  }
}
