import { randomBytes, randomUUID } from 'node:crypto';
import { link, open, readFile, unlink } from 'node:fs/promises';
import path from 'node:path';
import { syncDirectory } from './capture-run.ts';
import { forgeError } from './forge-fault.ts';
import { errnoOf, Refusal } from './refusal.ts';

const keyBytes = 32;

/**
 * The 32-byte key archives are authenticated with; made if missing, 0600, durable before it is returned. Two processes that
 * make it at once get the same one. The folder must exist.
 *
 * @throws ForgeError `IO_ERROR`, also where the file has another length: it is never replaced
 */
export async function loadOrCreateKey(file: string): Promise<Buffer> {
  try {
    return (await read(file)) ?? (await create(file));
  } catch (error) {
    throw forgeError(error);
  }
}

async function read(file: string): Promise<Buffer | undefined> {
  try {
    const key = await readFile(file);
    if (key.length !== keyBytes)
      throw new Refusal('IO_ERROR', 'The archive key file does not have 32 bytes', { rule: 'KEY' });
    return key;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

async function create(file: string): Promise<Buffer> {
  const partial = `${file}.${randomUUID()}`;
  const handle = await open(partial, 'wx', 0o600);
  try {
    await handle.writeFile(randomBytes(keyBytes));
    await handle.sync();
  } finally {
    await handle.close();
  }
  try {
    // link, not rename: it fails where another process was first, and then that key counts.
    await link(partial, file).catch((error: unknown) => {
      if (errnoOf(error) !== 'EEXIST') throw error;
    });
  } finally {
    await unlink(partial);
  }
  await syncDirectory(path.dirname(file));
  return (await read(file)) as Buffer;
}
