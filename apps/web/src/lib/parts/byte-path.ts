import { visible } from '../i18n/visible.ts';

/** Names in a snapshot are bytes; addresses of this app carry them as text where they are UTF-8, else as base64url. */

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const SLASH = 0x2f;

export interface Place {
  readonly volume: number;
  /** From the volume's root; empty: the root. */
  readonly path: Uint8Array;
}

export function fromBase64url(text: string): Uint8Array {
  const binary = atob(text.replaceAll('-', '+').replaceAll('_', '/'));
  return Uint8Array.from(binary, (character) => character.charCodeAt(0));
}

export function toBase64url(bytes: Uint8Array): string {
  const binary = Array.from(bytes, (byte) => String.fromCharCode(byte)).join('');
  return btoa(binary).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '');
}

/** The text of a name that is UTF-8; null: it is not. */
export function textOf(bytes: Uint8Array): string | null {
  try {
    return strict.decode(bytes);
  } catch {
    return null;
  }
}

/** As the server shows names: what cannot be seen is escaped. */
export function shownName(bytes: Uint8Array): string {
  const text = textOf(bytes);
  if (text !== null) return visible(text.replaceAll('\\', '\\\\'));
  return Array.from(bytes, (byte) =>
    byte === 0x5c
      ? '\\\\'
      : byte >= 0x20 && byte < 0x7f
        ? String.fromCharCode(byte)
        : `\\x${byte.toString(16).padStart(2, '0')}`,
  ).join('');
}

/** Every folder on the way, from the first below the root to the place itself. */
export function steps(path: Uint8Array): { readonly name: Uint8Array; readonly path: Uint8Array }[] {
  const found: { name: Uint8Array; path: Uint8Array }[] = [];
  let start = 0;
  for (let at = 0; at <= path.length; at++) {
    if (at < path.length && path[at] !== SLASH) continue;
    if (at > start) found.push({ name: path.subarray(start, at), path: path.subarray(0, at) });
    start = at + 1;
  }
  return found;
}

/** `volume=0&path=sub/dir`, or with `path64`; for our own addresses and for the server's. */
export function placeQuery({ volume, path }: Place): string {
  const query = new URLSearchParams({ volume: String(volume) });
  const text = textOf(path);
  if (text === null) query.set('path64', toBase64url(path));
  else if (text !== '') query.set('path', text);
  return query.toString().replaceAll('%2F', '/');
}

/** What an address says; null: it names no place. */
export function placeOf(query: Pick<URLSearchParams, 'get'>): Place | null {
  const volume = Number(query.get('volume') ?? 'none');
  if (!Number.isInteger(volume) || volume < 0) return null;
  const path64 = query.get('path64');
  try {
    const path = path64 === null ? new TextEncoder().encode(query.get('path') ?? '') : fromBase64url(path64);
    return { volume, path };
  } catch {
    return null;
  }
}

const RIGHTS = ['---', '--x', '-w-', '-wx', 'r--', 'r-x', 'rw-', 'rwx'];

/** `rwxr-xr-x`, with s, S, t and T as `ls` has them. */
export function rightsText(mode: number): string {
  const parts = [6, 3, 0].map((shift) => [...(RIGHTS[(mode >> shift) & 7] ?? '---')]);
  const special: readonly [bit: number, part: number, set: string, unset: string][] = [
    [0o4000, 0, 's', 'S'],
    [0o2000, 1, 's', 'S'],
    [0o1000, 2, 't', 'T'],
  ];
  for (const [bit, part, set, unset] of special) {
    const letters = parts[part];
    if ((mode & bit) !== 0 && letters !== undefined) letters[2] = letters[2] === 'x' ? set : unset;
  }
  return parts.map((letters) => letters.join('')).join('');
}
