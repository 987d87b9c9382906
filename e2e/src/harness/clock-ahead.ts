import path from 'node:path';
import { fileURLToPath } from 'node:url';

const preload = path.join(path.dirname(fileURLToPath(import.meta.url)), 'clock-ahead.mjs');

export const HOUR_MS = 3_600_000;
export const DAY_MS = 24 * HOUR_MS;

/** For a server that is started as if so much time had passed, ms. Temporal's clock stays: run no operation meanwhile. */
export const clockAhead = (ms: number): Record<string, string> => ({
  NODE_OPTIONS: `--import=${preload}`,
  CLOCK_AHEAD_MS: String(ms),
});
