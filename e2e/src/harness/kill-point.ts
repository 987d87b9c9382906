import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** Where the server dies by SIGKILL; see kill-switch.mjs. */
export type KillPoint =
  | { readonly journal: string }
  | { readonly bytes: number; readonly path: string }
  | {
      readonly call: readonly string[];
      readonly path: string;
      readonly nth?: number;
      readonly when?: 'before' | 'after';
    };

const preload = path.join(path.dirname(fileURLToPath(import.meta.url)), 'kill-switch.mjs');

export function killEnvironment(point: KillPoint): Record<string, string> {
  return { NODE_OPTIONS: `--import=${preload}`, KILL_AT: JSON.stringify(point) };
}
