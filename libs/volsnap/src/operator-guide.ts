import type { OperatorGuide } from '@tiny-forge/contracts/domain';
import { standingAt } from './identity/tree-identity.ts';
import type { SwapVolume } from './journal/record.ts';
import type { FsPort } from './ports/fs-port.ts';
import { locateTree, seenAs, type Seen } from './swap/locate-tree.ts';
import { viewInner } from './swap/inner-view.ts';
import type { InnerMove, VolumeView } from './swap/volume-view.ts';
import { isInner } from './swap/inner-swap.ts';
import { foundPathOf } from './swap/swap-volumes.ts';

export async function viewVolumes(fs: FsPort, volumes: readonly SwapVolume[]): Promise<VolumeView[]> {
  const views: VolumeView[] = [];
  for (const volume of volumes) {
    if (isInner(volume)) {
      views.push(await viewInner(fs, volume));
      continue;
    }
    const likely = [volume.livePath, volume.oldPath, ...(volume.stagingPath === null ? [] : [volume.stagingPath])];
    const find = (identity: SwapVolume['old']): Promise<string | null> =>
      identity === null ? Promise.resolve(null) : locateTree(fs, volume.parent, identity, likely);
    views.push({
      volume,
      live: seenAs(await standingAt(fs, volume.livePath), volume),
      oldAt: await find(volume.old),
      newAt: await find(volume.staging),
    });
  }
  return views;
}

/** `'` ends and reopens the quotes; nothing else is special between them. */
const quote = (text: string): string => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`);

/**
 * Pure: what stands where, and the exact lines that put one generation back in every volume. Backward where every old tree is there, else forward,
 * else only what can be looked at: it never tells to delete anything.
 */
export function operatorGuide(views: readonly VolumeView[], txId: string): OperatorGuide {
  const canGoBack = views.every(
    ({ inner, volume, oldAt }) => (inner ? inner.old : volume.old === null || oldAt) !== null,
  );
  const canGoForward = views.every(
    ({ inner, volume, newAt }) => (inner ? inner.new : volume.staging === null || newAt) !== null,
  );
  const way = canGoBack ? 'old' : canGoForward ? 'new' : null;
  const commands = views.flatMap((view) => [...look(view), ...(way === null ? lost(view) : move(view, way, txId))]);
  return { volumes: views.map(describe), commands };
}

/** Of a swap inside a mount point whose list of entries is lost: where they lie, if any were moved. */
export const lostEntries = ({ target, oldPath }: SwapVolume): Command => ({
  summary: `What ${target} held before the restore and was moved away; where there is such a folder, put back by hand what it holds, then remove it`,
  command: `ls -lA -- ${quote(oldPath)}`,
});

/** Of a journal that tells nothing: where to look. */
export const unreadableGuide = (journal: string, txId: string): OperatorGuide => ({
  volumes: [],
  commands: [
    { summary: 'Keep the damaged journal', command: `cp -a -- ${quote(journal)} ${quote(`${journal}.damaged`)}` },
    {
      summary: 'What the restore left beside the volumes (.old: from before the restore, .new: from the snapshot)',
      command: `find / -xdev -name ${quote(`.*restore-${txId}*`)}`,
    },
  ],
});

function describe(view: VolumeView): OperatorGuide['volumes'][number] {
  const { target, livePath } = view.volume;
  const otherIsOld = view.live !== 'old' && view.oldAt !== null && view.oldAt !== livePath;
  const otherPath = otherIsOld ? view.oldAt : view.newAt === livePath ? null : view.newAt;
  const other: Seen = otherPath === null ? 'absent' : otherIsOld ? 'old' : 'new';
  return { target, livePath, live: view.live, otherPath, other };
}

type Command = OperatorGuide['commands'][number];

function look({ volume }: VolumeView): Command[] {
  return [
    {
      summary: `What holds ${volume.target}: mounts at or below its directory`,
      command: `findmnt -R --target ${quote(volume.parent)}`,
    },
    {
      summary: `Containers that name ${volume.target}'s directory; stop each that runs with docker stop`,
      command: `docker ps --all --filter ${quote(`volume=${volume.livePath}`)}`,
    },
  ];
}

function move(view: VolumeView, way: 'old' | 'new', txId: string): Command[] {
  if (view.inner) return moveInside(view.volume, view.inner[way] ?? [], way);
  const { volume, live } = view;
  const wantedAt = way === 'old' ? view.oldAt : view.newAt;
  if (live === way || (wantedAt === null && live === 'absent')) return [];
  const aside = asideOf(volume, live, txId);
  const commands: Command[] = [];
  if (live !== 'absent')
    commands.push({
      summary: `Move away what stands at ${volume.livePath} (${words[live]})`,
      command: `mv -nT -- ${quote(volume.livePath)} ${quote(aside)}`,
    });
  if (wantedAt !== null)
    commands.push({
      summary: `Put ${words[way]} of ${volume.target} back in place`,
      command: `mv -nT -- ${quote(wantedAt)} ${quote(volume.livePath)}`,
    });
  commands.push({ summary: 'Make it durable', command: `sync -f ${quote(volume.parent)}` });
  return commands;
}

function moveInside(volume: SwapVolume, moves: readonly InnerMove[], way: 'old' | 'new'): Command[] {
  const root = way === 'old' ? volume.inner?.oldRoot : volume.inner?.newRoot;
  if (moves.length === 0) return [];
  return [
    ...moves.map(({ from, to, side }) => ({
      summary: `${side === way ? 'Put back in place' : 'Move away'} (${words[side]})`,
      command: `mv -nT -- ${quote(from)} ${quote(to)}`,
    })),
    ...(root
      ? [
          {
            summary: `Owner and mode of ${volume.livePath}`,
            command: `chown ${root.uid}:${root.gid} ${quote(volume.livePath)} && chmod ${root.mode.toString(8)} ${quote(volume.livePath)}`,
          },
        ]
      : []),
    { summary: 'Make it durable', command: `sync -f ${quote(volume.livePath)}` },
  ];
}

function asideOf(volume: SwapVolume, live: Seen, txId: string): string {
  if (live === 'new' && volume.stagingPath !== null) return volume.stagingPath;
  if (live === 'old') return volume.oldPath;
  return foundPathOf(volume, txId);
}

function lost({ volume, oldAt, newAt }: VolumeView): Command[] {
  const gone = [
    ...(volume.old !== null && oldAt === null ? [{ which: words.old, inode: volume.old.inode }] : []),
    ...(volume.staging !== null && newAt === null ? [{ which: words.new, inode: volume.staging.inode }] : []),
  ];
  return gone.map(({ which, inode }) => ({
    summary: `${which} of ${volume.target} is not in ${volume.parent}; look for it on the same file system`,
    command: `find ${quote(volume.parent)}/.. -xdev -inum ${inode} -type d`,
  }));
}

const words: Readonly<Record<Seen, string>> = {
  old: 'the data from before the restore',
  new: "the snapshot's data",
  absent: 'nothing',
  unknown: 'a directory of unknown origin',
};
