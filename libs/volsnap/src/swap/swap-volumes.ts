import { ForgeError } from '@tiny-forge/contracts/domain';
import { standingAt } from '../identity/tree-identity.ts';
import type { SwapVolume } from '../journal/record.ts';
import { naming, syncDirectories } from '../ports/fs-error.ts';
import type { FsPort } from '../ports/fs-port.ts';
import type { TreeIdentity } from '../restore-engine.ts';
import { removeEmpty } from './discard-tree.ts';
import { innerBack, innerForward, innerMayBe, isInner } from './inner-swap.ts';
import { locateTree, seenAs } from './locate-tree.ts';

/**
 * Moves every volume to its new tree: live to old, staging to live, each made durable before the next depends on it. Idempotent from any state
 * that a crash of itself or of `swapBack` leaves. Only after a durable COMMIT.
 * @throws DATA_CHANGED when a tree that is neither the old nor the new one is in the way, or one of them is nowhere. IO_ERROR.
 */
export async function swapForward(fs: FsPort, volumes: readonly SwapVolume[]): Promise<void> {
  for (const volume of volumes) {
    if (isInner(volume)) {
      await innerForward(fs, volume);
      continue;
    }
    await putLive(fs, volume, {
      wanted: volume.staging,
      wantedAt: volume.stagingPath,
      other: 'old',
      aside: volume.oldPath,
    });
  }
  await syncDirectories(
    fs,
    volumes.map((volume) => volume.parent),
  );
}

/**
 * The reverse, volumes in reverse order. Only after a durable ROLLBACK. Where the restore was to leave no directory, a deploy inside it has made one
 * and the app may have written to it: it gives way, removed if it is empty, else to a name that says so.
 * @param back.ranOnNew whether an app may have run on the new side
 */
export async function swapBack(
  fs: FsPort,
  volumes: readonly SwapVolume[],
  { txId, ranOnNew }: { readonly txId: string; readonly ranOnNew: boolean },
): Promise<void> {
  const reverse = volumes.toReversed();
  for (const volume of reverse) if (volume.staging === null) await moveMadeAside(fs, volume, foundPathOf(volume, txId));
  for (const volume of reverse) {
    if (isInner(volume)) {
      await innerBack(fs, volume, ranOnNew);
      continue;
    }
    await putLive(fs, volume, {
      wanted: volume.old,
      wantedAt: volume.oldPath,
      other: 'new',
      aside: volume.stagingPath,
    });
  }
  await syncDirectories(
    fs,
    reverse.map((volume) => volume.parent),
  );
}

/** Where a directory that nobody here made is put, so that it can be found. */
export const foundPathOf = (volume: Pick<SwapVolume, 'livePath'>, txId: string): string =>
  `${volume.livePath}.found-${txId}`;

async function moveMadeAside(fs: FsPort, { livePath, ...volume }: SwapVolume, aside: string): Promise<void> {
  const standing = await naming('stat', livePath, () => standingAt(fs, livePath));
  if (standing.kind !== 'tree' || seenAs(standing, volume) !== 'unknown') return;
  if (await removeEmpty(fs, livePath)) return;
  if ((await fs.stat(aside)) !== null) throw changed(aside);
  await naming('rename', livePath, () => fs.rename(livePath, aside));
}

interface Move {
  /** The tree that must be live; null: none. */
  readonly wanted: TreeIdentity | null;
  readonly wantedAt: string | null;
  /** Which tree may have to give way, and where it goes. */
  readonly other: 'old' | 'new';
  readonly aside: string | null;
}

async function putLive(fs: FsPort, volume: SwapVolume, move: Move): Promise<void> {
  const { livePath, parent } = volume;
  const wantedWord = move.other === 'old' ? 'new' : 'old';
  const seen = seenAs(await naming('stat', livePath, () => standingAt(fs, livePath)), volume);
  if (seen === 'unknown') throw changed(livePath);
  if (seen === wantedWord) return;
  const source = move.wanted === null ? null : await findWanted(fs, volume, move.wanted, move.wantedAt);
  if (seen === move.other) {
    if (move.aside === null || (await fs.stat(move.aside)) !== null) throw changed(move.aside ?? livePath);
    await naming('rename', livePath, () => fs.rename(livePath, move.aside as string));
  }
  if (source === null) return;
  // Without this a file system that orders renames freely could keep the second one and lose the first: the old tree would have no name. Also
  // where the first one was done by a process that died before its own fsync.
  await syncDirectories(fs, [parent]);
  await naming('rename', source, () => fs.rename(source, livePath));
}

async function findWanted(
  fs: FsPort,
  volume: SwapVolume,
  wanted: TreeIdentity,
  wantedAt: string | null,
): Promise<string> {
  const likely = [wantedAt, volume.oldPath, volume.stagingPath].filter((at) => at !== null);
  const source = await locateTree(fs, volume.parent, wanted, [...new Set(likely)]);
  if (source === null) throw changed(wantedAt ?? volume.livePath);
  return source;
}

const changed = (path: string): ForgeError => new ForgeError({ code: 'DATA_CHANGED', params: { path } });

/**
 * Before anything is started or deleted on the word of a journal: every volume is of the side it should be. Where that side has no directory, a
 * deploy may have made one meanwhile.
 * @throws DATA_CHANGED
 */
export async function assertSide(fs: FsPort, volumes: readonly SwapVolume[], side: 'old' | 'new'): Promise<void> {
  for (const volume of volumes) {
    if (isInner(volume)) {
      if (!(await innerMayBe(fs, volume, side))) throw changed(volume.livePath);
      continue;
    }
    const wanted = side === 'old' ? volume.old : volume.staging;
    const seen = seenAs(await naming('stat', volume.livePath, () => standingAt(fs, volume.livePath)), volume);
    if (wanted === null ? seen === 'old' || seen === 'new' : seen !== side) throw changed(volume.livePath);
  }
}

/** How all volumes stand. `all-old` and `all-new` may both be true only when no volume has either tree. */
export async function examineVolumes(
  fs: FsPort,
  volumes: readonly SwapVolume[],
): Promise<'all-old' | 'all-new' | 'unclear'> {
  let old = true;
  let fresh = true;
  for (const volume of volumes) {
    if (isInner(volume)) {
      old &&= await innerMayBe(fs, volume, 'old');
      fresh &&= await innerMayBe(fs, volume, 'new');
      continue;
    }
    const seen = seenAs(await naming('stat', volume.livePath, () => standingAt(fs, volume.livePath)), volume);
    old &&= volume.old === null ? seen === 'absent' : seen === 'old';
    fresh &&= volume.staging === null ? seen === 'absent' : seen === 'new';
  }
  return old ? 'all-old' : fresh ? 'all-new' : 'unclear';
}
