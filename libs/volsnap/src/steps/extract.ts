import { ForgeError } from '@tiny-forge/contracts/domain';
import { parseMountinfo } from '@tiny-forge/docker';
import { assertForward, certain, transactionOf, type EngineParts } from '../engine-parts.ts';
import { throwIfAborted } from '../host-mutex.ts';
import { isTree, standingAt } from '../identity/tree-identity.ts';
import type { StagedVolume } from '../journal/record.ts';
import type { Transaction } from '../journal/transaction.ts';
import { fileSystemFacts, missingParents } from '../plan/gather-host-facts.ts';
import { reserveOf } from '../plan/space-needs.ts';
import { naming, syncDirectories } from '../ports/fs-error.ts';
import type { FrozenPlan, RestoreTarget, StepContext } from '../restore-engine.ts';
import { keepingTime } from '../swap/inner-entries.ts';
import { stagingPathOf } from '../swap/swap-plan.ts';
import { collectDone } from './collect.ts';
import { discardAttempts, nextAttempt, removeUnrecorded } from './discard-attempts.ts';
import { holdImage } from './holder.ts';

export async function extract(
  parts: EngineParts,
  plan: FrozenPlan,
  context: StepContext,
): Promise<{ readonly contentBytes: number; readonly entries: number }> {
  let tx = await transactionOf(parts, plan);
  if (tx) assertForward(tx, 'extract', 'BEGIN');
  if (tx?.staged) return { contentBytes: tx.staged.contentBytes, entries: tx.staged.entries };
  if (plan.image) await holdImage(parts, { ...plan, image: plan.image }, context.signal);
  tx ??= await begin(parts, plan, context.signal);
  tx = await certain(parts, tx);

  await discardAttempts(parts, tx, context.signal);
  await makeParents(parts, tx);
  throwIfAborted(context.signal);
  const { tx: begun, volumes, attempt } = await makeStaging(parts, tx);
  const done = await fill(parts, plan, volumes, context);
  await makeDurable(parts, volumes);
  throwIfAborted(context.signal);
  await parts.journals.append(begun, { type: 'STAGED', attempt, volumes, ...done });
  return done;
}

/** Garbage of a restore that is done must not hold the next one back. */
async function begin(parts: EngineParts, plan: FrozenPlan, signal: AbortSignal): Promise<Transaction> {
  for (const other of await parts.journals.list())
    if (other.kind === 'transaction' && other.tx.workloadId === plan.workloadId && other.tx.state === 'DONE')
      await collectDone(parts, other.tx, 'start', signal);
  const missing = new Set<string>();
  for (const target of plan.targets)
    if (!target.absentInSnapshot)
      for (const parent of await missingParents(parts.fs, target.base, target.parent)) missing.add(parent);
  return parts.journals.begin(plan, [...missing]);
}

/** Missing parents of absent live directories, as for a deploy: root, 0755. In the journal before they are made; durable with the staging trees. */
async function makeParents(parts: EngineParts, tx: Transaction): Promise<void> {
  const { fs } = parts;
  for (const parent of tx.begin.missingParents)
    if ((await fs.stat(parent)) === null) await naming('mkdir', parent, () => fs.mkdir(parent, 0o755));
}

/** Empty roots first, their identities in the journal, then content: what is deleted later is known by identity from its first byte on. */
async function makeStaging(
  parts: EngineParts,
  tx: Transaction,
): Promise<{ readonly tx: Transaction; readonly volumes: StagedVolume[]; readonly attempt: number }> {
  const { fs } = parts;
  const { plan } = tx.begin;
  const wanted = plan.targets.filter((target) => !target.absentInSnapshot);
  const attempt = await freeAttempt(parts, tx, wanted);
  const volumes: StagedVolume[] = [];
  for (const target of plan.targets) {
    if (target.absentInSnapshot) {
      volumes.push({ index: target.index, staging: null });
      continue;
    }
    const staging = stagingPathOf(plan, target, attempt);
    const make = (): Promise<void> => naming('mkdir', staging, () => fs.mkdir(staging, 0o700));
    await (target.swap === 'inner' ? keepingTime(fs, target.hostPath, make) : make());
    const standing = await naming('stat', staging, () => standingAt(fs, staging));
    if (standing.kind !== 'tree' || standing.identity === null)
      throw new ForgeError({ code: 'FS_IDENTITY', params: { path: target.parent } });
    volumes.push({ index: target.index, staging: { path: staging, identity: standing.identity } });
  }
  await syncDirectories(
    fs,
    wanted.map((target) => target.parent),
  );
  return { tx: await parts.journals.append(tx, { type: 'STAGING', attempt, volumes }), volumes, attempt };
}

async function freeAttempt(parts: EngineParts, tx: Transaction, wanted: readonly RestoreTarget[]): Promise<number> {
  await removeUnrecorded(parts, tx);
  const first = nextAttempt(tx);
  for (let attempt = first; attempt < first + 100; attempt++) {
    const taken = await Promise.all(
      wanted.map((target) => parts.fs.stat(stagingPathOf(tx.begin.plan, target, attempt))),
    );
    if (taken.every((found) => found === null)) return attempt;
  }
  throw new ForgeError({ code: 'DATA_CHANGED', params: { path: wanted[0]?.parent ?? '' } });
}

async function fill(
  parts: EngineParts,
  plan: FrozenPlan,
  volumes: readonly StagedVolume[],
  context: StepContext,
): Promise<{ readonly contentBytes: number; readonly entries: number }> {
  const mounts = parseMountinfo(await naming('read', '/proc/self/mountinfo', () => parts.fs.mountInfo()));
  const byFileSystem = new Map<string, { index: number; directory: string }[]>();
  for (const { index, staging } of volumes) {
    if (!staging) continue;
    const group = byFileSystem.get(staging.identity.fileSystem) ?? [];
    byFileSystem.set(staging.identity.fileSystem, [...group, { index, directory: staging.path }]);
  }
  const sum = { contentBytes: 0, entries: 0 };
  for (const roots of byFileSystem.values()) {
    const { space } = await fileSystemFacts(parts.fs, mounts, roots[0]?.directory ?? '/');
    const before = { ...sum };
    const done = await parts.archive.extract({
      file: plan.archiveFile,
      roots,
      reserve: reserveOf(space, parts.reserve),
      signal: context.signal,
      onProgress: (progress) =>
        context.onProgress({
          doneBytes: before.contentBytes + progress.doneBytes,
          totalBytes: before.contentBytes + progress.totalBytes,
          doneEntries: before.entries + progress.doneEntries,
          totalEntries: before.entries + progress.totalEntries,
        }),
    });
    sum.contentBytes += done.contentBytes;
    sum.entries += done.entries;
  }
  return sum;
}

/** One sync per file system, names included, never a second one for the same data: after a failed write-back the kernel calls lost pages clean. */
async function makeDurable(parts: EngineParts, volumes: readonly StagedVolume[]): Promise<void> {
  const { fs } = parts;
  const synced = new Set<string>();
  for (const { staging } of volumes) {
    if (!staging || synced.has(staging.identity.fileSystem)) continue;
    synced.add(staging.identity.fileSystem);
    await naming('sync -f', staging.path, () => fs.syncFileSystem(staging.path));
  }
  for (const { staging } of volumes)
    if (staging && !isTree(await standingAt(fs, staging.path), staging.identity))
      throw new ForgeError({ code: 'DATA_CHANGED', params: { path: staging.path } });
}
