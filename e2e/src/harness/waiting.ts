import { setTimeout as sleep } from 'node:timers/promises';

export { sleep };

/**
 * Asks until the answer is neither null nor false nor an error.
 * @param timeoutMs milliseconds; on expiry the last error or answer is in the message
 */
export async function eventually<T>(
  what: string,
  ask: () => Promise<T | null | false> | T | null | false,
  { timeoutMs = 30_000, intervalMs = 100 } = {},
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  let last: unknown = null;
  for (;;) {
    try {
      const answer = await ask();
      if (answer !== null && answer !== false) return answer;
      last = answer;
    } catch (error) {
      last = error;
    }
    if (performance.now() > deadline) {
      throw new Error(
        `${what}: not within ${timeoutMs} ms (last: ${last instanceof Error ? last.message : String(last)})`,
        {
          cause: last,
        },
      );
    }
    await sleep(intervalMs);
  }
}
