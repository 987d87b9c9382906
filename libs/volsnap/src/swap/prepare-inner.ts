import { ForgeError } from '@tiny-forge/contracts/domain';
import { standingAt } from '../identity/tree-identity.ts';
import type { RootEntry, SwapVolume } from '../journal/record.ts';
import { naming, syncDirectories } from '../ports/fs-error.ts';
import type { FsPort } from '../ports/fs-port.ts';
import type { TreeIdentity } from '../restore-engine.ts';
import { removeEmpty } from './discard-tree.ts';
import { attributesOf, entriesOf, keepingTime } from './inner-entries.ts';
import { assertNoOwnNames, isInner, type InnerVolume } from './inner-swap.ts';

/**
 * Before COMMIT, with the app held: makes the empty old tree of every mount point, durable, and lists what will be moved. An empty directory of an
 * earlier try gives way.
 * @throws DATA_CHANGED, FS_IDENTITY, VOLUME_PATH_UNSAFE, IO_ERROR
 */
export async function prepareInner(fs: FsPort, volumes: readonly SwapVolume[]): Promise<SwapVolume[]> {
  const prepared: SwapVolume[] = [];
  for (const volume of volumes) prepared.push(isInner(volume) ? await prepareOne(fs, volume) : volume);
  return prepared;
}

async function prepareOne(fs: FsPort, volume: InnerVolume): Promise<SwapVolume> {
  const { livePath, oldPath, stagingPath } = volume;
  const oldRoot = await attributesOf(fs, livePath);
  const old = await keepingTime(fs, livePath, () => makeOld(fs, oldPath));
  await syncDirectories(fs, [livePath]);
  const oldEntries = await entriesOf(fs, livePath);
  const newEntries: readonly RootEntry[] = stagingPath === null ? [] : await entriesOf(fs, stagingPath);
  if (stagingPath !== null) {
    const names = await naming('readdir', stagingPath, () => fs.readDirectory(stagingPath));
    assertNoOwnNames(stagingPath, names);
  }
  const newRoot = stagingPath === null ? oldRoot : await attributesOf(fs, stagingPath);
  return { ...volume, old, inner: { root: volume.inner.root, oldEntries, newEntries, oldRoot, newRoot } };
}

async function makeOld(fs: FsPort, oldPath: string): Promise<TreeIdentity> {
  if ((await fs.stat(oldPath)) !== null && !(await removeEmpty(fs, oldPath)))
    throw new ForgeError({ code: 'DATA_CHANGED', params: { path: oldPath } });
  await naming('mkdir', oldPath, () => fs.mkdir(oldPath, 0o700));
  const standing = await naming('stat', oldPath, () => standingAt(fs, oldPath));
  if (standing.kind !== 'tree' || standing.identity === null)
    throw new ForgeError({ code: 'FS_IDENTITY', params: { path: oldPath } });
  return standing.identity;
}
