import path from 'node:path';
import { ForgeError, ownNames } from '@tiny-forge/contracts/domain';
import { parseMountinfo } from '@tiny-forge/docker';
import { mountsAtOrBelow } from '../identity/mount-table.ts';
import type { ArchivePort } from '../ports/archive-port.ts';
import { errnoOf, naming } from '../ports/fs-error.ts';
import type { FsPort } from '../ports/fs-port.ts';
import type { TreeIdentity } from '../restore-engine.ts';
import { locateTree } from './locate-tree.ts';

/**
 * Deletes the very tree `identity`, wherever in `parent` it is: checked to be it and free of mounts, renamed to a name of its own, removed without
 * crossing mounts. A tree that is nowhere is fine; so is a second call after a kill. Never deletes what it cannot recognise.
 * @throws VOLUME_IS_MOUNT_POINT, IO_ERROR
 */
export async function discardTree(
  ports: { readonly fs: FsPort; readonly archive: ArchivePort },
  tree: {
    readonly parent: string;
    readonly identity: TreeIdentity;
    readonly likely: readonly string[];
    readonly trashName: string;
    /** Where it is in use and must not be touched. */
    readonly livePath: string;
  },
  signal: AbortSignal,
): Promise<void> {
  const { fs, archive } = ports;
  const trash = path.join(tree.parent, `${ownNames.trashPrefix}${tree.trashName}`);
  const found = await locateTree(fs, tree.parent, tree.identity, [trash, ...tree.likely]);
  if (found === null || found === tree.livePath) return;
  const mount = mountsAtOrBelow(parseMountinfo(await fs.mountInfo()), found)[0];
  if (mount !== undefined)
    throw new ForgeError({ code: 'VOLUME_IS_MOUNT_POINT', params: { path: found, mount: mount.mountPoint } });
  if (found !== trash) {
    if ((await fs.stat(trash)) !== null) throw new ForgeError({ code: 'DATA_CHANGED', params: { path: trash } });
    await naming('rename', found, () => fs.rename(found, trash));
    // The removal must not outlive the rename's loss: after a power cut the tree would be half empty under its old name.
    await naming('fsync', tree.parent, () => fs.syncDirectory(tree.parent));
  }
  await archive.removeTree(trash, tree.identity, signal);
}

/** Removes a directory if it is there and empty. */
export async function removeEmpty(fs: FsPort, directory: string): Promise<boolean> {
  try {
    await fs.rmdir(directory);
    return true;
  } catch (error) {
    const code = errnoOf(error);
    if (code === 'ENOENT' || code === 'ENOTEMPTY' || code === 'EEXIST' || code === 'ENOTDIR') return false;
    return naming('rmdir', directory, () => Promise.reject(error as Error));
  }
}
