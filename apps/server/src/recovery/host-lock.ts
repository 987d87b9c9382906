import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { ForgeError } from '@tiny-forge/contracts/domain';

/** Held for the life of the process; dies with it, however it dies. */
export interface HostLock {
  release(): void;
}

/** A handle that nobody refers to is collected, and its lock with it. */
const held = new Set<DatabaseSync>();

/**
 * Makes this the one host process of a data folder: an exclusive SQLite lock on `<dataDir>/host.lock`, which works across network namespaces and
 * ends with the process. Who holds it is told by `host.lock.json` beside it, which proves nothing.
 * @throws ForgeError DATA_DIR_IN_USE naming the first process, DATA_DIR_UNUSABLE
 */
export function acquireHostLock(dataDir: string, now: Date): HostLock {
  const file = path.join(dataDir, 'host.lock');
  const note = `${file}.json`;
  let database: DatabaseSync | null = null;
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    database = new DatabaseSync(file, { timeout: 0 });
    database.exec('pragma locking_mode = exclusive; begin exclusive;');
  } catch (error) {
    database?.close();
    if (isBusy(error)) {
      throw new ForgeError({ code: 'DATA_DIR_IN_USE', params: { path: dataDir, ...holder(note) }, cause: error });
    }
    throw new ForgeError({
      code: 'DATA_DIR_UNUSABLE',
      params: { path: dataDir, why: error instanceof Error ? error.message : String(error) },
      cause: error,
    });
  }
  writeFileSync(note, `${JSON.stringify({ pid: process.pid, since: now.toISOString() })}\n`, { mode: 0o600 });
  const lock = database;
  held.add(lock);
  return {
    release: () => {
      if (held.delete(lock)) lock.close();
    },
  };
}

const isBusy = (error: unknown): boolean => {
  const code = (error as { errcode?: unknown } | null)?.errcode;
  // SQLITE_BUSY and SQLITE_LOCKED with their extended codes.
  return typeof code === 'number' && ((code & 0xff) === 5 || (code & 0xff) === 6);
};

function holder(note: string): { readonly pid: number | string; readonly since: string } {
  try {
    const { pid, since } = JSON.parse(readFileSync(note, 'utf8')) as { pid?: unknown; since?: unknown };
    if (typeof pid === 'number' && typeof since === 'string') return { pid, since };
  } catch {
    // The first process has the lock and has not written its note yet.
  }
  return { pid: 'unknown', since: 'unknown' };
}
