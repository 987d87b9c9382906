import path from 'node:path';
import { ForgeError } from '@tiny-forge/contracts/domain';
import { isTree, standingAt } from '../identity/tree-identity.ts';
import type { InnerSwap, RootAttributes, RootEntry, SwapVolume } from '../journal/record.ts';
import { naming, syncDirectories } from '../ports/fs-error.ts';
import type { FsPort } from '../ports/fs-port.ts';
import { entriesOf, isEntry, setAttributes } from './inner-entries.ts';
import { isInnerName } from './inner-names.ts';
import { locateTree, type Seen } from './locate-tree.ts';

/** A volume whose live directory is a mount point: it cannot be renamed, so all that lies directly in it is. */
export type InnerVolume = SwapVolume & { readonly inner: InnerSwap };

export const isInner = (volume: SwapVolume): volume is InnerVolume => volume.inner !== undefined;

/**
 * Everything of before into the old tree, everything of the staging tree into the live one, owner, mode and time of the root last; these are durable once
 * the caller has synced `parent`. Each half is made durable before the other begins. Idempotent from any state that a crash of itself or of `innerBack` leaves.
 * @throws DATA_CHANGED when an entry is nowhere or something unknown is in its place. IO_ERROR, also while the file system is not mounted.
 */
export async function innerForward(fs: FsPort, volume: InnerVolume): Promise<void> {
  const at = await openInner(fs, volume);
  await moveAll(fs, volume.inner.oldEntries, { from: at.live, to: at.old, named: volume.oldPath });
  await moveAll(fs, volume.inner.newEntries, { from: at.staging, to: at.live, named: volume.stagingPath });
  await setRoot(fs, at.live, volume.inner.newRoot);
}

/**
 * The reverse.
 * @param ranOnNew whether an app may have run on the new side: then whatever it made in the root goes away with that side. Otherwise what is of
 * neither side is somebody's, and stays where it is.
 */
export async function innerBack(fs: FsPort, volume: InnerVolume, ranOnNew: boolean): Promise<void> {
  const at = await openInner(fs, volume);
  const { oldEntries, newEntries } = volume.inner;
  const leaving: RootEntry[] = [];
  for (const entry of await entriesOf(fs, at.live)) {
    if (oldEntries.some((one) => isSame(one, entry))) continue;
    // Our own trees, whatever somebody has called them.
    if ([volume.old, volume.staging].some((tree) => tree?.inode === entry.inode)) continue;
    if (ranOnNew || newEntries.some((one) => isSame(one, entry))) leaving.push(entry);
  }
  await moveAll(fs, leaving, { from: at.live, to: at.staging, named: volume.stagingPath });
  await moveAll(fs, oldEntries, { from: at.old, to: at.live, named: volume.oldPath });
  await setRoot(fs, at.live, volume.inner.oldRoot);
}

/**
 * Whether `side` may be live. Judged by what lies in the old and the staging tree and by what must not be in the live one: an app that runs replaces
 * its own files, so that none of them proves anything. A volume that is empty on both sides is of either; a mix, or another file system in this
 * place, of none.
 */
export async function innerMayBe(fs: FsPort, volume: InnerVolume, side: 'old' | 'new'): Promise<boolean> {
  const { oldEntries, newEntries, root } = volume.inner;
  if (!isTree(await naming('stat', volume.livePath, () => standingAt(fs, volume.livePath)), root)) return false;
  const { live, old, staging } = await treesOf(fs, volume);
  const count = async (directory: string | null, entries: readonly RootEntry[]): Promise<number> =>
    (await presentIn(fs, directory, entries)).length;
  if (side === 'old') return (await count(old, oldEntries)) === 0 && (await count(live, newEntries)) === 0;
  // After DONE the old tree is deleted.
  const allOld = old === null || (await count(old, oldEntries)) === oldEntries.length;
  return allOld && (await count(live, oldEntries)) === 0 && (await count(staging, newEntries)) === 0;
}

export async function innerSide(fs: FsPort, volume: InnerVolume): Promise<Seen> {
  if (await innerMayBe(fs, volume, 'old')) return 'old';
  return (await innerMayBe(fs, volume, 'new')) ? 'new' : 'unknown';
}

