import { RequestError } from '../http/problem.ts';

/** Bytes `start` to `end` (exclusive); null: all of it. */
export type ByteRange = { readonly start: number; readonly end: number } | null;

/**
 * What a `Range` header asks for (RFC 9110 14). One range of bytes is answered; several, other units and malformed ones are ignored, which the
 * RFC allows, and all of the file is sent.
 * @throws RANGE_NOT_SATISFIABLE for a range that begins behind the last byte
 */
export function rangeOf(header: string | undefined, size: number): ByteRange {
  const found = /^\s*bytes\s*=\s*(?:(\d+)\s*-\s*(\d*)|-\s*(\d+))\s*$/i.exec(header ?? '');
  if (!found) return null;
  const [, first, last, suffix] = found;
  if (suffix !== undefined) {
    if (Number(suffix) === 0 || size === 0) throw notSatisfiable(size);
    return { start: Math.max(0, size - Number(suffix)), end: size };
  }
  const start = Number(first);
  if (last !== '' && Number(last) < start) return null;
  if (start >= size) throw notSatisfiable(size);
  return { start, end: last === '' ? size : Math.min(size, Number(last) + 1) };
}

const notSatisfiable = (size: number): RequestError => new RequestError('RANGE_NOT_SATISFIABLE', { size });

const unsafeInName = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Co}\p{Cn}"\\/:*?<>|%]/gu;

/**
 * `Content-Disposition: attachment` (RFC 6266, RFC 8187) for a name of any bytes. What could mislead a person or a shell about where the file
 * goes or what it is (control and direction characters, separators, bytes that are not UTF-8) becomes `_`.
 */
export function attachment(name: Buffer): string {
  const shown = name.toString('utf8').replaceAll('\ufffd', '_').replace(unsafeInName, '_');
  const safe = /^\.*$/.test(shown) ? shown.replaceAll('.', '_') || '_' : shown;
  const ascii = safe.replace(/[^\x20-\x7e]/gu, '_');
  const header = `attachment; filename="${ascii}"`;
  return ascii === safe ? header : `${header}; filename*=UTF-8''${percentEncoded(safe)}`;
}

/** RFC 8187: of ASCII only attr-char stays. */
const percentEncoded = (text: string): string =>
  encodeURIComponent(text).replace(/['()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
