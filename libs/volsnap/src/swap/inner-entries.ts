import path from 'node:path';
import { ForgeError } from '@tiny-forge/contracts/domain';
import type { RootAttributes, RootEntry } from '../journal/record.ts';
import { naming } from '../ports/fs-error.ts';
import type { FileStat, FsPort } from '../ports/fs-port.ts';
import { isInnerName } from './inner-names.ts';

/** Whether what `stat` found is the very entry, which has its name by where it was looked for. The file system is that of its root. */
export const isEntry = (found: FileStat | null, entry: RootEntry): boolean =>
  found !== null && found.inode.toString() === entry.inode && found.birthTimeNs.toString() === entry.birthTimeNs;

/**
 * Everything directly in `directory` but what is ours, each with its identity.
 * @throws FS_IDENTITY, VOLUME_PATH_UNSAFE for a name that is no UTF-8, IO_ERROR
 */
export async function entriesOf(fs: FsPort, directory: string): Promise<RootEntry[]> {
  const entries: RootEntry[] = [];
  for (const name of await naming('readdir', directory, () => fs.readDirectory(directory))) {
    if (isInnerName(name)) continue;
    const at = path.join(directory, name);
    const found = await naming('stat', at, () => fs.stat(at));
    if (found === null)
      throw new ForgeError({ code: 'VOLUME_PATH_UNSAFE', params: { path: at, why: 'its name is not UTF-8' } });
    if (found.birthTimeNs === 0n) throw new ForgeError({ code: 'FS_IDENTITY', params: { path: at } });
    entries.push({ name, inode: found.inode.toString(), birthTimeNs: found.birthTimeNs.toString() });
  }
  return entries;
}

export async function attributesOf(fs: FsPort, directory: string): Promise<RootAttributes> {
  const found = await naming('stat', directory, () => fs.stat(directory));
  if (found === null) throw new ForgeError({ code: 'DATA_CHANGED', params: { path: directory } });
  const { mode, uid, gid, modifiedNs } = found;
  return { mode, uid, gid, modifiedNs: (modifiedNs < 0n ? 0n : modifiedNs).toString() };
}

/** Owner first: chown takes bits of the mode away. The time last: every rename in the directory moves it. */
export async function setAttributes(fs: FsPort, directory: string, wanted: RootAttributes): Promise<void> {
  await naming('chown', directory, () => fs.chown(directory, wanted.uid, wanted.gid));
  await naming('chmod', directory, () => fs.chmod(directory, wanted.mode));
  await naming('utimes', directory, () => fs.touch(directory, BigInt(wanted.modifiedNs)));
}

/** Does `work`, which changes names in `directory`, and puts its modification time back: ours are no changes of the app's. */
export async function keepingTime<T>(fs: FsPort, directory: string, work: () => Promise<T>): Promise<T> {
  const { modifiedNs } = await attributesOf(fs, directory);
  const done = await work();
  await naming('utimes', directory, () => fs.touch(directory, BigInt(modifiedNs)));
  return done;
}
