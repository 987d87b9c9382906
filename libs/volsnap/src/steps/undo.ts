import { ForgeError, isForgeError } from '@tiny-forge/contracts/domain';
import type { RestartPolicy } from '@tiny-forge/docker';
import { rollbackTransaction, transactionOf, type EngineParts } from '../engine-parts.ts';
import { accepted, ranOnNew, type Transaction } from '../journal/transaction.ts';
import { instanceLabels, operationLabels } from '../plan/directory-users.ts';
import type { FrozenPlan, RedeployRecorded } from '../restore-engine.ts';
import { removeEmpty } from '../swap/discard-tree.ts';
import { putTimeBack } from '../swap/inner-swap.ts';
import { planSwap } from '../swap/swap-plan.ts';
import { assertSide, swapBack as renameBack } from '../swap/swap-volumes.ts';
import { closeJournal } from './close-journal.ts';
import { discardAttempts, removeInnerOld, removeUnrecorded } from './discard-attempts.ts';
import { releaseImage } from './holder.ts';
import { assertNobodyUses } from './quiet.ts';
import { isUp } from './stop.ts';

export type AppAfterUndo = 'running' | 'stopped' | 'unhealthy' | 'absent';

export async function removeNew(parts: EngineParts, plan: FrozenPlan, signal: AbortSignal): Promise<void> {
  const tx = await rollbackTransaction(parts, plan, 'removeNew');
  // What runs under this operation's label now is what `resume` brought back.
  if (tx?.state === 'CLOSED') return;
  const { docker } = parts;
  const own = operationLabels(parts.installation, plan.workloadId, plan.operationId);
  for (const container of await docker.listContainers(own, signal)) {
    if (isUp(container)) await docker.stopContainer(container.id, plan.stopTimeoutSeconds, signal);
    await docker.removeContainer(container.id, { force: true }, signal);
  }
  if (!tx?.commit || tx.state === 'ROLLED_BACK') return;
  // What somebody started meanwhile runs on data that is about to move.
  for (const container of await docker.listContainers(instanceLabels(parts.installation, plan.workloadId), signal))
    if (isUp(container)) await docker.stopContainer(container.id, plan.stopTimeoutSeconds, signal);
  await assertNobodyUses(
    parts,
    tx.commit.volumes.map((volume) => volume.livePath),
    [],
    signal,
  );
}

export async function swapBack(parts: EngineParts, plan: FrozenPlan, signal: AbortSignal): Promise<void> {
  const tx = await rollbackTransaction(parts, plan, 'swapBack');
  if (!tx || !tx.rolledBack || tx.state === 'ROLLED_BACK' || tx.state === 'CLOSED') return;
  const volumes = tx.commit?.volumes ?? [];
  const paths = volumes.flatMap((volume) => [volume.livePath, volume.oldPath]);
  await assertNobodyUses(parts, paths, [], signal);
  await moveBack(parts, tx);
}

/** ROLLBACK is durable, nobody uses the directories. @throws ROLLBACK_FAILED */
export async function moveBack(parts: EngineParts, tx: Transaction): Promise<Transaction> {
  try {
    await renameBack(parts.fs, tx.commit?.volumes ?? [], { txId: tx.txId, ranOnNew: ranOnNew(tx) });
  } catch (error) {
    const known = isForgeError(error) ? error : null;
    const target = String(known?.params['path'] ?? tx.commit?.volumes[0]?.livePath);
    const why = String(known?.params['why'] ?? known?.code ?? (error as Error).message);
    const retryable = known?.retryable ?? false;
    throw new ForgeError({ code: 'ROLLBACK_FAILED', retryable, params: { target, why }, cause: error });
  }
  return parts.journals.append(tx, { type: 'ROLLED_BACK' });
}

export async function resume(
  parts: EngineParts,
  plan: FrozenPlan,
  redeployRecorded: RedeployRecorded,
  signal: AbortSignal,
): Promise<{ readonly app: AppAfterUndo }> {
  const found = await rollbackTransaction(parts, plan, 'resume');
  if (!found?.quiescing || found.state === 'CLOSED') return { app: await appNow(parts, plan.workloadId, signal) };
  // Without COMMIT nothing was moved and no swapBack precedes this: everything is back already.
  const tx = found.state === 'ROLLBACK' && !found.commit ? await moveBack(parts, found) : found;
  if (tx.state !== 'ROLLED_BACK')
    throw new ForgeError({ code: 'TX_STATE', params: { step: 'resume', needs: 'ROLLED_BACK', found: tx.state } });
  // What a person accepted as it is is theirs to judge.
  if (!accepted(tx))
    await assertSide(parts.fs, found.commit?.volumes ?? planSwap(plan, tx.staged?.volumes ?? []), 'old');
  const { docker } = parts;
  const { containers, before } = found.quiescing;
  let gone = false;
  for (const container of containers) {
    const set = await docker.setRestartPolicy(container.id, container.restartPolicy as RestartPolicy, signal);
    gone ||= set === 'gone' && container.running;
  }
  if (gone) {
    await redeployRecorded(plan.image, signal);
  } else {
    for (const container of containers.filter((one) => one.running)) {
      if ((await docker.startContainer(container.id, signal)) === 'gone') await redeployRecorded(plan.image, signal);
    }
  }
  if (before === 'stopped' || before === 'absent') return { app: before };
  return { app: before === 'running-unhealthy' ? 'unhealthy' : await appNow(parts, plan.workloadId, signal) };
}

async function appNow(parts: EngineParts, workloadId: string, signal: AbortSignal): Promise<AppAfterUndo> {
  const instances = await parts.docker.listContainers(instanceLabels(parts.installation, workloadId), signal);
  if (instances.length === 0) return 'absent';
  const up = instances.filter(isUp);
  if (up.length === 0) return 'stopped';
  return up.some((one) => one.state === 'restarting') ? 'unhealthy' : 'running';
}

export async function dropStaging(parts: EngineParts, plan: FrozenPlan, signal: AbortSignal): Promise<void> {
  const tx = await rollbackTransaction(parts, plan, 'dropStaging');
  if (tx && tx.state !== 'CLOSED') {
    if (tx.quiescing && tx.state !== 'ROLLED_BACK')
      throw new ForgeError({
        code: 'TX_STATE',
        params: { step: 'dropStaging', needs: 'ROLLED_BACK', found: tx.state },
      });
    await discardAttempts(parts, tx, signal);
    await removeUnrecorded(parts, tx);
    await removeInnerOld(parts, tx);
    if (tx.quiescing?.before === 'stopped' || tx.quiescing?.before === 'absent')
      await putTimeBack(parts.fs, tx.commit?.volumes ?? [], 'old');
    for (const parent of tx.begin.missingParents.toReversed())
      if ((await parts.fs.stat(parent)) !== null) await removeEmpty(parts.fs, parent);
  }
  await releaseImage(parts, plan, signal);
}

export async function close(parts: EngineParts, plan: FrozenPlan, signal: AbortSignal): Promise<void> {
  await releaseImage(parts, plan, signal);
  const found = await transactionOf(parts, plan);
  if (!found) return;
  const tx = await rollbackTransaction(parts, plan, 'close');
  if (!tx) return;
  if (tx.quiescing && tx.state !== 'ROLLED_BACK' && tx.state !== 'CLOSED')
    throw new ForgeError({ code: 'TX_STATE', params: { step: 'close', needs: 'ROLLED_BACK', found: tx.state } });
  if (tx.state === 'CLOSED') await parts.journals.retireClosed(tx);
  else await closeJournal(parts, tx);
}
