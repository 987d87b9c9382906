import path from 'node:path';
import { isTree, standingAt, type Standing } from '../identity/tree-identity.ts';
import { naming } from '../ports/fs-error.ts';
import type { FsPort } from '../ports/fs-port.ts';
import type { TreeIdentity } from '../restore-engine.ts';

/** What stands at a path, in terms of one volume's swap. */
export type Seen = 'old' | 'new' | 'absent' | 'unknown';

export interface TreePair {
  readonly old: TreeIdentity | null;
  readonly staging: TreeIdentity | null;
}

export function seenAs(standing: Standing, pair: TreePair): Seen {
  if (standing.kind === 'absent') return 'absent';
  if (isTree(standing, pair.old)) return 'old';
  if (isTree(standing, pair.staging)) return 'new';
  return 'unknown';
}

/**
 * Where in `parent` the very tree `identity` is: at one of the `likely` paths, else under any name. null: nowhere. Found by what it is, never by
 * what it is called: a person, or a crash between two renames, may have given it any name.
 */
export async function locateTree(
  fs: FsPort,
  parent: string,
  identity: TreeIdentity,
  likely: readonly string[],
): Promise<string | null> {
  for (const candidate of likely) {
    const standing = await naming('stat', candidate, () => standingAt(fs, candidate));
    if (isTree(standing, identity)) return candidate;
  }
  if ((await fs.stat(parent)) === null) return null;
  for (const name of await naming('readdir', parent, () => fs.readDirectory(parent))) {
    const candidate = path.join(parent, name);
    const found = await naming('stat', candidate, () => fs.stat(candidate));
    if (found?.kind !== 'directory' || found.inode.toString() !== identity.inode) continue;
    if (isTree(await standingAt(fs, candidate), identity)) return candidate;
  }
  return null;
}
