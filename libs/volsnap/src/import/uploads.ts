import path from 'node:path';
import { receiveArchive } from '@tiny-forge/archive-safe';
import { ForgeError, isForgeError } from '@tiny-forge/contracts/domain';
import { reserveOf, type ReserveRule } from '../plan/space-needs.ts';
import { makeFolder, unlinkIfThere } from '../ports/durable-file.ts';
import { naming } from '../ports/fs-error.ts';
import type { FsPort } from '../ports/fs-port.ts';
import type { ReceiveInput, Upload } from './import-engine.ts';

export interface UploadTimes {
  /** Without a byte, ms. */
  readonly idleMs: number;
  /** For the whole of it, ms. */
  readonly totalMs: number;
}

export const UPLOAD_TIMES: UploadTimes = { idleMs: 60_000, totalMs: 24 * 3_600_000 };
const MAX_AT_ONCE = 4;
const LOOK_EVERY_BYTES = 16 * 1024 ** 2;

/**
 * Files being uploaded, `<folder>/<upload>.<owner>.upload`. The owner is the process that receives one, by number and start time, so that what a
 * killed process left is recognised at once and what another living one receives is left alone.
 */
export class Uploads {
  readonly #fs: FsPort;
  readonly #root: string;
  readonly #folder: string;
  readonly #reserve: ReserveRule;
  readonly #times: UploadTimes;
  readonly #own = new Set<string>();
  /** One after the other: two that find it missing would both make it. */
  #making: Promise<void> = Promise.resolve();

  /** @param root the data folder */
  constructor(fs: FsPort, root: string, reserve: ReserveRule, times: UploadTimes = UPLOAD_TIMES) {
    this.#fs = fs;
    this.#root = root;
    this.#folder = path.join(root, 'imports');
    this.#reserve = reserve;
    this.#times = times;
  }

  async receive({ uploadId, source, declaredBytes, signal }: ReceiveInput): Promise<Upload> {
    if (this.#own.size >= MAX_AT_ONCE)
      throw new ForgeError({ code: 'TOO_MANY_TRANSFERS', params: { limit: MAX_AT_ONCE, retryAfterSeconds: 30 } });
    this.#own.add(uploadId);
    const settled = (): void => void this.#own.delete(uploadId);
    try {
      this.#making = this.#making.catch(() => undefined).then(() => makeFolder(this.#fs, this.#root, this.#folder));
      await this.#making;
      const space = await naming('statfs', this.#folder, () => this.#fs.space(this.#folder));
      const keep = reserveOf(space, this.#reserve);
      const maxBytes = Math.max(0, space.freeBytes - keep.bytes);
      if (declaredBytes !== null && declaredBytes > maxBytes) throw tooLarge(declaredBytes, maxBytes);
      const file = path.join(this.#folder, `${uploadId}.${await ownerOf(this.#fs, process.pid)}.upload`);
      const { bytes } = await receiveArchive({
        source,
        file,
        maxBytes,
        limits: this.#times,
        freeSpaceCheck: {
          everyBytes: LOOK_EVERY_BYTES,
          everyEntries: 1,
          minFreeBytes: keep.bytes,
          minFreeInodes: keep.inodes,
        },
        signal,
      });
      await naming('fsync', this.#folder, () => this.#fs.syncDirectory(this.#folder));
      return { bytes, settled };
    } catch (error) {
      settled();
      throw uploadError(error);
    }
  }

  /** @throws UPLOAD_LOST */
  async find(uploadId: string): Promise<string> {
    const name = (await this.#names()).find((each) => each.startsWith(`${uploadId}.`));
    if (name === undefined) throw new ForgeError({ code: 'UPLOAD_LOST' });
    return path.join(this.#folder, name);
  }

  async remove(uploadId: string): Promise<void> {
    for (const name of await this.#names()) {
      if (name.startsWith(`${uploadId}.`)) await unlinkIfThere(this.#fs, path.join(this.#folder, name));
    }
  }

  /** Ids of uploads whose request is over: received by a process that is gone, or settled by this one. */
  async over(): Promise<string[]> {
    const ids: string[] = [];
    for (const name of await this.#names()) {
      const [id = '', owner = ''] = name.split('.');
      if (this.#own.has(id)) continue;
      const mine = owner === (await ownerOf(this.#fs, process.pid));
      if (mine || (await ownerOf(this.#fs, Number(owner.split('-')[0]))) !== owner) ids.push(id);
    }
    return ids;
  }

  async #names(): Promise<string[]> {
    if ((await naming('stat', this.#folder, () => this.#fs.stat(this.#folder))) === null) return [];
    const names = await naming('read', this.#folder, () => this.#fs.readDirectory(this.#folder));
    return names.filter((name) => name.endsWith('.upload'));
  }
}

/** `<pid>-<start time>`: a number alone is given again to other processes. */
async function ownerOf(fs: FsPort, pid: number): Promise<string> {
  const stat = await fs.readFile(`/proc/${pid}/stat`).then(String, () => '');
  const started = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? 'gone';
  return `${pid}-${started}`;
}

const tooLarge = (need: number, free: number): ForgeError =>
  new ForgeError({ code: 'UPLOAD_TOO_LARGE', params: { need, free } });

/** What went wrong with an upload, in words for who sent it. */
function uploadError(error: unknown): unknown {
  if (!isForgeError(error)) return error;
  const { code, params } = error;
  if (code === 'INSUFFICIENT_SPACE') return tooLarge(Number(params['need']), Number(params['free']));
  const why = { IDLE: 'nothing came for a minute', TIME: 'it took too long' }[String(params['rule'])];
  if ((error.cause as { code?: unknown } | undefined)?.code === 'ECONNRESET')
    return new ForgeError({ code: 'UPLOAD_INCOMPLETE', params: { why: 'the sender broke off' }, cause: error });
  if (why !== undefined) return new ForgeError({ code: 'UPLOAD_INCOMPLETE', params: { why }, cause: error });
  return error;
}
