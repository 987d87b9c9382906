import { createHash } from 'node:crypto';
import { open, unlink, type FileHandle } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { forgeError } from './forge-fault.ts';
import { overBudget } from './import-sink.ts';
import { SpaceWatch, type SpaceRule } from './space-watch.ts';
import { stopIfAborted } from './thread-crew.ts';
import { LimitedSignal, type TimeLimits } from './time-limits.ts';

export interface ReceiveArchiveOptions {
  /** What somebody sends: a request's body, a file's stream. It is ended or destroyed in any case. */
  source: AsyncIterable<Uint8Array>;
  /** Absolute path of a file that does not exist yet; made 0600, synced, removed on failure. */
  file: string;
  maxBytes: number;
  /** Default: 60 s without a byte. `totalMs` has no default. */
  limits?: TimeLimits;
  freeSpaceCheck?: SpaceRule;
  signal?: AbortSignal;
  onProgress?: (progress: { doneBytes: number }) => void;
}

export interface ReceivedArchive {
  bytes: number;
  /** Hex, of what was received. */
  sha256: string;
}

const defaultLimits: TimeLimits = { idleMs: 60_000 };

/**
 * Takes an upload into a file; looks at nothing in it.
 *
 * @throws ForgeError `INSUFFICIENT_SPACE` (params `rule` `BUDGET` for `maxBytes`), `IO_ERROR` (params `rule` `IDLE` or `TIME`
 * for a sender that is too slow, `errno`), `CANCELLED`
 */
export async function receiveArchive(options: ReceiveArchiveOptions): Promise<ReceivedArchive> {
  const { file, source, maxBytes, limits, onProgress } = options;
  const limited = new LimitedSignal(options.signal, { ...defaultLimits, ...limits });
  const chunks = source[Symbol.asyncIterator]();
  let handle: FileHandle | undefined;
  try {
    handle = await open(file, 'wx', 0o600);
    const space = new SpaceWatch([handle.fd], options.freeSpaceCheck);
    space.check();
    const hash = createHash('sha256');
    let bytes = 0;
    for (;;) {
      limited.progress();
      const next = await unlessAborted(chunks.next(), limited.signal);
      if (next.done === true) break;
      const chunk = next.value;
      bytes += chunk.length;
      if (bytes > maxBytes) throw overBudget(bytes, maxBytes);
      hash.update(chunk);
      await writeAll(handle, chunk);
      space.bytes(chunk.length);
      onProgress?.({ doneBytes: bytes });
    }
    await handle.sync();
    await handle.close();
    return { bytes, sha256: hash.digest('hex') };
  } catch (error) {
    stopSender(source, chunks);
    if (handle !== undefined) {
      await handle.close().catch(() => undefined);
      await unlink(file).catch(() => undefined);
    }
    throw forgeError(error);
  } finally {
    limited.stop();
  }
}

/** A stream's iterator ends it only after the read that is under way, which for a sender that stalls never ends. */
function stopSender(source: AsyncIterable<Uint8Array>, chunks: AsyncIterator<Uint8Array>): void {
  if (source instanceof Readable) source.destroy();
  else void chunks.return?.().catch(() => undefined);
}

async function unlessAborted<T>(next: Promise<T>, signal: AbortSignal): Promise<T> {
  stopIfAborted(signal);
  let onAbort: (() => void) | undefined;
  const aborted = new Promise<void>((resolve) => {
    onAbort = resolve;
    signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    const first = await Promise.race([next, aborted.then(() => undefined)]);
    stopIfAborted(signal);
    return first as T;
  } finally {
    signal.removeEventListener('abort', onAbort as () => void);
    next.catch(() => undefined);
  }
}

async function writeAll(handle: FileHandle, chunk: Uint8Array): Promise<void> {
  for (let at = 0; at < chunk.length;) at += (await handle.write(chunk, at)).bytesWritten;
}
