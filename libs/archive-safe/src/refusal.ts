import { types } from 'node:util';
import { escapePath, type ByteString } from './byte-string.ts';

export type RefusalCode =
  'ARCHIVE_DAMAGED' | 'ARCHIVE_TAMPERED' | 'INSUFFICIENT_SPACE' | 'VOLUME_NOT_CAPTURABLE' | 'IO_ERROR' | 'CANCELLED';

export type RefusalDetails = Record<string, string | number | boolean | string[]>;

/**
 * The error of everything that runs inside a worker thread, where only erasable TypeScript and Node built-ins are loaded.
 * `rule` is the name of the rule of docs/archive-format.md that was broken; names in `details` are already escaped.
 */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly code: RefusalCode;
  readonly details: RefusalDetails;

  constructor(code: RefusalCode, message: string, details: RefusalDetails = {}, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.details = details;
  }
}

export function damaged(rule: string, message: string, details: RefusalDetails = {}): Refusal {
  return new Refusal('ARCHIVE_DAMAGED', message, { rule, ...details });
}

export interface PlainRefusal {
  code: RefusalCode;
  message: string;
  details: RefusalDetails;
}

interface SystemError extends Error {
  code?: string;
  syscall?: string;
}

/** Not `instanceof`: errors of Node's own calls belong to another realm where the caller runs in a vm context. */
function isError(error: unknown): error is SystemError {
  return types.isNativeError(error);
}

const fullDisk = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);

export function errnoOf(error: unknown): string | undefined {
  return isError(error) ? error.code : undefined;
}

/** The same failure with the entry it happened at; a refusal that names one already keeps it. */
export function located(error: unknown, path: ByteString): Refusal {
  const { code, message, details } = plainRefusal(error);
  return new Refusal(code, message, { entry: escapePath(path), ...details }, error);
}

/** Any thrown value as data that crosses a thread border. System errors lose their path: it may hold a raw name. */
export function plainRefusal(error: unknown): PlainRefusal {
  if (error instanceof Refusal) return { code: error.code, message: error.message, details: error.details };
  const { code, syscall } = isError(error) ? error : {};
  if (code !== undefined && fullDisk.has(code)) {
    return {
      code: 'INSUFFICIENT_SPACE',
      message: 'No space is left on the file system',
      details: { errno: code, mount: 'The file system', need: 'more', free: 0 },
    };
  }
  if (code !== undefined && syscall !== undefined) {
    return { code: 'IO_ERROR', message: `${syscall} failed with ${code}`, details: { errno: code, syscall } };
  }
  const text = isError(error) ? `${error.name}: ${error.message}` : 'unknown error';
  return {
    code: 'IO_ERROR',
    message: `Unexpected failure in the archive library: ${text}`,
    details: { unexpected: true },
  };
}
