import { parentPort } from 'node:worker_threads';
import { plainRefusal, type PlainRefusal } from './refusal.ts';
import { createOperations, type OperationName } from './thread-operations.ts';

export interface ThreadRequest {
  id: number;
  name: OperationName;
  args: unknown[];
}

export type ThreadReply = { id: number; result: unknown } | { id: number; refusal: PlainRefusal };

/** Buffers in a result change hands instead of being copied. */
function transferables(result: unknown): ArrayBuffer[] {
  if (typeof result !== 'object' || result === null) return [];
  const found = new Set<ArrayBuffer>();
  for (const value of Object.values(result as Record<string, unknown>)) {
    if (value instanceof ArrayBuffer) found.add(value);
    else if (ArrayBuffer.isView(value) && value.buffer instanceof ArrayBuffer && value.byteLength > Buffer.poolSize) {
      found.add(value.buffer);
    }
  }
  return [...found];
}

const table = createOperations() as unknown as Record<OperationName, (this: void, ...args: unknown[]) => unknown>;

parentPort?.on('message', (request: ThreadRequest) => void answer(request));

async function answer({ id, name, args }: ThreadRequest): Promise<void> {
  try {
    const result = await table[name](...args);
    parentPort?.postMessage({ id, result } satisfies ThreadReply, transferables(result));
  } catch (error) {
    parentPort?.postMessage({ id, refusal: plainRefusal(error) } satisfies ThreadReply);
  }
}
