import type { HeaderEntry } from './entry.ts';
import { encodeHeader, maxOctalSize, paddingOf } from './tar-header.ts';

/** Raw bytes of a full frame. Cuts depend on the tree alone, never on timing: an unchanged tree gives the same archive. */
export const frameBytes = 2 << 20;

/** Length of `encodeHeader(entry)`, mostly without encoding it. */
export function headerBytes(entry: HeaderEntry): number {
  const short = entry.path.length < 100 && entry.link.length <= 100 && entry.uid <= 0o7777777 && entry.gid <= 0o7777777;
  if (!short || entry.size > maxOctalSize || entry.mtimeSec > maxOctalSize) return encodeHeader(entry).length;
  return entry.mtimeNs === 0 ? 512 : 1536;
}

export function wholeBytes(entry: HeaderEntry): number {
  return headerBytes(entry) + entry.size + paddingOf(entry.size);
}
