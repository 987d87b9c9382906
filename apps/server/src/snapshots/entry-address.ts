import type { EntryAddress } from '@tiny-forge/archive-safe';
import { validationFailed } from '../http/problem.ts';

export interface PlaceQuery {
  readonly volume: number;
  readonly path?: string | undefined;
  readonly path64?: string | undefined;
}

const MAX_PATH_BYTES = 4096;

/** Where a query points. @throws VALIDATION_FAILED for what can be no path in a volume */
export function addressOf({ volume, path, path64 }: PlaceQuery): EntryAddress {
  if (path !== undefined && path64 !== undefined) throw refused('path64', 'give path or path64, not both');
  const field = path64 === undefined ? 'path' : 'path64';
  const bytes = path64 === undefined ? Buffer.from(path ?? '', 'utf8') : fromBase64url(path64);
  const fault = bytes === null ? 'not base64url' : faultOf(bytes);
  if (bytes === null || fault !== null) throw refused(field, fault ?? '');
  return { volume, path: bytes };
}

const refused = (field: string, message: string): Error => validationFailed([{ path: `query.${field}`, message }]);

/** Strict: one text for one sequence of bytes. */
export function fromBase64url(text: string): Buffer | null {
  const bytes = Buffer.from(text, 'base64url');
  return bytes.toString('base64url') === text ? bytes : null;
}

function faultOf(bytes: Buffer): string | null {
  if (bytes.length === 0) return null;
  if (bytes.length > MAX_PATH_BYTES) return 'longer than 4096 bytes';
  if (bytes.includes(0)) return 'holds a NUL';
  const names = bytes.toString('latin1').split('/');
  if (names.includes('')) return 'no slash at its ends, none doubled';
  if (names.includes('.') || names.includes('..')) return 'no . and no ..';
  return null;
}
