import { ForgeError, isForgeError } from '@tiny-forge/contracts/domain';
import type { FsPort } from './fs-port.ts';

export const errnoOf = (error: unknown): string | null => {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' && /^E[A-Z0-9]+$/.test(code) ? code : null;
};

/** The product's error for a file-system error: INSUFFICIENT_SPACE for a full disk, else IO_ERROR. Passes errors of ours through. */
export function asForgeError(error: unknown, call: string, path: string): ForgeError {
  if (isForgeError(error)) return error;
  const code = errnoOf(error);
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new ForgeError({
      code: 'INSUFFICIENT_SPACE',
      params: { mount: path, need: 'more', free: code === 'EDQUOT' ? 'no quota' : 'none' },
      cause: error,
    });
  if ((error as Error | null)?.name === 'AbortError') return new ForgeError({ code: 'CANCELLED', cause: error });
  if (code === null) return new ForgeError({ code: 'INTERNAL', params: { reportId: 'in the log' }, cause: error });
  return new ForgeError({
    code: 'IO_ERROR',
    params: { call, path, why: code },
    cause: error,
  });
}

/** The same port, every error turned into one of ours that names call and path. */
export async function naming<T>(call: string, path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw asForgeError(error, call, path);
  }
}

/** Fsyncs each directory once, in order. */
export async function syncDirectories(fs: FsPort, paths: Iterable<string>): Promise<void> {
  for (const path of new Set(paths)) await naming('fsync', path, () => fs.syncDirectory(path));
}
