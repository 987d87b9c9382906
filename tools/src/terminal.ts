import { duration } from '../bootstrap.mjs';
import { isProvisionError, type Failure } from './provision-error.ts';

const PART_WIDTH = 10;
const HEARTBEAT_MS = 20_000;

/** What a person reads while the commands work: one short aligned line per fact, `part  text`. */
export interface Terminal {
  /** @param part at most ten characters; empty continues the part above */
  say(part: string, text: string): void;
  /** A line of its own without a part. */
  print(text: string): void;
  problem(text: string): void;
  /** Says every 20 s that `what` still goes on, until `work` has ended. */
  during<T>(what: string, work: Promise<T>): Promise<T>;
}

export function createTerminal(out: (text: string) => void, err: (text: string) => void): Terminal {
  return {
    say: (part, text) => out(`  ${part.padEnd(PART_WIDTH)} ${text}\n`),
    print: (text) => out(`${text}\n`),
    problem: (text) => err(`${text}\n`),
    async during(what, work) {
      const started = Date.now();
      const heartbeat = setInterval(() => {
        out(`  ${''.padEnd(PART_WIDTH)} still ${what}, ${duration(Date.now() - started)}\n`);
      }, HEARTBEAT_MS);
      try {
        return await work;
      } finally {
        clearInterval(heartbeat);
      }
    },
  };
}

/** The terminal of this process. */
export const terminal: Terminal = createTerminal(
  (text) => void process.stdout.write(text),
  (text) => void process.stderr.write(text),
);

/** Everything on stderr: for commands whose stdout is an answer. */
export const quietTerminal: Terminal = createTerminal(
  (text) => void process.stderr.write(text),
  (text) => void process.stderr.write(text),
);

/**
 * What failed, why, and what cures it.
 * @param headline for example `Tiny Forge did not start`
 * @param again the command to repeat afterwards
 */
export function formatFailure(headline: string, failure: Failure, again: string): string {
  const lines = [`\n${headline}: ${failure.what}.`, `  ${'why'.padEnd(PART_WIDTH)} ${failure.why}`];
  failure.getIt.forEach((command, at) => lines.push(`  ${(at === 0 ? 'do' : 'or').padEnd(PART_WIDTH)} ${command}`));
  lines.push(`  ${'then'.padEnd(PART_WIDTH)} ${again}`);
  if (failure.log !== undefined && failure.log.length > 0) {
    lines.push(`  ${'log'.padEnd(PART_WIDTH)} last lines:`, ...failure.log.map((line) => `    ${line}`));
  }
  return lines.join('\n');
}

/** Shows an expected failure in full and lets any other error pass, stack included: that one is ours to mend. */
export function reportFailure(headline: string, error: unknown, again: string, to: Terminal = terminal): void {
  if (!isProvisionError(error)) throw error;
  to.problem(formatFailure(headline, error.failure, again));
}
