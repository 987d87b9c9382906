import { escapePath, type ByteString } from './byte-string.ts';
import type { EntryType, HeaderEntry } from './entry.ts';
import { paxInteger, paxKeys } from './pax-records.ts';
import { damaged } from './refusal.ts';
import {
  checkLink,
  checkOwner,
  checkPath,
  checkSize,
  mergeSize,
  mergeTime,
  paxText,
  type Prefixes,
  type RawHeader,
  type TarDialect,
} from './tar-dialect.ts';
import { parseImportedBlock } from './tar-fields.ts';

/** Rule H7: more than the 10,240 bytes of a record, because records may be of other sizes. */
const maxTailBytes = 1 << 20;

/**
 * Plain tars of other writers, GNU tar first of all. Relaxed is only what those need: GNU magic, long names and targets,
 * names of owners (ignored), times of access and change (ignored), modes above nine bits (cut off), zeros after the end.
 */
export const importDialect: TarDialect = {
  parseHeader: parseImportedBlock,
  paxKeys: new Set([...paxKeys, 'atime', 'ctime', 'uname', 'gname']),
  merge: mergeEntry,
  canonical: false,
  maxTailBytes,
};

/** `path` is empty for `./`, the root of the tree. */
function mergeEntry(raw: RawHeader, type: EntryType, { pax, longname, longlink }: Prefixes): HeaderEntry {
  for (const key of ['atime', 'ctime']) checkIgnoredTime(pax?.get(key));
  const wire = longname ?? paxText(pax, 'path') ?? raw.name;
  const dotted = wire.startsWith('./');
  const short = dotted ? wire.slice(2) : wire;
  const slash = short.endsWith('/');
  if ((slash || short === '') && type !== 'directory') {
    throw damaged(slash ? 'HDR' : 'PATH', 'Only a directory may end in a slash', { entry: escapePath(wire) });
  }
  const path = slash ? short.slice(0, -1) : short;
  if (path !== '' || !dotted || slash) checkPath(path);
  const size = mergeSize(pax, raw.size);
  checkSize(path, type, size);
  // bsdtar goes by the header: a link without a target there has none, whatever comes before it.
  if ((type === 'symlink' || type === 'hardlink') && raw.link === '') {
    throw damaged('LINK', 'A link has no target in its header', { entry: escapePath(path) });
  }
  const target = longlink ?? paxText(pax, 'linkpath') ?? raw.link;
  const link = type === 'hardlink' ? archivePath(target, dotted, path) : target;
  checkLink(path, type, link);
  const time = mergeTime(pax, raw.mtime);
  // What a writer puts into the short field of an owner that does not fit is its own choice.
  const uid = mergeOwner(pax?.get('uid'), raw.uid);
  const gid = mergeOwner(pax?.get('gid'), raw.gid);
  checkOwner(path, uid, gid);
  const mode = raw.mode & 0o7777;
  return { path, type, mode, uid, gid, mtimeSec: time.seconds, mtimeNs: time.nanoseconds, size, link };
}

/** A hardlink names its target as the archive names its entries: with `./` before it, or without. */
function archivePath(target: ByteString, dotted: boolean, path: ByteString): ByteString {
  if (target.startsWith('./') !== dotted) {
    throw damaged('LINK', 'A hardlink does not name a path as the archive names it', { entry: escapePath(path) });
  }
  return dotted ? target.slice(2) : target;
}

function mergeOwner(value: Buffer | undefined, field: number): number {
  return value === undefined ? field : paxInteger(value);
}

function checkIgnoredTime(value: Buffer | undefined): void {
  if (value !== undefined && !/^-?[0-9]{1,12}(?:\.[0-9]{1,9})?$/.test(value.toString('latin1'))) {
    throw damaged('NUM', 'A PAX time is not seconds with an optional fraction');
  }
}
