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
  /** After work that went well: the thread gives back what it holds and waits for the next operation; where it cannot, it ends. */
  rest(): Promise<void>;
}

/**
 * Threads between two operations. To start one costs about 0.15 s of processor, and a restore is a dozen of operations. They do not
 * keep the process alive, and end after a while.
 */
const resting: WorkerThread[] = [];
const restMs = 30_000;
/** As many as one operation takes. */
const mostResting = Math.min(2, availableParallelism()) + 1;

/** Ends the threads that rest now; resolves with their number. */
export async function endRestingThreads(): Promise<number> {
  const all = [...resting];
  await Promise.all(all.map((thread) => thread.end()));
  return all.length;
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

  rest(): Promise<void> {
    return this.end();
  }
}

/** A worker thread for one operation: what is called after its end or rest fails, whoever has the worker then. */
class LentThread implements Thread {
  readonly #worker: WorkerThread;
  #over: Promise<void> | undefined;

  constructor(worker: WorkerThread) {
    this.#worker = worker;
  }

  get load(): number {
    return this.#over === undefined ? this.#worker.load : 0;
  }

  async call<N extends OperationName>(
    name: N,
    args: Parameters<Operations[N]>,
    transfer?: Transferable[],
  ): Promise<Awaited<ReturnType<Operations[N]>>> {
    if (this.#over !== undefined) throw cancelled();
    return this.#worker.call(name, args, transfer);
  }

  /** Resolves when the thread has really ended; a system call it is in is waited for. */
  end(): Promise<void> {
    return (this.#over ??= this.#worker.end());
  }

  rest(): Promise<void> {
    return (this.#over ??= this.#worker.rest());
  }
}

class WorkerThread {
  #worker: Worker;
  #waiting = new Map<number, Waiting>();
  #nextId = 0;
  #failure: Error | undefined;
  #rested: NodeJS.Timeout | undefined;

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

  async end(): Promise<void> {
    this.takeUp();
    await this.#worker.terminate();
  }

  async rest(): Promise<void> {
    const isFit = this.load === 0 && (await this.call('release', []).catch(() => false));
    if (!isFit || resting.length >= mostResting) return this.end();
    resting.push(this);
    this.#worker.unref();
    this.#rested = setTimeout(() => void this.end(), restMs).unref();
  }

  takeUp(): void {
    if (this.#rested === undefined) return;
    clearTimeout(this.#rested);
    this.#rested = undefined;
    resting.splice(resting.indexOf(this), 1);
    this.#worker.ref();
  }

  #settle(reply: ThreadReply): void {
    const waiting = this.#waiting.get(reply.id);
    this.#waiting.delete(reply.id);
    if ('refusal' in reply) waiting?.reject(forgeError(reply.refusal));
    else waiting?.resolve(reply.result as never);
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.takeUp();
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

/** Threads that live until their `end` or `rest`, which is the caller's to call. */
export function startThreads({ count, where }: Crew): Thread[] {
  return Array.from({ length: count }, () => (where === 'here' ? new CallingThread() : lentThread()));
}

function lentThread(): LentThread {
  const worker = resting.at(-1) ?? new WorkerThread();
  worker.takeUp();
  return new LentThread(worker);
}

/**
 * Runs `work` with `count` threads, or on the calling one. It settles only when every thread rests or has ended, whether `work` returned, threw or
 * `signal` was aborted; then nothing of ours reads or writes any more.
 */
export async function withThreads<T>(
  crew: Crew,
  signal: AbortSignal | undefined,
  work: (threads: Thread[]) => Promise<T>,
): Promise<T> {
  stopIfAborted(signal);
  return useThreads(startThreads(crew), signal, work);
}

/** The same with threads that were started before. */
export async function useThreads<T>(
  threads: Thread[],
  signal: AbortSignal | undefined,
  work: (threads: Thread[]) => Promise<T>,
): Promise<T> {
  const onAbort = (): void => {
    for (const thread of threads) void thread.end();
  };
  signal?.addEventListener('abort', onAbort, { once: true });
  let isGood = false;
  try {
    stopIfAborted(signal);
    const result = await work(threads);
    stopIfAborted(signal);
    isGood = true;
    return result;
  } catch (error) {
    // A thread that was ended only knows that it was: what ended it says why.
    stopIfAborted(signal);
    throw error;
  } finally {
    signal?.removeEventListener('abort', onAbort);
    await Promise.all(threads.map((thread) => (isGood ? thread.rest() : thread.end())));
  }
}

export function stopIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted !== true) return;
  throw signal.reason instanceof Refusal ? forgeError(signal.reason) : cancelled();
}
