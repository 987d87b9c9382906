import path from 'node:path';
import type { RootEntry } from '../journal/record.ts';
import type { FsPort } from '../ports/fs-port.ts';
import { innerSide, presentIn, treesOf, type InnerVolume } from './inner-swap.ts';
import type { InnerMove, VolumeView } from './volume-view.ts';

/** How a mount point stands, and what would make either side of it live. What is of neither side stays where it is. */
export async function viewInner(fs: FsPort, volume: InnerVolume): Promise<VolumeView> {
  const live = await innerSide(fs, volume);
  const { old, staging } = await treesOf(fs, volume);
  const { livePath, inner } = volume;
  const here = async (entries: readonly RootEntry[]) => presentIn(fs, livePath, entries);
  const [oldHere, newHere] = [await here(inner.oldEntries), await here(inner.newEntries)];
  const oldAway = await presentIn(fs, old, inner.oldEntries);
  const newAway = await presentIn(fs, staging, inner.newEntries);
  const moves = (side: 'old' | 'new'): readonly InnerMove[] | null => {
    const [leaving, coming, all, away, source] =
      side === 'old'
        ? [newHere, oldAway, oldAway.length + oldHere.length === inner.oldEntries.length, staging, old]
        : [oldHere, newAway, newAway.length + newHere.length === inner.newEntries.length, old, staging];
    if (!all || (leaving.length > 0 && away === null)) return null;
    const at = (directory: string | null, { name }: RootEntry): string => path.join(directory ?? '', name);
    return [
      ...leaving.map((entry) => ({ from: at(livePath, entry), to: at(away, entry), side: other(side) })),
      ...coming.map((entry) => ({ from: at(source, entry), to: at(livePath, entry), side })),
    ];
  };
  return {
    volume,
    live,
    oldAt: live === 'old' ? livePath : old,
    newAt: live === 'new' ? livePath : staging,
    inner: { old: moves('old'), new: moves('new') },
  };
}

const other = (side: 'old' | 'new'): 'old' | 'new' => (side === 'old' ? 'new' : 'old');
