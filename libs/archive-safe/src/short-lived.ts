import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { isMainThread } from 'node:worker_threads';

type Collect = (options: { type: 'minor' | 'major'; execution: 'sync' }) => void;

const collectEvery = 12 << 20;
let collect: Collect | null | undefined;
let bytes = 0;

/**
 * Says that this thread made a buffer of `size` bytes that is soon garbage. Zlib gives a fresh buffer per frame, and V8 lets
 * tens of MiB of them pile up in every thread before it looks; a minor collection each 12 MiB keeps a thread flat and costs
 * less than 1 % of the time. Does nothing on the main thread, whose heap is not ours.
 */
export function countShortLived(size: number): void {
  if (isMainThread) return;
  bytes += size;
  if (bytes < collectEvery) return;
  run('minor');
}

/** What this thread made and does not need any more is given back now; nothing on the main thread. */
export function collectGarbage(): void {
  if (!isMainThread) run('major');
}

function run(type: 'minor' | 'major'): void {
  bytes = 0;
  if (collect === undefined) collect = findCollect();
  collect?.({ type, execution: 'sync' });
}

function findCollect(): Collect | null {
  try {
    setFlagsFromString('--expose-gc');
    return runInNewContext('gc') as Collect;
  } catch {
    return null;
  } finally {
    setFlagsFromString('--no-expose-gc');
  }
}
