import { forgeError } from './forge-fault.ts';
import type { LinkTier } from './link-policy.ts';
import type { TreeMeasure } from './measure-task.ts';
import type { TreeIdentity } from './remove-task.ts';
import { withThreads, type Thread } from './thread-crew.ts';

export interface MeasureTreeOptions {
  /** Default 2. */
  links?: LinkTier;
  exclude?: readonly string[];
  signal?: AbortSignal;
}

/** What a capture of the tree would hold and what it would have to leave out; reads no file. */
export async function measureTree(root: string, options: MeasureTreeOptions = {}): Promise<TreeMeasure> {
  const exclude = (options.exclude ?? []).map((name) => Buffer.from(name, 'utf8').toString('latin1'));
  return inThread(options.signal, (thread) => thread.call('measure', [root, '0', options.links ?? 2, exclude]));
}

export interface RemoveTreeOptions {
  /** The tree is removed only if it is this one. */
  expectedIdentity?: TreeIdentity;
  signal?: AbortSignal;
}

/**
 * Removes a directory tree or a single name: by directory handles, never through a link, never across a mount (then it
 * fails, with what came before already removed), at any depth. A missing tree is no error. May be called again.
 *
 * @returns number of names removed
 * @throws ForgeError `IO_ERROR` with params `rule` `IDENTITY` or `MOUNT`, or `errno`; `CANCELLED`
 */
export async function removeTree(path: string, options: RemoveTreeOptions = {}): Promise<number> {
  return inThread(options.signal, (thread) => thread.call('removeTree', [path, options.expectedIdentity]));
}

async function inThread<T>(signal: AbortSignal | undefined, work: (thread: Thread) => Promise<T>): Promise<T> {
  try {
    return await withThreads(1, signal, ([thread]) => work(thread as Thread));
  } catch (error) {
    throw forgeError(error);
  }
}
