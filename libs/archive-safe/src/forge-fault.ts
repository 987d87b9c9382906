import { ForgeError, isForgeError } from '@tiny-forge/contracts/domain';
import { plainRefusal, Refusal, type PlainRefusal } from './refusal.ts';

function isPlain(error: unknown): error is PlainRefusal {
  return typeof error === 'object' && error !== null && 'details' in error && !(error instanceof Refusal);
}

/** Whatever was thrown as the one error class of the product, with the parameters its catalogue's sentences name. */
export function forgeError(error: unknown): ForgeError {
  if (isForgeError(error)) return error;
  const plain = isPlain(error) ? error : plainRefusal(error);
  const params = Object.fromEntries(
    Object.entries(plain.details).map(([key, value]) => [key, Array.isArray(value) ? value.join(', ') : value]),
  );
  const extra: Record<string, string> = { why: plain.message };
  if (plain.code === 'ARCHIVE_DAMAGED') extra['entry'] = 'the archive file';
  if (plain.code === 'IO_ERROR') {
    extra['call'] = String(params['syscall'] ?? 'archive');
    extra['path'] = String(params['entry'] ?? 'a file');
  }
  return new ForgeError({
    code: plain.code,
    params: { ...extra, ...params },
    message: plain.message,
    ...(isPlain(error) || error instanceof Refusal ? {} : { cause: error }),
  });
}

export function cancelled(): ForgeError {
  return new ForgeError({ code: 'CANCELLED' });
}
