import { byteString, escapePath, type ByteString } from './byte-string.ts';
import { maxLinkBytes, noId, pathFault, type EntryType, type HeaderEntry } from './entry.ts';
import { paxInteger, paxTime } from './pax-records.ts';
import { damaged } from './refusal.ts';
import { maxOctalSize } from './tar-header.ts';

/** A header that says something of the entry behind it: PAX records, or a long name or link target as GNU tar writes them. */
export type PrefixType = 'pax' | 'longname' | 'longlink';

export interface RawHeader {
  type: EntryType | PrefixType;
  name: string;
  mode: number;
  uid: number;
  gid: number;
  size: number;
  mtime: number;
  link: string;
}

/** What came before an entry's header and belongs to it. */
export interface Prefixes {
  pax?: Map<string, Buffer>;
  longname?: ByteString;
  longlink?: ByteString;
}

/** Which headers a parser takes and what it makes of them. */
export interface TarDialect {
  /** One block that is not all zero. */
  parseHeader(block: Buffer): RawHeader;
  paxKeys: ReadonlySet<string>;
  merge(raw: RawHeader, type: EntryType, prefixes: Prefixes): HeaderEntry;
  /** Whether every header must be byte for byte what our writer makes of its entry. */
  canonical: boolean;
  /** Zero bytes that may follow the two zero blocks at the end. */
  maxTailBytes: number;
}

export function paxText(pax: Map<string, Buffer> | undefined, key: string): ByteString | undefined {
  const value = pax?.get(key);
  return value === undefined ? undefined : byteString(value);
}

/** Rule H10: the two places agree, or the short one is 0 because the value does not fit. */
export function mergeSize(pax: Map<string, Buffer> | undefined, field: number): number {
  const value = pax?.get('size');
  if (value === undefined) return field;
  const size = paxInteger(value);
  if (field !== size && (field !== 0 || size <= maxOctalSize)) {
    throw damaged('SIZE_CONFLICT', 'A PAX size contradicts its header');
  }
  return size;
}

export function mergeTime(
  pax: Map<string, Buffer> | undefined,
  field: number,
): { seconds: number; nanoseconds: number } {
  const value = pax?.get('mtime');
  return value === undefined ? { seconds: field, nanoseconds: 0 } : paxTime(value);
}

export function checkPath(path: ByteString): void {
  const fault = pathFault(path);
  if (fault !== undefined) {
    throw damaged('PATH', `An entry has a path that is not allowed: ${fault}`, { entry: escapePath(path) });
  }
}

export function checkOwner(path: ByteString, uid: number, gid: number): void {
  if (uid >= noId || gid >= noId) throw damaged('NUM', 'An owner is not a valid number', { entry: escapePath(path) });
}

/** Rule H5. */
export function checkSize(path: ByteString, type: EntryType, size: number): void {
  if (type !== 'file' && size !== 0)
    throw damaged('HDR', 'An entry that is no file has a size', { entry: escapePath(path) });
}

export function checkLink(path: ByteString, type: EntryType, link: ByteString): void {
  const isLink = type === 'symlink' || type === 'hardlink';
  if (!isLink && link !== '')
    throw damaged('HDR', 'An entry that is no link has a target', { entry: escapePath(path) });
  if (!isLink) return;
  if (link === '' || link.length > maxLinkBytes || link.includes('\0'))
    throw damaged('LINK', 'A link target is not allowed', { entry: escapePath(path) });
  if (type === 'hardlink' && pathFault(link) !== undefined) {
    throw damaged('LINK', 'A hardlink does not name a path of the archive', { entry: escapePath(path) });
  }
}
