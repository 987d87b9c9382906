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

export function writeOctal(block: Buffer, offset: number, width: number, value: number): void {
  block.write(value.toString(8).padStart(width - 1, '0') + '\0', offset, width, 'latin1');
}

export function writeChecksum(block: Buffer): void {
  block.fill(0x20, 148, 156);
  let sum = 0;
  for (let i = 0; i < blockSize; i++) sum += block[i] as number;
  block.write(sum.toString(8).padStart(6, '0') + '\0 ', 148, 8, 'latin1');
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

function block(name: NameFields, flag: string, mode: number, fields: Partial<HeaderEntry>): Buffer {
  const header = Buffer.alloc(blockSize);
  const fitting = (value: number | undefined, limit: number): number => {
    const number = value ?? 0;
    return number <= limit ? number : 0;
  };
  header.write(name.name, 0, 100, 'latin1');
  writeOctal(header, 100, 8, mode);
  writeOctal(header, 108, 8, fitting(fields.uid, maxOctalId));
  writeOctal(header, 116, 8, fitting(fields.gid, maxOctalId));
  writeOctal(header, 124, 12, fitting(fields.size, maxOctalSize));
  writeOctal(header, 136, 12, fitting(fields.mtimeSec, maxOctalSize));
  header.write(flag, 156, 1, 'latin1');
  header.write((fields.link ?? '').slice(0, 100), 157, 100, 'latin1');
  header.write('ustar\x0000', 257, 8, 'latin1');
  writeOctal(header, 329, 8, 0);
  writeOctal(header, 337, 8, 0);
  header.write(name.prefix, 345, 155, 'latin1');
  writeChecksum(header);
  return header;
}

/** Text of an mtime: seconds, and a fraction of nine digits unless it is zero. */
export function mtimeText(seconds: number, nanoseconds: number): string {
  return nanoseconds === 0 ? `${seconds}` : `${seconds}.${nanoseconds.toString().padStart(9, '0')}`;
}

/**
 * The header blocks of one entry: one ustar block, after a PAX header and its records where a value does not fit.
 * One entry has exactly one encoding, and the strict reader accepts no other.
 */
export function encodeHeader(entry: HeaderEntry): Buffer {
  const wire = entry.type === 'directory' ? `${entry.path}/` : entry.path;
  const name = splitName(wire);
  const records: [string, Buffer][] = [];
  if (!name.whole) records.push(['path', bytesOf(wire)]);
  if (entry.link.length > 100) records.push(['linkpath', bytesOf(entry.link)]);
  if (entry.size > maxOctalSize) records.push(['size', Buffer.from(`${entry.size}`)]);
  if (entry.uid > maxOctalId) records.push(['uid', Buffer.from(`${entry.uid}`)]);
  if (entry.gid > maxOctalId) records.push(['gid', Buffer.from(`${entry.gid}`)]);
  if (entry.mtimeNs !== 0 || entry.mtimeSec > maxOctalSize) {
    records.push(['mtime', Buffer.from(mtimeText(entry.mtimeSec, entry.mtimeNs))]);
  }
  const main = block(name, typeFlags[entry.type], entry.mode, entry);
  if (records.length === 0) return main;
  const body = encodePax(records);
  const pax = block({ name: 'PaxHeader', prefix: '', whole: true }, 'x', 0o644, { size: body.length });
  return Buffer.concat([pax, body, Buffer.alloc(paddingOf(body.length)), main]);
}
