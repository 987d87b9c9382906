import type { Kysely } from 'kysely';
import type { Permission } from '@tiny-forge/contracts/domain';
import { timestamp, type Clock } from './clock.ts';
import type { Database } from './schema.ts';

export interface UserRecord {
  readonly id: string;
  readonly name: string;
  readonly passwordHash: string;
  readonly permissions: readonly Permission[];
}

export interface SessionRecord {
  readonly idHash: string;
  readonly user: UserRecord;
  readonly csrfToken: string;
  readonly expiresAt: string;
}

export interface TokenRecord {
  readonly id: string;
  readonly userId: string;
  readonly name: string;
  readonly permissions: readonly Permission[];
  readonly createdAt: string;
  readonly lastUsedAt: string | null;
}

const permissionsOf = (json: string): readonly Permission[] => JSON.parse(json) as Permission[];

export class UserStore {
  readonly #db: Kysely<Database>;
  readonly #clock: Clock;
  readonly #newId: () => string;

  constructor(db: Kysely<Database>, clock: Clock, newId: () => string) {
    this.#db = db;
    this.#clock = clock;
    this.#newId = newId;
  }

  /** @returns whether this call made the user; an existing one stays as it is */
  async createIfMissing(name: string, passwordHash: string, permissions: readonly Permission[]): Promise<boolean> {
    const result = await this.#db
      .insertInto('users')
      .values({
        id: this.#newId(),
        name,
        password_hash: passwordHash,
        permissions: JSON.stringify(permissions),
        created_at: timestamp(this.#clock),
      })
      .onConflict((conflict) => conflict.column('name').doNothing())
      .executeTakeFirst();
    return (result.numInsertedOrUpdatedRows ?? 0n) > 0n;
  }

  async byName(name: string): Promise<UserRecord | null> {
    const row = await this.#db.selectFrom('users').selectAll().where('name', '=', name).executeTakeFirst();
    return row
      ? { id: row.id, name: row.name, passwordHash: row.password_hash, permissions: permissionsOf(row.permissions) }
      : null;
  }

  async setPassword(userId: string, passwordHash: string): Promise<void> {
    await this.#db.updateTable('users').set({ password_hash: passwordHash }).where('id', '=', userId).execute();
  }
}

/** Sessions, found by the hash of what the cookie carries. */
export class SessionStore {
  readonly #db: Kysely<Database>;
  readonly #clock: Clock;

  constructor(db: Kysely<Database>, clock: Clock) {
    this.#db = db;
    this.#clock = clock;
  }

  async create(session: {
    readonly idHash: string;
    readonly userId: string;
    readonly csrfToken: string;
    readonly expiresAt: string;
  }): Promise<void> {
    const now = timestamp(this.#clock);
    await this.#db
      .insertInto('sessions')
      .values({
        id_hash: session.idHash,
        user_id: session.userId,
        csrf_token: session.csrfToken,
        created_at: now,
        expires_at: session.expiresAt,
        last_seen_at: now,
      })
      .execute();
  }

  /** null: unknown or expired. */
  async find(idHash: string): Promise<SessionRecord | null> {
    const row = await this.#db
      .selectFrom('sessions')
      .innerJoin('users', 'users.id', 'sessions.user_id')
      .select([
        'sessions.id_hash',
        'sessions.csrf_token',
        'sessions.expires_at',
        'users.id',
        'users.name',
        'users.password_hash',
        'users.permissions',
      ])
      .where('sessions.id_hash', '=', idHash)
      .where('sessions.expires_at', '>', timestamp(this.#clock))
      .executeTakeFirst();
    if (!row) return null;
    return {
      idHash: row.id_hash,
      csrfToken: row.csrf_token,
      expiresAt: row.expires_at,
      user: {
        id: row.id,
        name: row.name,
        passwordHash: row.password_hash,
        permissions: permissionsOf(row.permissions),
      },
    };
  }

  async extend(idHash: string, expiresAt: string): Promise<void> {
    await this.#db
      .updateTable('sessions')
      .set({ expires_at: expiresAt, last_seen_at: timestamp(this.#clock) })
      .where('id_hash', '=', idHash)
      .execute();
  }

  async delete(idHash: string): Promise<void> {
    await this.#db.deleteFrom('sessions').where('id_hash', '=', idHash).execute();
  }

  async deleteOfUser(userId: string): Promise<void> {
    await this.#db.deleteFrom('sessions').where('user_id', '=', userId).execute();
  }

  async purgeExpired(): Promise<void> {
    await this.#db.deleteFrom('sessions').where('expires_at', '<=', timestamp(this.#clock)).execute();
  }
}

/** API tokens, found by their hash. */
export class TokenStore {
  readonly #db: Kysely<Database>;
  readonly #clock: Clock;

  constructor(db: Kysely<Database>, clock: Clock) {
    this.#db = db;
    this.#clock = clock;
  }

  async create(token: {
    readonly id: string;
    readonly userId: string;
    readonly name: string;
    readonly tokenHash: string;
    readonly permissions: readonly Permission[];
  }): Promise<void> {
    await this.#db
      .insertInto('tokens')
      .values({
        id: token.id,
        user_id: token.userId,
        name: token.name,
        token_hash: token.tokenHash,
        permissions: JSON.stringify(token.permissions),
        created_at: timestamp(this.#clock),
        last_used_at: null,
      })
      .execute();
  }

  /** The token and its owner; the token never has more than the owner has now. */
  async find(tokenHash: string): Promise<{ readonly token: TokenRecord; readonly user: UserRecord } | null> {
    const row = await this.#db
      .selectFrom('tokens')
      .innerJoin('users', 'users.id', 'tokens.user_id')
      .selectAll('tokens')
      .select([
        'users.name as user_name',
        'users.password_hash as user_password_hash',
        'users.permissions as user_permissions',
      ])
      .where('tokens.token_hash', '=', tokenHash)
      .executeTakeFirst();
    if (!row) return null;
    const owned = permissionsOf(row.user_permissions);
    return {
      token: {
        id: row.id,
        userId: row.user_id,
        name: row.name,
        permissions: permissionsOf(row.permissions).filter((permission) => owned.includes(permission)),
        createdAt: row.created_at,
        lastUsedAt: row.last_used_at,
      },
      user: { id: row.user_id, name: row.user_name, passwordHash: row.user_password_hash, permissions: owned },
    };
  }

  async markUsed(id: string): Promise<void> {
    await this.#db
      .updateTable('tokens')
      .set({ last_used_at: timestamp(this.#clock) })
      .where('id', '=', id)
      .execute();
  }

  async list(userId: string): Promise<readonly TokenRecord[]> {
    const rows = await this.#db
      .selectFrom('tokens')
      .selectAll()
      .where('user_id', '=', userId)
      .orderBy('created_at')
      .orderBy('id')
      .execute();
    return rows.map((row) => ({
      id: row.id,
      userId: row.user_id,
      name: row.name,
      permissions: permissionsOf(row.permissions),
      createdAt: row.created_at,
      lastUsedAt: row.last_used_at,
    }));
  }

  /** @returns whether there was one */
  async delete(id: string, userId: string): Promise<boolean> {
    const result = await this.#db
      .deleteFrom('tokens')
      .where('id', '=', id)
      .where('user_id', '=', userId)
      .executeTakeFirst();
    return result.numDeletedRows > 0n;
  }
}
