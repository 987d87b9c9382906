import path from 'node:path';
import { ForgeError, isForgeError, ownNames, type Note } from '@tiny-forge/contracts/domain';
import type { EngineParts } from '../engine-parts.ts';
import { isTree, standingAt } from '../identity/tree-identity.ts';
import type { Transaction } from '../journal/transaction.ts';
import { existingAncestor } from '../plan/gather-host-facts.ts';
import { naming, syncDirectories } from '../ports/fs-error.ts';
import type { FsPort } from '../ports/fs-port.ts';
import type { KeptReport } from '../restore-engine.ts';
import { discardTree } from '../swap/discard-tree.ts';
import { keptRecordOf, KeptRecords, type KeptRecord } from './kept-record.ts';

/** After DONE, before anything else is removed: the note that lets the old trees outlive their journal. */
export async function keepOldTrees(parts: EngineParts, tx: Transaction): Promise<void> {
  const record = keptRecordOf(tx);
  if (!record) return;
  await labelInner(parts, tx);
  await new KeptRecords(parts.fs, parts.dataDir).write(record);
}

/** The root of a mount point stayed, so its owner and mode of before are kept on the folder of its old tree: who puts it back finds them there. */
async function labelInner({ fs }: EngineParts, tx: Transaction): Promise<void> {
  for (const volume of tx.commit?.volumes ?? []) {
    const root = volume.inner?.oldRoot;
    if (!root || !isTree(await standingAt(fs, volume.oldPath), volume.old)) continue;
    const { uid, gid, mode } = root;
    await naming('chown', volume.oldPath, () => fs.chown(volume.oldPath, uid, gid));
    await naming('chmod', volume.oldPath, () => fs.chmod(volume.oldPath, mode));
  }
}

export async function keptTrees(parts: EngineParts): Promise<readonly KeptRecord[]> {
  return (await new KeptRecords(parts.fs, parts.dataDir).list()).records;
}

/**
 * Removes old trees past their time: each by identity, at the very place where it was kept. One that is elsewhere now is somebody's, and stays; so
 * does what stands in its place. Idempotent; a kill leaves the note until all of it is done.
 * @param spared workloads whose trees stay for now, whatever their time
 */
export async function collectKept(
  parts: EngineParts,
  signal: AbortSignal,
  spared: ReadonlySet<string> = new Set(),
): Promise<KeptReport> {
  const store = new KeptRecords(parts.fs, parts.dataDir);
  const { records, unreadable } = await store.list();
  const collected: string[] = [];
  const problems: Note[] = unreadable.map((file) => ({ code: 'IO_ERROR', params: { call: 'read', path: file, why: 'not a note of ours' } })); // prettier-ignore
  const now = parts.clock.now().getTime();
  for (const record of records) {
    if (signal.aborted) break;
    if (Date.parse(record.keptUntil) > now || spared.has(record.workloadId)) continue;
    try {
      await collectOne(parts, record, signal);
      await store.remove(record.txId);
      collected.push(record.txId);
    } catch (error) {
      const note: Note = isForgeError(error)
        ? { code: error.code, params: { ...error.params } }
        : { code: 'INTERNAL', params: { why: String((error as Error | null)?.message) } };
      problems.push(note);
      parts.log.warn({ tx: record.txId, operation: record.operationId, ...note }, 'an old tree is kept longer');
    }
  }
  return { collected, problems };
}

/** Another file system in this place, or none, says nothing about the tree: the note stays, or nobody would ever remove it. */
async function assertMounted(fs: FsPort, parent: string, fileSystem: string): Promise<void> {
  const at = await existingAncestor(fs, parent);
  if ((await naming('stat', at, () => fs.fileSystemNames(at))).includes(fileSystem)) return;
  const why = 'the file system of what is kept is not mounted here';
  throw new ForgeError({ code: 'IO_ERROR', params: { call: 'mount', path: parent, why } });
}

async function collectOne(parts: EngineParts, record: KeptRecord, signal: AbortSignal): Promise<void> {
  const { fs } = parts;
  for (const { index, parent, path: keptAt, livePath, identity } of record.trees) {
    await assertMounted(fs, parent, identity.fileSystem);
    const trashName = `${record.txId}-${index}-old`;
    const places = [keptAt, path.join(parent, `${ownNames.trashPrefix}${trashName}`)];
    for (const place of places) {
      if (!isTree(await naming('stat', place, () => standingAt(fs, place)), identity)) continue;
      await discardTree(parts, { parent, identity, likely: [keptAt], trashName, livePath }, signal);
      break;
    }
    await syncDirectories(fs, [await existingAncestor(fs, parent)]);
  }
}
