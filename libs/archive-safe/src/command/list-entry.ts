import { escapeName } from '../byte-string.ts';
import type { ArchiveEntry } from '../read-index.ts';

const typeLetters = { file: '-', directory: 'd', symlink: 'l', hardlink: 'h' };

/**
 * One line of JSON. Bytes that are no UTF-8 become lone surrogates U+DC80 to U+DCFF, one each (what Python calls
 * surrogateescape), so that no two names become one; control and format characters are always escaped: the line may be
 * printed on a terminal. The root of a plain tar is `.`.
 */
export function entryJson(entry: ArchiveEntry): string {
  const { type, size, mode, uid, gid, mtime, sha256, link } = entry;
  const fields = {
    path: entry.path.length === 0 ? '.' : losslessText(entry.path),
    type,
    size,
    mode,
    uid,
    gid,
    mtime: 0,
    linkname: link === null ? null : losslessText(link),
    sha256,
  };
  // A number as JSON writes it may have more digits than a double holds.
  return escapeFormat(JSON.stringify(fields).replace('"mtime":0', `"mtime":${mtime}`));
}

export function entryLine(entry: ArchiveEntry): string {
  const mode = entry.mode.toString(8).padStart(4, '0');
  const seconds = Number(entry.mtime.split('.')[0]);
  const time = new Date(Math.min(seconds, 8.64e12) * 1000).toISOString().slice(0, -5);
  const path = escapeName(entry.path, Infinity);
  const link = entry.link === null ? '' : ` -> ${escapeName(entry.link, Infinity)}`;
  const owner = `${entry.uid}/${entry.gid}`;
  return `${typeLetters[entry.type]}${mode} ${owner.padStart(11)} ${String(entry.size).padStart(11)} ${time} ${path || '.'}${link}`;
}

export function losslessText(bytes: Buffer): string {
  const whole = bytes.toString('utf8');
  if (Buffer.from(whole, 'utf8').equals(bytes)) return whole;
  let text = '';
  for (let at = 0; at < bytes.length;) {
    const first = bytes[at] as number;
    const length = first < 0x80 ? 1 : first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    const part = bytes.subarray(at, at + length);
    const decoded = part.toString('utf8');
    if (part.length === length && Buffer.from(decoded, 'utf8').equals(part)) {
      text += decoded;
      at += length;
    } else {
      text += String.fromCharCode(0xdc00 + first);
      at++;
    }
  }
  return text;
}

/** What `losslessText` was made of. */
export function bytesOfText(text: string): Buffer {
  const parts = Array.from(text, (c) => {
    const code = c.codePointAt(0) as number;
    return code >= 0xdc80 && code <= 0xdcff ? Buffer.of(code - 0xdc00) : Buffer.from(c, 'utf8');
  });
  return Buffer.concat(parts);
}

function escapeFormat(json: string): string {
  return json.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (c) =>
    Array.from({ length: c.length }, (_, i) => `\\u${c.charCodeAt(i).toString(16).padStart(4, '0')}`).join(''),
  );
}
