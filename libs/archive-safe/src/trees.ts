import { forgeError } from './forge-fault.ts';
import type { LinkTier } from './link-policy.ts';
import type { TreeMeasure } from './measure-task.ts';
import type { TreeIdentity } from './remove-task.ts';
import { crewOf, withThreads, type Thread } from './thread-crew.ts';

interface Where {
  signal?: AbortSignal;
  /** 1 (default): a thread of its own; 0: the calling one, which then blocks. */
  threads?: 0 | 1;
}

export interface MeasureTreeOptions extends Where {
  /** Default 2. */
  links?: LinkTier;
  exclude?: readonly string[];
}

/** What a capture of the tree would hold and what it would have to leave out; reads no file. */
export async function measureTree(root: string, options: MeasureTreeOptions = {}): Promise<TreeMeasure> {
  const exclude = (options.exclude ?? []).map((name) => Buffer.from(name, 'utf8').toString('latin1'));
  return inThread(options, (thread) => thread.call('measure', [root, '0', options.links ?? 2, exclude]));
}

export interface RemoveTreeOptions extends Where {
  /** The tree is removed only if it is this one. */
  expectedIdentity?: TreeIdentity;
}

/**
 * Removes a directory tree or a single name: by directory handles, never through a link, never across a mount (then it
 * fails, with what came before already removed), at any depth. A missing tree is no error. May be called again.
 *
 * @returns number of names removed
 * @throws ForgeError `IO_ERROR` with params `rule` `IDENTITY` or `MOUNT`, or `errno`; `CANCELLED`
 */
export async function removeTree(path: string, options: RemoveTreeOptions = {}): Promise<number> {
  return inThread(options, (thread) => thread.call('removeTree', [path, options.expectedIdentity]));
}

async function inThread<T>({ signal, threads = 1 }: Where, work: (thread: Thread) => Promise<T>): Promise<T> {
  try {
    return await withThreads(crewOf(threads), signal, ([thread]) => work(thread as Thread));
  } catch (error) {
    throw forgeError(error);
  }
}
