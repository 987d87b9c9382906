import { availableParallelism } from 'node:os';
import { Worker, type Transferable } from 'node:worker_threads';
import { cancelled, forgeError } from './forge-fault.ts';
import { Refusal } from './refusal.ts';
import type { ThreadReply, ThreadRequest } from './thread-main.ts';
import { createOperations, type OperationName, type Operations } from './thread-operations.ts';

/** Run from source the thread is source too: Node strips its types. */
const entry = new URL(import.meta.url.endsWith('.ts') ? './thread-main.ts' : './thread-main.js', import.meta.url);

interface Waiting {
  resolve: (value: never) => void;
  reject: (error: unknown) => void;
}

export interface Thread {
  /** Calls that are not answered yet. */
  readonly load: number;
  call<N extends OperationName>(
    name: N,
    args: Parameters<Operations[N]>,
    transfer?: Transferable[],
  ): Promise<Awaited<ReturnType<Operations[N]>>>;
  end(): Promise<void>;
}

/** The calling thread itself: nothing to start, but it does not respond while a call runs. */
class CallingThread implements Thread {
  readonly load = 0;
  #operations = createOperations();

  async call<N extends OperationName>(
    name: N,
    args: Parameters<Operations[N]>,
  ): Promise<Awaited<ReturnType<Operations[N]>>> {
    try {
      return await (this.#operations[name] as (...args: unknown[]) => ReturnType<Operations[N]>)(...args);
    } catch (error) {
      throw forgeError(error);
    }
  }

  async end(): Promise<void> {
    await this.#operations.release();
  }
}

class WorkerThread implements Thread {
  #worker: Worker;
  #waiting = new Map<number, Waiting>();
  #nextId = 0;
  #failure: Error | undefined;

  constructor() {
    this.#worker = new Worker(entry, { resourceLimits: { maxYoungGenerationSizeMb: 4 } });
    this.#worker.on('message', (reply: ThreadReply) => this.#settle(reply));
    this.#worker.on('error', (error) => this.#fail(forgeError(error)));
    this.#worker.on('exit', () => this.#fail(cancelled()));
  }

  get load(): number {
    return this.#waiting.size;
  }

  call<N extends OperationName>(
    name: N,
    args: Parameters<Operations[N]>,
    transfer: Transferable[] = [],
  ): Promise<Awaited<ReturnType<Operations[N]>>> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== undefined) return reject(this.#failure);
      const id = this.#nextId++;
      this.#waiting.set(id, { resolve, reject });
      this.#worker.postMessage({ id, name, args } satisfies ThreadRequest, transfer);
    });
  }

  /** Resolves when the thread has really ended; a system call it is in is waited for. */
  async end(): Promise<void> {
    await this.#worker.terminate();
  }

  #settle(reply: ThreadReply): void {
    const waiting = this.#waiting.get(reply.id);
    this.#waiting.delete(reply.id);
    if ('refusal' in reply) waiting?.reject(forgeError(reply.refusal));
    else waiting?.resolve(reply.result as never);
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    for (const waiting of this.#waiting.values()) waiting.reject(this.#failure);
    this.#waiting.clear();
  }
}

export interface Crew {
  count: number;
  where: 'workers' | 'here';
}

/** What a public `threads` option means: 0 is the calling thread. */
export function crewOf(threads: number = Math.min(2, availableParallelism())): Crew {
  return threads === 0 ? { count: 1, where: 'here' } : { count: threads, where: 'workers' };
}

/** Threads that live until their `end`, which is the caller's to call. */
export function startThreads({ count, where }: Crew): Thread[] {
  return Array.from({ length: count }, () => (where === 'here' ? new CallingThread() : new WorkerThread()));
}

/**
 * Runs `work` with `count` threads, or on the calling one. It settles only when every thread has ended, whether `work` returned, threw or `signal`
 * was aborted; then nothing of ours reads or writes any more.
 */
export async function withThreads<T>(
  crew: Crew,
  signal: AbortSignal | undefined,
  work: (threads: Thread[]) => Promise<T>,
): Promise<T> {
  stopIfAborted(signal);
  return useThreads(startThreads(crew), signal, work);
}

/** The same with threads that were started before; it ends them too. */
export async function useThreads<T>(
  threads: Thread[],
  signal: AbortSignal | undefined,
  work: (threads: Thread[]) => Promise<T>,
): Promise<T> {
  const onAbort = (): void => {
    for (const thread of threads) void thread.end();
  };
  signal?.addEventListener('abort', onAbort, { once: true });
  try {
    stopIfAborted(signal);
    const result = await work(threads);
    stopIfAborted(signal);
    return result;
  } catch (error) {
    // A thread that was ended only knows that it was: what ended it says why.
    stopIfAborted(signal);
    throw error;
  } finally {
    signal?.removeEventListener('abort', onAbort);
    await Promise.all(threads.map((thread) => thread.end()));
  }
}

export function stopIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted !== true) return;
  throw signal.reason instanceof Refusal ? forgeError(signal.reason) : cancelled();
}
