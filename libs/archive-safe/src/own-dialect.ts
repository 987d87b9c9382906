import type { ByteString } from './byte-string.ts';
import { escapePath } from './byte-string.ts';
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
import { parseHeaderBlock } from './tar-fields.ts';

/** Our own archives: whatever the writer would not produce is refused. */
export const ownDialect: TarDialect = {
  parseHeader: parseHeaderBlock,
  paxKeys,
  merge: mergeEntry,
  canonical: true,
  maxTailBytes: 0,
};

function mergeEntry(raw: RawHeader, type: EntryType, { pax }: Prefixes): HeaderEntry {
  const wire = paxText(pax, 'path') ?? raw.name;
  const slash = wire.endsWith('/');
  if (slash !== (type === 'directory')) {
    throw damaged(slash ? 'HDR' : 'PATH', 'Only directories end in a slash, and all of them do', {
      entry: escapePath(wire),
    });
  }
  const path: ByteString = slash ? wire.slice(0, -1) : wire;
  checkPath(path);
  const size = mergeSize(pax, raw.size);
  checkSize(path, type, size);
  const link = paxText(pax, 'linkpath') ?? raw.link;
  checkLink(path, type, link);
  const time = mergeTime(pax, raw.mtime);
  const uid = mergeOwner(pax, 'uid', raw.uid);
  const gid = mergeOwner(pax, 'gid', raw.gid);
  checkOwner(path, uid, gid);
  if (raw.mode > 0o7777) throw damaged('NUM', 'A mode has more than twelve bits', { entry: escapePath(path) });
  return { path, type, mode: raw.mode, uid, gid, mtimeSec: time.seconds, mtimeNs: time.nanoseconds, size, link };
}

function mergeOwner(pax: Map<string, Buffer> | undefined, key: string, field: number): number {
  const value = pax?.get(key);
  if (value === undefined) return field;
  const number = paxInteger(value);
  if (field !== number && field !== 0) throw damaged('NUM', 'A PAX owner contradicts its header');
  return number;
}
