import { spawn } from 'node:child_process';
import { fstatSync, readlinkSync, statfsSync } from 'node:fs';
import os from 'node:os';
import { isMainThread } from 'node:worker_threads';
import type { FileMark } from './job-cutter.ts';

/** Which change times say that all of a file lay in the page cache before anything of it was read. */
export interface SettledRule {
  /** Wall clock of this host before dirty pages were written back, ns. */
  synced: bigint;
  /** How much older a change time must be, ns. */
  margin: bigint;
}

/** A write call sets the change time when it begins, and may be busy for a while: this many bytes take it a second. */
const writtenPerSecond = 256n << 20n;
/** The longest that one call writes. */
const maxCallBytes = 1n << 31n;
const second = 1_000_000_000n;
const never = -(1n << 63n);

/** For a file that may have been in change while it was read the mark is one that no file has. */
export function markOf({ synced, margin }: SettledRule): FileMark {
  return ({ inode, changed, size }) => {
    const bytes = BigInt(size) < maxCallBytes ? BigInt(size) : maxCallBytes;
    const settled = changed < synced - margin - (bytes * second) / writtenPerSecond;
    return [BigInt.asIntN(64, inode), settled ? changed : never];
  };
}

/** ext2 to ext4, xfs, btrfs, f2fs. */
const localDisks = new Set([0xef53, 0x58465342, 0x9123683e, 0xf2f52010]);

/**
 * Whether change times below an open directory can be trusted: the clock is this host's, and a page that is written through a
 * mapping after a sync has a new one. Neither holds on a network; tmpfs tells nothing of mappings.
 */
export function hasSureTimes(directory: number): boolean {
  return localDisks.has(statfsSync(`/proc/self/fd/${directory}`).type);
}

/**
 * Writes back the dirty pages of the file systems of some open directories, each once, one after the other. A page that an app changes through a mapping changes the
 * time of its file only at the first write after that: without this, later ones could not be seen.
 */
export async function writeBack(directories: readonly number[], signal: AbortSignal | undefined): Promise<void> {
  const oneEach = new Map(directories.map((directory) => [fstatSync(directory).dev, directory]));
  for (const directory of oneEach.values()) await syncFileSystem(directory, signal);
}

async function syncFileSystem(directory: number, signal: AbortSignal | undefined): Promise<void> {
  // One that was aborted before it began would never be told.
  signal?.throwIfAborted();
  const child = spawn('sync', ['-f', '/proc/self/fd/3/.'], {
    stdio: ['ignore', 'ignore', 'ignore', directory],
    env: { PATH: process.env['PATH'] ?? '' },
  });
  // One that could not be started has pid 0 inside: `kill` would then end our own process group.
  const end = (): void => void (child.pid !== undefined && child.kill('SIGKILL'));
  signal?.addEventListener('abort', end, { once: true });
  try {
    await new Promise<void>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code, by) => {
        if (code === 0) resolve();
        else reject(Object.assign(new Error(`sync ended with ${by ?? code}`), { code: 'EIO' }));
      });
    });
  } finally {
    signal?.removeEventListener('abort', end);
  }
}

let priorityBefore: number | undefined;

/** The lowest priority for this thread, for the processor and with it for disks; the calling thread stays as it is. */
export function makeWay(): void {
  if (isMainThread) return;
  try {
    const thread = threadId();
    priorityBefore ??= os.getPriority(thread);
    os.setPriority(thread, os.constants.priority.PRIORITY_LOW);
  } catch {
    // A wish, no condition.
  }
}

/** Whether this thread has its priority again. Only who may raise one can have it back. */
export function takePlaceAgain(): boolean {
  if (priorityBefore === undefined) return true;
  try {
    os.setPriority(threadId(), priorityBefore);
    priorityBefore = undefined;
    return true;
  } catch {
    return false;
  }
}

const threadId = (): number => Number(readlinkSync('/proc/thread-self').split('/').at(-1));
