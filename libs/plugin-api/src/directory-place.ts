import { lstat, realpath } from 'node:fs/promises';
import path from 'node:path';
import { locateDirectory, relate, type HostLocation } from '@tiny-forge/docker';

/** All that two directories are compared by: names lie (symlinks), identities lie for what is mounted in pieces, locations lie on overlays. */
export interface DirectoryPlace {
  /** Canonical; what does not exist yet is taken literally. */
  readonly path: string;
  /** `dev:inode` of the directory and of every ancestor that exists, nearest first. */
  readonly chain: readonly string[];
  /** First of `chain` when the directory exists, else null. */
  readonly self: string | null;
  readonly location: HostLocation;
}

export type Overlap = 'same' | 'inside' | 'around';

/** @param directory absolute path; need not exist */
export async function placeOf(directory: string): Promise<DirectoryPlace> {
  const canonical = await canonicalPath(directory);
  const chain: string[] = [];
  let self: string | null = null;
  for (let current = canonical; ; current = path.dirname(current)) {
    const identity = await identityOf(current);
    if (identity !== null) chain.push(identity);
    if (current === canonical) self = identity;
    if (current === '/') break;
  }
  return { path: canonical, chain, self, location: await locateDirectory(canonical) };
}

/** The real path of the deepest ancestor that exists, and the rest as given. */
async function canonicalPath(directory: string): Promise<string> {
  const missing: string[] = [];
  for (let current = path.resolve(directory); ; current = path.dirname(current)) {
    try {
      return path.join(await realpath(current), ...missing);
    } catch (error) {
      if (!isAbsent(error) || current === '/') throw error;
      missing.unshift(path.basename(current));
    }
  }
}

/** How `left` lies to `right`: by path, by identity of every ancestor, by place within the file system. null: apart. */
export function overlapOf(left: DirectoryPlace, right: DirectoryPlace): Overlap | null {
  return relate(left.path, right.path) ?? overlapByIdentity(left, right) ?? overlapByLocation(left, right);
}

/** Sees bind mounts and hidden links of a whole directory. */
export function overlapByIdentity(left: DirectoryPlace, right: DirectoryPlace): Overlap | null {
  if (right.self !== null && left.self === right.self) return 'same';
  if (right.self !== null && left.chain.includes(right.self)) return 'inside';
  if (left.self !== null && right.chain.includes(left.self)) return 'around';
  return null;
}

/** Sees bind mounts of a part: no ancestor of `/mnt/x` is the folder whose subfolder is mounted there. */
export function overlapByLocation(left: DirectoryPlace, right: DirectoryPlace): Overlap | null {
  return left.location.device === right.location.device ? relate(left.location.root, right.location.root) : null;
}

export function isAbsent(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code;
  return code === 'ENOENT' || code === 'ENOTDIR';
}

async function identityOf(directory: string): Promise<string | null> {
  try {
    const { dev, ino } = await lstat(directory, { bigint: true });
    return `${dev}:${ino}`;
  } catch (error) {
    if (isAbsent(error)) return null;
    throw error;
  }
}
