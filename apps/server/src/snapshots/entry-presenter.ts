import { escapeName, type ArchiveEntry } from '@tiny-forge/archive-safe';
import type { SnapshotEntry } from '@tiny-forge/contracts/domain';

/** Longest escaped form of 4,096 bytes. */
const WHOLE = 8 * 4096;

/** An entry of an index as the API tells it; names are bytes, see `snapshotEntry` of the contract. */
export function presentEntry(entry: ArchiveEntry): SnapshotEntry {
  const { path, link, type, size, mode, uid, gid, sha256 } = entry;
  const text = path.toString('utf8');
  return {
    name: escapeName(path.subarray(path.lastIndexOf('/') + 1), WHOLE),
    path: Buffer.from(text, 'utf8').equals(path) ? text : null,
    path64: path.toString('base64url'),
    type,
    size,
    mode,
    uid,
    gid,
    mtime: timeOf(entry.mtime),
    link: link === null ? null : escapeName(link, WHOLE),
    link64: link === null ? null : link.toString('base64url'),
    sha256,
  };
}

const LAST_SECOND = 253_402_300_799;

/** RFC 3339 of seconds with decimals; null where a year of four digits cannot say it. */
function timeOf(seconds: string): string | null {
  const [whole = '', fraction = ''] = seconds.split('.');
  if (Number(whole) > LAST_SECOND) return null;
  const text = new Date(Number(whole) * 1000).toISOString().slice(0, -5);
  return `${text}${fraction === '' ? '' : `.${fraction}`}Z`;
}
