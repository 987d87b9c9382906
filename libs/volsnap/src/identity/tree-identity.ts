import type { FsPort } from '../ports/fs-port.ts';
import type { TreeIdentity } from '../restore-engine.ts';

/** What stands at a path, as far as recovery cares. */
export type Standing =
  | { readonly kind: 'absent' }
  | { readonly kind: 'tree'; readonly identity: TreeIdentity | null; readonly names: readonly string[] }
  | { readonly kind: 'other' };

/** `identity` is null where the file system gives no birth time or no name: FS_IDENTITY. */
export async function standingAt(fs: FsPort, path: string): Promise<Standing> {
  const found = await fs.stat(path);
  if (!found) return { kind: 'absent' };
  if (found.kind !== 'directory') return { kind: 'other' };
  const names = await fs.fileSystemNames(path);
  const fileSystem = names[0];
  if (found.birthTimeNs === 0n || fileSystem === undefined) return { kind: 'tree', identity: null, names };
  const identity = { fileSystem, inode: found.inode.toString(), birthTimeNs: found.birthTimeNs.toString() };
  return { kind: 'tree', identity, names };
}

/** Whether `standing` is the very tree `recorded`, whatever its name is now. */
export function isTree(standing: Standing, recorded: TreeIdentity | null): boolean {
  return (
    recorded !== null &&
    standing.kind === 'tree' &&
    standing.identity !== null &&
    standing.identity.inode === recorded.inode &&
    standing.identity.birthTimeNs === recorded.birthTimeNs &&
    standing.names.includes(recorded.fileSystem)
  );
}

/** One line for hashes and logs. */
export const identityKey = (identity: TreeIdentity | null): string | null =>
  identity === null ? null : `${identity.fileSystem}/${identity.inode}/${identity.birthTimeNs}`;
