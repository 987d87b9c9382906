/**
 * A path or name whose UTF-16 code units are bytes (0..255). It compares, sorts and keys maps exactly as the bytes on disk,
 * which a decoded string does not: `f\xff` and `f\xfe` both decode to `f\ufffd`.
 */
export type ByteString = string;

export function bytesOf(text: ByteString): Buffer {
  return Buffer.from(text, 'latin1');
}

export function byteString(bytes: Uint8Array): ByteString {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}

const unsafe = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Co}\p{Cn}]/gu;

/**
 * Text for messages, logs and pages. Valid UTF-8 is shown as such; bytes that are not, control, format and direction
 * characters become `\xNN` or `\u{NNNN}`, a backslash becomes `\\`. At most `limit` characters (default 200), then `...`.
 */
export function escapeName(name: Uint8Array | string, limit = 200): string {
  const bytes = typeof name === 'string' ? Buffer.from(name, 'utf8') : Buffer.from(name);
  const text = bytes.toString('utf8');
  const shown = Buffer.from(text, 'utf8').equals(bytes)
    ? text.replaceAll('\\', '\\\\').replace(unsafe, (c) => `\\u{${(c.codePointAt(0) ?? 0).toString(16)}}`)
    : Array.from(bytes, escapeByte).join('');
  if (shown.length <= limit) return shown;
  return `${shown.slice(0, limit).replace(/[\ud800-\udbff]$/u, '')}...`;
}

/** `escapeName` for a byte string of this library. */
export function escapePath(path: ByteString, limit?: number): string {
  return escapeName(bytesOf(path), limit);
}

function escapeByte(byte: number): string {
  if (byte === 0x5c) return '\\\\';
  return byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, '0')}`;
}
