import { bytesOf } from './byte-string.ts';
import type { EntryType, HeaderEntry } from './entry.ts';
import { encodePax } from './pax-records.ts';

export const blockSize = 512;
export const maxOctalSize = 0o77777777777;
const maxOctalId = 0o7777777;

export const typeFlags: Record<EntryType, string> = { file: '0', hardlink: '1', symlink: '2', directory: '5' };

export function paddingOf(size: number): number {
  return (blockSize - (size % blockSize)) % blockSize;
}

/** Octal digits and a NUL. Digit by digit: this runs for every field of every entry, and a string for each is half of its time. */
function writeOctal(block: Buffer, offset: number, width: number, value: number): void {
  let rest = value;
  for (let i = offset + width - 2; i >= offset; i--) {
    block[i] = 0x30 + (rest % 8);
    rest = Math.floor(rest / 8);
  }
  block[offset + width - 1] = 0;
}

/** Of the 512 bytes at `at`: the unsigned sum, its own field counted as spaces. */
export function writeChecksum(block: Buffer, at = 0): void {
  let sum = 8 * 0x20;
  for (let i = at; i < at + 148; i++) sum += block[i] as number;
  for (let i = at + 156; i < at + blockSize; i++) sum += block[i] as number;
  writeOctal(block, at + 148, 7, sum);
  block[at + 155] = 0x20;
}

interface NameFields {
  name: string;
  prefix: string;
  whole: boolean;
}

function splitName(wire: string): NameFields {
  if (wire.length <= 100) return { name: wire, prefix: '', whole: true };
  for (let cut = Math.min(155, wire.length - 2); cut > 0 && wire.length - cut - 1 <= 100; cut--) {
    if (wire[cut] === '/') return { name: wire.slice(cut + 1), prefix: wire.slice(0, cut), whole: true };
  }
  return { name: wire.slice(0, 100).replace(/\/+$/, ''), prefix: '', whole: false };
}

function writeBlock(
  out: Buffer,
  at: number,
  { name, prefix }: NameFields,
  flag: string,
  mode: number,
  { uid, gid, size, mtimeSec, link }: Pick<HeaderEntry, 'uid' | 'gid' | 'size' | 'mtimeSec' | 'link'>,
): void {
  out.fill(0, at, at + blockSize);
  out.write(name, at, 100, 'latin1');
  writeOctal(out, at + 100, 8, mode);
  writeOctal(out, at + 108, 8, uid <= maxOctalId ? uid : 0);
  writeOctal(out, at + 116, 8, gid <= maxOctalId ? gid : 0);
  writeOctal(out, at + 124, 12, size <= maxOctalSize ? size : 0);
  writeOctal(out, at + 136, 12, mtimeSec <= maxOctalSize ? mtimeSec : 0);
  out.write(flag, at + 156, 1, 'latin1');
  if (link !== '') out.write(link, at + 157, 100, 'latin1');
  out.write('ustar\x0000', at + 257, 8, 'latin1');
  writeOctal(out, at + 329, 8, 0);
  writeOctal(out, at + 337, 8, 0);
  if (prefix !== '') out.write(prefix, at + 345, 155, 'latin1');
  writeChecksum(out, at);
}

/** Text of an mtime: seconds, and a fraction of nine digits unless it is zero. */
export function mtimeText(seconds: number, nanoseconds: number): string {
  return nanoseconds === 0 ? `${seconds}` : `${seconds}.${nanoseconds.toString().padStart(9, '0')}`;
}

const paxName: NameFields = { name: 'PaxHeader', prefix: '', whole: true };
const paxFields = { uid: 0, gid: 0, mtimeSec: 0, link: '' };

/** What of an entry does not fit its header, or undefined. */
function paxBody(entry: HeaderEntry, name: NameFields, wire: string): Buffer | undefined {
  const records: [string, Buffer][] = [];
  if (!name.whole) records.push(['path', bytesOf(wire)]);
  if (entry.link.length > 100) records.push(['linkpath', bytesOf(entry.link)]);
  if (entry.size > maxOctalSize) records.push(['size', Buffer.from(`${entry.size}`)]);
  if (entry.uid > maxOctalId) records.push(['uid', Buffer.from(`${entry.uid}`)]);
  if (entry.gid > maxOctalId) records.push(['gid', Buffer.from(`${entry.gid}`)]);
  const timed = entry.mtimeNs !== 0 || entry.mtimeSec > maxOctalSize;
  if (timed && records.length === 0) return timeRecord(entry);
  if (timed) records.push(['mtime', Buffer.from(mtimeText(entry.mtimeSec, entry.mtimeNs))]);
  return records.length === 0 ? undefined : encodePax(records);
}

/** The one record that nearly every entry has. */
function timeRecord({ mtimeSec, mtimeNs }: HeaderEntry): Buffer {
  const text = `mtime=${mtimeText(mtimeSec, mtimeNs)}\n`;
  // Two digits and a space: such a record never has 100 bytes.
  return Buffer.from(`${text.length + 3} ${text}`, 'latin1');
}

const paxBlocks = new Map<number, Buffer>();

/** The header before PAX records of that size: it depends on nothing else. */
function paxBlock(size: number): Buffer {
  let made = paxBlocks.get(size);
  if (made === undefined) {
    made = Buffer.alloc(blockSize);
    writeBlock(made, 0, paxName, 'x', 0o644, { ...paxFields, size });
    if (paxBlocks.size < 100) paxBlocks.set(size, made);
  }
  return made;
}

/** Longest header there can be: two blocks, and records of a path, a link target and four numbers. */
export const maxHeaderBytes = 16 << 10;

/**
 * Writes the header blocks of one entry: one ustar block, after a PAX header and its records where a value does not fit.
 * One entry has exactly one encoding, and the strict reader accepts no other. `out` must have room for `maxHeaderBytes`, or for
 * what `headerBytes` says.
 *
 * @returns the offset behind it
 */
export function writeHeader(entry: HeaderEntry, out: Buffer, start: number): number {
  const wire = entry.type === 'directory' ? `${entry.path}/` : entry.path;
  const name = splitName(wire);
  const body = paxBody(entry, name, wire);
  let at = start;
  if (body !== undefined) {
    paxBlock(body.length).copy(out, at);
    at += blockSize;
    body.copy(out, at);
    out.fill(0, at + body.length, at + body.length + paddingOf(body.length));
    at += body.length + paddingOf(body.length);
  }
  writeBlock(out, at, name, typeFlags[entry.type], entry.mode, entry);
  return at + blockSize;
}

/** The same as a buffer of its own. */
export function encodeHeader(entry: HeaderEntry): Buffer {
  return Buffer.from(scratch.subarray(0, writeHeader(entry, scratch, 0)));
}

const scratch = Buffer.allocUnsafeSlow(maxHeaderBytes);
