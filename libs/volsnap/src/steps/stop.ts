import { ForgeError, type AppBefore } from '@tiny-forge/contracts/domain';
import type { ContainerSummary } from '@tiny-forge/docker';
import { forwardTransaction, type EngineParts } from '../engine-parts.ts';
import type { Transaction } from '../journal/transaction.ts';
import { instanceLabels } from '../plan/directory-users.ts';
import type { FrozenPlan, RecordedContainer, StepContext } from '../restore-engine.ts';

export interface Stopped {
  readonly before: AppBefore;
  readonly containers: readonly RecordedContainer[];
  readonly stoppedAt: string;
}

/** Containers that start while others are being stopped are recorded and stopped too, so many times. */
const MAX_ROUNDS = 5;

export const isUp = (container: Pick<ContainerSummary, 'state'>): boolean =>
  container.state === 'running' || container.state === 'paused' || container.state === 'restarting';

export async function stop(parts: EngineParts, plan: FrozenPlan, context: StepContext): Promise<Stopped> {
  let tx = await forwardTransaction(parts, plan, 'stop', 'STAGED');
  if (!tx.staged)
    throw new ForgeError({ code: 'TX_STATE', params: { step: 'stop', needs: 'STAGED', found: tx.state } });
  if (tx.quiesced && tx.quiescing)
    return {
      before: tx.quiescing.before,
      containers: tx.quiescing.containers,
      stoppedAt: tx.quiesced.stoppedAt,
    };
  const { docker } = parts;
  const labels = instanceLabels(parts.installation, plan.workloadId);
  for (let round = 0; ; round++) {
    const instances = await docker.listContainers(labels, context.signal);
    const fresh = instances.filter((one) => !tx.quiescing?.containers.some((recorded) => recorded.id === one.id));
    if (!tx.quiescing || fresh.length > 0) tx = await recordContainers(parts, tx, fresh, context.signal);
    if (tx.quiescing !== null && round > 0 && fresh.length === 0 && !instances.some(isUp)) break;
    const culprit = instances.find(isUp);
    if (round >= MAX_ROUNDS && culprit)
      throw new ForgeError({
        code: 'CONTAINER_APPEARED',
        params: { container: culprit.name, path: plan.targets[0]?.hostPath ?? 'the data' },
      });
    for (const one of instances) await docker.setRestartPolicy(one.id, 'no', context.signal);
    for (const one of instances.filter(isUp))
      await docker.stopContainer(one.id, plan.stopTimeoutSeconds, context.signal);
  }
  const stoppedAt = parts.clock.now().toISOString();
  const done = await parts.journals.append(tx, { type: 'QUIESCED', stoppedAt });
  return {
    before: done.quiescing?.before ?? 'absent',
    containers: done.quiescing?.containers ?? [],
    stoppedAt,
  };
}

/** What was first recorded stays: a second look would see our own policy `no` and stopped containers. */
async function recordContainers(
  parts: EngineParts,
  tx: Transaction,
  fresh: readonly ContainerSummary[],
  signal: AbortSignal,
): Promise<Transaction> {
  const recorded: RecordedContainer[] = [];
  let healthy = true;
  for (const summary of fresh) {
    const detail = await parts.docker.inspectContainer(summary.id, signal);
    if (!detail) continue;
    const running = isUp(detail);
    if (running)
      healthy &&=
        detail.state !== 'restarting' &&
        detail.health !== 'unhealthy' &&
        (await parts.healthOf(detail, tx.workloadId, signal));
    recorded.push({
      id: detail.id,
      name: detail.name,
      imageId: detail.imageId,
      restartPolicy: detail.restartPolicy,
      running,
      health: detail.health,
    });
  }
  const before =
    tx.quiescing?.before ??
    (recorded.length === 0
      ? 'absent'
      : !recorded.some((one) => one.running)
        ? 'stopped'
        : healthy
          ? 'running-healthy'
          : 'running-unhealthy');
  const containers = [...(tx.quiescing?.containers ?? []), ...recorded];
  return parts.journals.append(tx, { type: 'QUIESCING', before, containers });
}

/** @param snapshotId null: the old trees are kept instead */
export async function recordSafe(parts: EngineParts, plan: FrozenPlan, snapshotId: string | null): Promise<void> {
  const tx = await forwardTransaction(parts, plan, 'preRestoreSnapshot', 'QUIESCED');
  if (tx.safe && tx.safe.snapshotId === snapshotId) return;
  if (tx.safe || !tx.quiesced)
    throw new ForgeError({
      code: 'TX_STATE',
      params: { step: 'preRestoreSnapshot', needs: 'QUIESCED', found: tx.safe ? 'SAFE' : tx.state },
    });
  await parts.journals.append(tx, { type: 'SAFE', snapshotId });
}
