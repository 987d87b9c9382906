import { ownNames } from '@tiny-forge/contracts/domain';
import { writeWhole } from '../json-archive-port.ts';
import { livePath, NOT_OURS, TX, type CrashWorld } from './crash-world.ts';

/** A directory that somebody else put where the restore has or wants one of its own. */
export interface Stranger {
  readonly name: string;
  readonly path: string;
}

/** Names at which a directory of somebody else may stand, for every volume. */
function placesOf(world: CrashWorld): Stranger[] {
  return world.shape.volumes.flatMap((_, index) => {
    const live = livePath(world.shape, index);
    const mounted = live === '/m';
    const at = (name: string): string => `${mounted ? live : live.slice(0, live.lastIndexOf('/'))}/${name}`;
    const volume = `v${index}`;
    return [
      ...(mounted ? [] : [{ name: 'live', path: live }]),
      { name: 'old', path: at(mounted ? ownNames.innerOld(TX) : ownNames.old(volume, TX)) },
      { name: 'staging', path: at(mounted ? ownNames.innerStaging(TX, 1) : ownNames.staging(volume, TX, 1)) },
      { name: 'trash of old', path: at(`${ownNames.trashPrefix}${TX}-${index}-old`) },
      { name: 'trash of new', path: at(`${ownNames.trashPrefix}${TX}-${index}-new-1`) },
    ];
  });
}

/**
 * Every way to put a stranger on the machine now: at a free name, as Docker does with `-v` of a missing path, or in place of the tree that stands
 * there, which is taken away. Each is a function that does it and tells what to look for, or null where it does not apply.
 */
export function plantings(
  world: CrashWorld,
): { readonly name: string; readonly plant: (on: CrashWorld) => Promise<string> }[] {
  return placesOf(world).flatMap(({ name, path }) => {
    const isFree = world.fs.look(path) === null;
    const how = isFree ? `a stranger at ${name} (${path})` : `a stranger in place of ${name} (${path})`;
    const full = { name: how, plant: (on: CrashWorld) => plant(on, path, 'full') };
    // A rename replaces an empty directory without a word. Empty ones under our own names are ours to remove.
    return isFree && name === 'live'
      ? [full, { name: `an empty ${how}`, plant: (on: CrashWorld) => plant(on, path, 'empty') }]
      : [full];
  });
}

async function plant(on: CrashWorld, path: string, how: 'full' | 'empty'): Promise<string> {
  if (on.fs.look(path) !== null)
    await on.fs.rename(path, `${path.startsWith('/m/') ? NOT_OURS : `/${path.split('/')[1]}`}/taken-away`);
  await on.fs.mkdir(path, 0o755);
  if (how === 'full') await writeWhole(on.fs, `${path}/mine`, Buffer.from(MINE));
  on.fs.settle();
  return on.treeAt(path) as string;
}

const MINE = 'not yours';

/** What became of a stranger's directory. It may have been moved aside, and must be whole. */
export function strangerProblem(world: CrashWorld, tree: string): string | null {
  for (const disk of world.fs.disks.values()) {
    const folder = disk.id === 'm' ? '/m' : `/${disk.id}/volumes`;
    for (const name of world.fs.look(folder)?.inode.entries.keys() ?? []) {
      const path = `${folder}/${name}`;
      if (world.treeAt(path) !== tree) continue;
      const content =
        world.fs.look(path)?.inode.entries.size === 0 ? MINE : world.fs.look(`${path}/mine`)?.inode.content;
      return content?.toString() === MINE ? null : `a stranger's directory at ${path} was changed`;
    }
  }
  return "a stranger's directory is gone";
}
