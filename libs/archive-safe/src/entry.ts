import type { ByteString } from './byte-string.ts';

export type EntryType = 'file' | 'directory' | 'symlink' | 'hardlink';

/** What a tar header says. `path` is relative to the archive root and never ends in a slash; `mtimeNs` is 0..999999999. */
export interface HeaderEntry {
  path: ByteString;
  type: EntryType;
  /** Twelve bits. */
  mode: number;
  uid: number;
  gid: number;
  mtimeSec: number;
  mtimeNs: number;
  /** Bytes; 0 for everything but files. */
  size: number;
  /** Target of a symlink, or archive path of a hardlink's first name; empty otherwise. */
  link: ByteString;
}

/** What the index says. */
export interface IndexEntry extends HeaderEntry {
  /** 32 bytes for files, absent otherwise. */
  sha256?: Buffer;
  /** The file held fewer blocks than bytes when captured: all-zero blocks are left as holes on extraction. */
  sparse: boolean;
}

export const maxPathBytes = 4096;
export const maxComponentBytes = 255;
export const maxDepth = 256;
export const maxLinkBytes = 4095;
export const maxManifestBytes = 1 << 20;
/** The kernel's "leave unchanged": chown with it succeeds and changes nothing. */
export const noId = 0xffffffff;
export const manifestPath = 'manifest.json';

const slash = 0x2f;
const dot = 0x2e;

/** Why a path may not be in an archive, or undefined where it may (rules N2). One pass: it runs for every entry, several times. */
export function pathFault(path: ByteString): string | undefined {
  const { length } = path;
  if (length === 0) return 'empty path';
  if (length > maxPathBytes) return 'path longer than 4096 bytes';
  let start = 0;
  let levels = 0;
  for (let i = 0; i <= length; i++) {
    const code = i === length ? slash : path.charCodeAt(i);
    if (code === 0) return 'NUL in path';
    if (code !== slash) continue;
    const size = i - start;
    if (size === 0) return 'empty component';
    if (size > maxComponentBytes) return 'component longer than 255 bytes';
    const dots = path.charCodeAt(start) === dot && (size === 1 || (size === 2 && path.charCodeAt(start + 1) === dot));
    if (dots) return 'dot component';
    if (++levels > maxDepth) return `more than ${maxDepth} levels`;
    start = i + 1;
  }
  return undefined;
}

const volumeName = /^(?:0|[1-9][0-9]{0,4})$/;

/** The volume an entry belongs to, or undefined where its first component is no canonical volume number. */
export function volumeOf(path: ByteString): number | undefined {
  const end = path.indexOf('/');
  const first = end === -1 ? path : path.slice(0, end);
  return volumeName.test(first) ? Number(first) : undefined;
}

/** Order of entries in an archive: component by component, bytes ascending, a directory before what it holds. */
export function comparePaths(a: readonly ByteString[], b: readonly ByteString[]): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) {
    const x = a[i] as string;
    const y = b[i] as string;
    if (x !== y) return x < y ? -1 : 1;
  }
  return a.length - b.length;
}
