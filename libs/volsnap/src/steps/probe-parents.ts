import path from 'node:path';
import { ForgeError, ownNames, type Blocker } from '@tiny-forge/contracts/domain';
import type { EngineParts } from '../engine-parts.ts';
import { blocker } from '../plan/blocker.ts';
import { existingAncestor } from '../plan/gather-host-facts.ts';
import { asForgeError, errnoOf, naming } from '../ports/fs-error.ts';
import type { FsPort } from '../ports/fs-port.ts';
import type { RestoreTarget } from '../restore-engine.ts';
import { keepingTime } from '../swap/inner-entries.ts';
import { removeEmpty } from '../swap/discard-tree.ts';

/**
 * Tries in every parent what the swap will do there: make two directories, rename one, keep identity through a change, link where the snapshot has
 * links; not in a mount point, where a container could put a symlink in place of a directory of ours. A list of the probed folders is on disk while it lasts, so that the sweep finds what a kill left.
 */
export async function probeParents(
  parts: EngineParts,
  txId: string,
  targets: readonly (RestoreTarget & { readonly links: number })[],
): Promise<Blocker[]> {
  const folders = new Map<string, boolean>();
  for (const target of targets) {
    const folder = await existingAncestor(parts.fs, target.parent);
    folders.set(folder, (folders.get(folder) ?? false) || (target.links > 0 && target.swap !== 'inner'));
  }
  const note = await writeProbeNote(parts, txId, [...folders.keys()]);
  const found: Blocker[] = [];
  for (const [folder, links] of folders) {
    const tried = async (): Promise<Blocker | null> => {
      const refused = await probe(parts.fs, folder, txId, links);
      await removeProbes(parts.fs, folder, txId);
      return refused;
    };
    const isInside = targets.some((target) => target.swap === 'inner' && target.hostPath === folder);
    const refused = await (isInside ? keepingTime(parts.fs, folder, tried) : tried());
    if (refused) found.push(refused);
  }
  await naming('unlink', note, () => parts.fs.unlink(note));
  return found;
}

const names = (txId: string) => ({
  first: `${ownNames.probePrefix}${txId}-a`,
  second: `${ownNames.probePrefix}${txId}-b`,
  renamed: `${ownNames.probePrefix}${txId}-c`,
});

async function probe(fs: FsPort, folder: string, txId: string, links: boolean): Promise<Blocker | null> {
  const { first, second, renamed } = names(txId);
  const at = (name: string): string => path.join(folder, name);
  try {
    await removeProbes(fs, folder, txId);
    await fs.mkdir(at(first), 0o700);
    const before = await fs.stat(at(first));
    // A file system that fakes the birth time by the change time moves it here.
    await fs.chmod(at(first), 0o711);
    await fs.mkdir(at(second), 0o700);
    await fs.rename(at(first), at(renamed));
    const after = await fs.stat(at(renamed));
    await fs.syncDirectory(folder);
    const stable = before && after && before.inode === after.inode && before.birthTimeNs === after.birthTimeNs;
    if (!stable || before.birthTimeNs === 0n) return blocker('FS_IDENTITY', { path: folder });
    if (links) await probeLinks(fs, at(second));
    return null;
  } catch (error) {
    const why = errnoOf(error) ?? asForgeError(error, 'probe', folder).code;
    return blocker('RENAME_REFUSED', { path: folder, why });
  }
}

async function probeLinks(fs: FsPort, directory: string): Promise<void> {
  const link = path.join(directory, 'a');
  await fs.symlink('b', link);
  await fs.unlink(link);
}

/** Our probes are empty directories, at most with one symlink `a` in the second: nothing else is removed. */
export async function removeProbes(fs: FsPort, folder: string, txId: string): Promise<void> {
  const { first, second, renamed } = names(txId);
  const link = path.join(folder, second, 'a');
  if ((await fs.stat(link))?.kind === 'symlink') await naming('unlink', link, () => fs.unlink(link));
  for (const name of [first, second, renamed]) {
    const directory = path.join(folder, name);
    if ((await fs.stat(directory)) !== null) await removeEmpty(fs, directory);
  }
}

const noteFolder = (parts: EngineParts): string => path.join(parts.journals.folder, 'probes');

async function writeProbeNote(parts: EngineParts, txId: string, folders: readonly string[]): Promise<string> {
  await parts.journals.prepare();
  const { fs } = parts;
  const folder = noteFolder(parts);
  if ((await fs.stat(folder)) === null) await naming('mkdir', folder, () => fs.mkdir(folder, 0o700));
  const note = path.join(folder, `${txId}.json`);
  if ((await fs.stat(note)) !== null) await sweepNote(parts, note);
  await naming('create', note, async () => {
    const fd = await fs.create(note);
    try {
      await fs.write(fd, 0, Buffer.from(JSON.stringify({ txId, folders })));
      await fs.sync(fd);
    } finally {
      await fs.close(fd);
    }
    await fs.syncDirectory(folder);
  });
  return note;
}

/** Removes what a killed pre-flight left in the parents of volumes. @returns the folders that were looked at */
export async function sweepProbes(parts: EngineParts): Promise<string[]> {
  const folder = noteFolder(parts);
  if ((await parts.fs.stat(folder)) === null) return [];
  const swept: string[] = [];
  for (const name of await naming('readdir', folder, () => parts.fs.readDirectory(folder)))
    if (/^[a-z0-9]+\.json$/.test(name)) swept.push(...(await sweepNote(parts, path.join(folder, name))));
  return swept;
}

async function sweepNote(parts: EngineParts, note: string): Promise<string[]> {
  const read = parseNote((await naming('read', note, () => parts.fs.readFile(note))).toString('utf8'));
  const folders = Array.isArray(read.folders) ? read.folders.filter((one) => typeof one === 'string') : [];
  if (typeof read.txId === 'string' && /^[a-z0-9]+$/.test(read.txId))
    for (const folder of folders)
      if ((await parts.fs.stat(folder)) !== null) await removeProbes(parts.fs, folder, read.txId);
  await naming('unlink', note, () => parts.fs.unlink(note));
  return folders;
}

/** A torn note was never synced, so no probe was made for it. */
function parseNote(text: string): { readonly txId?: unknown; readonly folders?: unknown } {
  try {
    return (JSON.parse(text) as { txId?: unknown; folders?: unknown } | null) ?? {};
  } catch {
    return {};
  }
}

/** @throws RESTORE_BLOCKED, with the blockers as property `blockers` */
export function assertUnblocked(blockers: readonly Blocker[]): void {
  if (blockers.length === 0) return;
  const codes = [...new Set(blockers.map((one) => one.code))].join(', ');
  const error = new ForgeError({ code: 'RESTORE_BLOCKED', params: { count: blockers.length, codes } });
  throw Object.assign(error, { blockers });
}
