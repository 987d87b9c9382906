import { isForgeError, LABELS } from '@tiny-forge/contracts/domain';
import type { EngineParts } from './engine-parts.ts';
import { txIdOf } from './journal/journal-name.ts';
import type { Transaction } from './journal/transaction.ts';
import { instanceLabels } from './plan/directory-users.ts';
import type { SweepReport } from './restore-engine.ts';
import { collectDone } from './steps/collect.ts';
import { sweepProbes } from './steps/probe-parents.ts';
import { assertNoProcessUses } from './steps/quiet.ts';
import { isUp } from './steps/stop.ts';
import { moveBack } from './steps/undo.ts';
import { swapForward } from './swap/swap-volumes.ts';

type Mutable<T> = { -readonly [K in keyof T]: T[K] extends readonly (infer U)[] ? U[] : T[K] };

/**
 * Host recovery (restore.md 4). Renames only where live directories may be mixed, in COMMIT and ROLLBACK; in QUIESCING to SAFE it makes sure that
 * policies are `no`; after DONE it collects garbage. Never starts a container, never asks Temporal. Running it twice changes nothing.
 */
export async function sweep(parts: EngineParts, signal: AbortSignal): Promise<SweepReport> {
  const report: Mutable<Required<SweepReport>> = {
    swappedForward: [],
    swappedBack: [],
    policiesHeld: [],
    collected: [],
    corrupt: [],
    unresolved: [],
  };
  await parts.journals.prepare();
  await parts.journals.removeUnfinished();
  for (const found of await parts.journals.list()) {
    if (found.kind === 'corrupt') {
      report.corrupt.push({ file: found.file, detail: `corrupt at byte ${found.offset}` });
      parts.log.error({ file: found.file, offset: found.offset }, 'a journal is corrupt; nothing of it is touched');
      continue;
    }
    try {
      await sweepOne(parts, found.tx, report, signal);
    } catch (error) {
      const code = isForgeError(error) ? error.code : 'INTERNAL';
      report.unresolved.push({ txId: found.tx.txId, code, detail: String((error as Error | null)?.message) });
      parts.log.error({ tx: found.tx.txId, operation: found.tx.operationId, code, err: error }, 'left as it is');
    }
  }
  await sweepProbes(parts);
  await sweepHolders(parts, signal).catch((error: unknown) =>
    parts.log.warn({ err: error }, 'holders were not looked at'),
  );
  return report;
}

async function sweepOne(
  parts: EngineParts,
  tx: Transaction,
  report: Mutable<Required<SweepReport>>,
  signal: AbortSignal,
): Promise<void> {
  switch (tx.state) {
    case 'QUIESCING':
    case 'QUIESCED':
    case 'SAFE':
      if (await holdPolicies(parts, tx, signal)) report.policiesHeld.push(tx.txId);
      return;
    case 'COMMIT': {
      await quieten(parts, tx, signal);
      const back = await forward(parts, tx);
      (back ? report.swappedBack : report.swappedForward).push(tx.txId);
      return;
    }
    case 'ROLLBACK':
      await quieten(parts, tx, signal);
      await moveBack(parts, tx);
      report.swappedBack.push(tx.txId);
      return;
    case 'DONE':
      if ((await collectDone(parts, tx, 'leave', signal)).closed) report.collected.push(tx.txId);
      return;
    case 'CLOSED':
      await parts.journals.trust(tx);
      await parts.journals.retireClosed(tx);
      report.collected.push(tx.txId);
      return;
    default:
      return;
  }
}

/** @returns whether it had to go back */
async function forward(parts: EngineParts, tx: Transaction): Promise<boolean> {
  try {
    await swapForward(parts.fs, tx.commit?.volumes ?? []);
  } catch (error) {
    // What may pass is left to the next attempt; only what cannot is undone.
    if (!isForgeError(error) || error.retryable) throw error;
    await moveBack(parts, await parts.journals.append(tx, { type: 'ROLLBACK', reason: error.code }));
    return true;
  }
  await parts.journals.append(tx, { type: 'SWAPPED' });
  return false;
}

/** Before anything moves: the journal is on disk, our instances are stopped where Docker answers, no process has a tree mounted. */
async function quieten(parts: EngineParts, tx: Transaction, signal: AbortSignal): Promise<void> {
  await parts.journals.trust(tx);
  await holdPolicies(parts, tx, signal);
  const volumes = tx.commit?.volumes ?? [];
  try {
    const { stopTimeoutSeconds } = tx.begin.plan;
    for (const one of await parts.docker.listContainers(instanceLabels(parts.installation, tx.workloadId), signal))
      if (isUp(one)) await parts.docker.stopContainer(one.id, stopTimeoutSeconds, signal);
  } catch (error) {
    if (!isForgeError(error) || error.code !== 'DOCKER_AWAY') throw error;
  }
  await assertNoProcessUses(
    parts,
    volumes.flatMap((volume) => [volume.livePath, volume.oldPath]),
  );
}

/** @returns whether one had to be set. Docker away: false; then it starts nothing either, and the steps check again. */
async function holdPolicies(parts: EngineParts, tx: Transaction, signal: AbortSignal): Promise<boolean> {
  await parts.journals.trust(tx);
  let held = false;
  try {
    const recorded = (tx.quiescing?.containers ?? []).map((container) => container.id);
    const present = await parts.docker.listContainers(instanceLabels(parts.installation, tx.workloadId), signal);
    for (const id of new Set([...recorded, ...present.map((one) => one.id)])) {
      const detail = await parts.docker.inspectContainer(id, signal);
      if (!detail || detail.restartPolicy === 'no') continue;
      await parts.docker.setRestartPolicy(id, 'no', signal);
      held = true;
    }
  } catch (error) {
    if (!isForgeError(error) || error.code !== 'DOCKER_AWAY') throw error;
    parts.log.warn({ tx: tx.txId }, 'Docker does not answer; restart policies were not checked');
  }
  return held;
}

/** A restore between its first two steps has a holder and no journal; after so long its operation is gone, and `extract` makes another one. */
const HOLDER_LIFE_MS = 86_400_000;

async function sweepHolders(parts: EngineParts, signal: AbortSignal): Promise<void> {
  const labels = { [LABELS.installation]: parts.installation, [LABELS.role]: 'holder' };
  for (const holder of await parts.docker.listContainers(labels, signal)) {
    const operationId = holder.labels[LABELS.operation];
    if (operationId === undefined) continue;
    const journal = await parts.journals.find(txIdOf(operationId));
    const old = parts.clock.now().getTime() - holder.createdAt.getTime() > HOLDER_LIFE_MS;
    if (journal ? journal.closed : old) await parts.docker.removeContainer(holder.id, { force: true }, signal);
  }
}