/** Removing our directories moved the time of the root: where no app runs that may have moved it since, it becomes what it was again. */
export async function putTimeBack(fs: FsPort, volumes: readonly SwapVolume[], side: 'old' | 'new'): Promise<void> {
  for (const volume of volumes.filter(isInner)) {
    const { livePath, inner } = volume;
    const wanted = side === 'old' ? inner.oldRoot : inner.newRoot;
    if (wanted === null || !isTree(await standingAt(fs, livePath), inner.root)) continue;
    await naming('utimes', livePath, () => fs.touch(livePath, BigInt(wanted.modifiedNs)));
  }
}

/** Those of `entries` that are in `directory`, by name and identity. */
export async function presentIn(
  fs: FsPort,
  directory: string | null,
  entries: readonly RootEntry[],
): Promise<RootEntry[]> {
  const present: RootEntry[] = [];
  for (const entry of directory === null ? [] : entries) {
    const at = path.join(directory as string, entry.name);
    if (isEntry(await naming('stat', at, () => fs.stat(at)), entry)) present.push(entry);
  }
  return present;
}

export interface InnerTrees {
  readonly live: string;
  /** By identity, whatever their names; null: nowhere. */
  readonly old: string | null;
  readonly staging: string | null;
}

export async function treesOf(fs: FsPort, volume: InnerVolume): Promise<InnerTrees> {
  const find = (identity: SwapVolume['old'], likely: string | null): Promise<string | null> =>
    identity === null
      ? Promise.resolve(null)
      : locateTree(fs, volume.livePath, identity, likely === null ? [] : [likely]);
  return {
    live: volume.livePath,
    old: await find(volume.old, volume.oldPath),
    staging: await find(volume.staging, volume.stagingPath),
  };
}

/** A file system that is not mounted (yet) says nothing about the data: no reason to go back, and none to touch what lies below the mount point. */
async function openInner(fs: FsPort, volume: InnerVolume): Promise<InnerTrees> {
  const { livePath, inner } = volume;
  if (!isTree(await naming('stat', livePath, () => standingAt(fs, livePath)), inner.root))
    throw new ForgeError({
      code: 'IO_ERROR',
      params: { call: 'mount', path: livePath, why: 'the file system of this restore is not mounted here' },
    });
  return treesOf(fs, volume);
}

interface Way {
  readonly from: string | null;
  readonly to: string | null;
  /** How the tree that is not the live one was called, for who has to look for it. */
  readonly named: string | null;
}

/** Ends durable, both directories: also where an earlier process did the renames and died before its own fsync. */
async function moveAll(fs: FsPort, entries: readonly RootEntry[], way: Way): Promise<void> {
  for (const entry of entries) await moveEntry(fs, entry, way);
  await syncDirectories(
    fs,
    [way.to, way.from].filter((one) => one !== null),
  );
}

async function moveEntry(fs: FsPort, entry: RootEntry, { from, to, named }: Way): Promise<void> {
  const place = (directory: string | null): string => path.join(directory ?? named ?? '', entry.name);
  const found = async (directory: string | null) =>
    directory === null ? null : naming('stat', place(directory), () => fs.stat(place(directory)));
  const [here, there] = [await found(from), await found(to)];
  if (isEntry(there, entry) && !isEntry(here, entry)) return;
  if (!isEntry(here, entry)) throw changed(place(from));
  // A rename would replace a file, or an empty directory, without a word.
  if (to === null || there !== null) throw changed(place(to));
  await naming('rename', place(from), () => fs.rename(place(from), place(to)));
}

/** Durable with the parents of all volumes, of which the live directory is one. */
const setRoot = async (fs: FsPort, live: string, root: RootAttributes | null): Promise<void> =>
  root === null ? undefined : setAttributes(fs, live, root);

const isSame = (a: RootEntry, b: RootEntry): boolean =>
  a.name === b.name && a.inode === b.inode && a.birthTimeNs === b.birthTimeNs;

const changed = (at: string): ForgeError => new ForgeError({ code: 'DATA_CHANGED', params: { path: at } });

/** @throws DATA_CHANGED when an archive brings a name that is ours */
export function assertNoOwnNames(directory: string, names: readonly string[]): void {
  const own = names.find(isInnerName);
  if (own !== undefined) throw changed(path.join(directory, own));
}
