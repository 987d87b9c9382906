import { sql, type Kysely } from 'kysely';
import { ForgeError } from '@tiny-forge/contracts/domain';
import { firstTables } from './migration-0001-first-tables.ts';
import type { Migration } from './migration.ts';
import type { Database } from './schema.ts';

/** In order, for ever: a released migration is never edited. */
export const MIGRATIONS: readonly Migration[] = [firstTables];

/**
 * Applies what is missing, in one transaction that holds the write lock: of two processes that start together one migrates and the other finds
 * nothing to do.
 * @throws ForgeError DATA_DIR_UNUSABLE when the database was written by a newer version
 */
export async function migrate(
  db: Kysely<Database>,
  path: string,
  migrations: readonly Migration[] = MIGRATIONS,
): Promise<void> {
  await db.transaction().execute(async (trx) => {
    await sql`create table if not exists migrations (name text primary key)`.execute(trx);
    const applied = new Set(
      (await sql<{ name: string }>`select name from migrations`.execute(trx)).rows.map((row) => row.name),
    );
    const known = new Set(migrations.map((migration) => migration.name));
    const foreign = [...applied].find((name) => !known.has(name));
    if (foreign !== undefined) {
      throw new ForgeError({
        code: 'DATA_DIR_UNUSABLE',
        params: { path, why: `its database was written by a newer version (${foreign})` },
      });
    }
    for (const migration of migrations) {
      if (applied.has(migration.name)) continue;
      await migration.up(trx);
      await sql`insert into migrations (name) values (${migration.name})`.execute(trx);
    }
  });
}
