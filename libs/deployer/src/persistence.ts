import type { Clock } from './clock.ts';

const ATTEMPTS = 4;
const FIRST_WAIT_MS = 250;
const LIMIT_MS = 120_000;

/**
 * Repeats an idempotent act with growing waits (250 ms, 500 ms, 1 s), each attempt with a signal of its own that fires after 120 s.
 * @returns null, or the last error
 */
export async function persist(clock: Clock, act: (signal: AbortSignal) => Promise<void>): Promise<Error | null> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await act(AbortSignal.timeout(LIMIT_MS));
      return null;
    } catch (error) {
      if (attempt === ATTEMPTS) return error instanceof Error ? error : new Error(String(error));
      await clock.sleep(FIRST_WAIT_MS * 2 ** (attempt - 1));
    }
  }
}
