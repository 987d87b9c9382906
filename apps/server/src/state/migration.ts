import type { Kysely } from 'kysely';
import type { Database } from './schema.ts';

export interface Migration {
  readonly name: string;
  up(db: Kysely<Database>): Promise<void>;
}
