import { Worker, type Transferable } from 'node:worker_threads';
import { cancelled, forgeError } from './forge-fault.ts';
import type { ThreadReply, ThreadRequest } from './thread-main.ts';
import type { OperationName, Operations } from './thread-operations.ts';

/** Run from source the thread is source too: Node strips its types. */
const entry = new URL(import.meta.url.endsWith('.ts') ? './thread-main.ts' : './thread-main.js', import.meta.url);

interface Waiting {
  resolve: (value: never) => void;
  reject: (error: unknown) => void;
}

export class Thread {
  #worker: Worker;
  #waiting = new Map<number, Waiting>();
  #nextId = 0;
  #failure: unknown;

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
  ): Promise<ReturnType<Operations[N]>> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== undefined) return reject(this.#failure as Error);
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

  #fail(error: unknown): void {
    this.#failure ??= error;
    for (const waiting of this.#waiting.values()) waiting.reject(this.#failure);
    this.#waiting.clear();
  }
}

/**
 * Runs `work` with `count` threads. It settles only when every thread has ended, whether `work` returned, threw or `signal`
 * was aborted; then nothing of ours reads or writes any more.
 */
export async function withThreads<T>(
  count: number,
  signal: AbortSignal | undefined,
  work: (threads: Thread[]) => Promise<T>,
): Promise<T> {
  stopIfAborted(signal);
  const threads = Array.from({ length: count }, () => new Thread());
  const onAbort = (): void => {
    for (const thread of threads) void thread.end();
  };
  signal?.addEventListener('abort', onAbort, { once: true });
  try {
    const result = await work(threads);
    stopIfAborted(signal);
    return result;
  } finally {
    signal?.removeEventListener('abort', onAbort);
    await Promise.all(threads.map((thread) => thread.end()));
  }
}

function stopIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw cancelled();
}
