import { isForgeError, type ForgeError } from '@tiny-forge/contracts/domain';
import { forgeError } from '../forge-fault.ts';
import { errnoOf } from '../refusal.ts';
import { usage, UsageError } from './parse-command.ts';

export interface Outcome {
  exitCode: number;
  /** For standard error. */
  lines: string[];
}

const refused = 65;
const ioError = 74;
const interrupted = 130;

/** What a failure means to who called: 64 wrong usage, 65 refused, 74 input or output failed, 130 interrupted. */
export function outcomeOf(error: unknown): Outcome {
  if (error instanceof UsageError) return { exitCode: 64, lines: [error.message, '', usage.trimEnd()] };
  // The reader of our output went away: nothing is wrong, and nobody is there to be told.
  if (errnoOf(error) === 'EPIPE') return { exitCode: ioError, lines: [] };
  const fault = isForgeError(error) ? error : forgeError(error);
  if (fault.code === 'CANCELLED') return { exitCode: interrupted, lines: ['interrupted'] };
  const { rule, entry, offset } = fault.params as Record<string, unknown>;
  const line = {
    code: fault.code,
    rule: rule ?? null,
    entry:
      isRefusal(fault) && fault.code === 'ARCHIVE_DAMAGED' && entry === 'the archive file' ? null : (entry ?? null),
    offset: offset ?? null,
    message: fault.message,
    ...(typeof fault.params['paths'] === 'string' && { paths: fault.params['paths'] }),
  };
  return { exitCode: isRefusal(fault) ? refused : ioError, lines: [JSON.stringify(line)] };
}

/** Refused is what another try, or another disk, would not change. */
function isRefusal({ code, params }: ForgeError): boolean {
  if (code === 'IO_ERROR') return ['TARGET', 'TIME', 'KEY'].includes(String(params['rule']));
  if (code === 'INSUFFICIENT_SPACE') return params['rule'] === 'BUDGET';
  return true;
}
