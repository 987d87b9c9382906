import {
  fchmodSync,
  fchownSync,
  fstatSync,
  futimesSync,
  lchownSync,
  lstatSync,
  lutimesSync,
  type BigIntStats,
} from 'node:fs';
import { escapePath } from './byte-string.ts';
import type { HeaderEntry } from './entry.ts';
import type { NoteTaker } from './note.ts';
import { Refusal } from './refusal.ts';

/** How far an archive is trusted with what it restores, and where what could not be kept is told. */
export interface RestoreRules {
  notes: NoteTaker;
  /** Bits of the mode that are kept: 0o7777, or 0o777 for archives of somebody else. */
  modes: number;
  /** `caller`: everything belongs to who restores; for those who may not give files away. */
  owner: 'archive' | 'caller';
}

/**
 * The half microsecond keeps the double on the right side: libuv truncates it, and rounds `.999999999` up into the next
 * second (nodejs/node#50859).
 */
function seconds(entry: HeaderEntry): number {
  return entry.mtimeSec + (Math.floor(entry.mtimeNs / 1000) + 0.5) / 1e6;
}

/** From 2^33 seconds on a double cannot hold a microsecond: there the next value it can hold is all one can ask for. */
function tolerance(entry: HeaderEntry): bigint {
  return entry.mtimeSec < 2 ** 33 ? 0n : BigInt(Math.ceil((entry.mtimeSec / 2 ** 52) * 1e6)) + 1n;
}

function microseconds(entry: HeaderEntry): bigint {
  return BigInt(entry.mtimeSec) * 1_000_000n + BigInt(Math.floor(entry.mtimeNs / 1000));
}

/** Who new files belong to, but for directories with setgid. */
const own = { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 };

/**
 * Owner, then mode (chown clears the setuid bit), then time; then reads all of it back from the same descriptor. `made` is the
 * mode it was made with: what a new file has already is not set again (a third of the calls of a small file), and still read
 * back; where that shows that it was not so, everything is set.
 * An mtime outside of what the file system can hold is noted; everything else that is not kept is refused.
 *
 * @returns size and number of links
 */
export function applyMetadata(
  fd: number,
  entry: HeaderEntry,
  rules: RestoreRules,
  made?: number,
): { size: number; links: number } {
  const mode = entry.mode & rules.modes;
  const owned = rules.owner === 'caller' || (entry.uid === own.uid && entry.gid === own.gid);
  let stat = made === mode && owned && mode <= 0o777 ? setTime(fd, entry) : undefined;
  if (stat === undefined || !isAsMade(stat, entry, mode)) {
    if (rules.owner === 'archive') fchownSync(fd, entry.uid, entry.gid);
    fchmodSync(fd, mode);
    stat = setTime(fd, entry);
  }
  checkKept(stat, entry, rules);
  if ((Number(stat.mode) & 0o7777) !== mode) throw lost(entry, 'mode');
  return { size: Number(stat.size), links: Number(stat.nlink) };
}

function setTime(fd: number, entry: HeaderEntry): BigIntStats {
  futimesSync(fd, seconds(entry), seconds(entry));
  return fstatSync(fd, { bigint: true });
}

function isAsMade(stat: BigIntStats, entry: HeaderEntry, mode: number): boolean {
  return (Number(stat.mode) & 0o7777) === mode && Number(stat.uid) === entry.uid && Number(stat.gid) === entry.gid;
}

export function applySymlinkMetadata(path: Buffer, entry: HeaderEntry, rules: RestoreRules): void {
  if (rules.owner === 'archive') lchownSync(path, entry.uid, entry.gid);
  lutimesSync(path, seconds(entry), seconds(entry));
  checkKept(lstatSync(path, { bigint: true }), entry, rules);
}

function checkKept(stat: BigIntStats, entry: HeaderEntry, { notes, owner }: RestoreRules): void {
  if (Number(stat.uid) !== entry.uid || Number(stat.gid) !== entry.gid) {
    if (owner === 'archive') throw lost(entry, 'owner');
    notes.add('OWNER_NOT_KEPT', { path: escapePath(entry.path), uid: entry.uid, gid: entry.gid });
  }
  const off = stat.mtimeNs / 1000n - microseconds(entry);
  const limit = tolerance(entry);
  if (off <= limit && off >= -limit) return;
  if (entry.mtimeSec < 2 ** 31) throw lost(entry, 'mtime');
  notes.add('MTIME_NOT_KEPT', { path: escapePath(entry.path) });
}

function lost(entry: HeaderEntry, what: string): Refusal {
  return new Refusal('IO_ERROR', `The file system did not keep the ${what} of an entry`, {
    rule: 'FIDELITY',
    entry: escapePath(entry.path),
    what,
  });
}
