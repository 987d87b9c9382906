import { createHash } from 'node:crypto';
import { ForgeError, isForgeError } from '@tiny-forge/contracts/domain';
import type { CaptureInput, FrozenPlan } from '@tiny-forge/volsnap';
import type { SafetyAnswer, SafetyWish } from '@tiny-forge/workflows';
import type { ActivityContext } from './guard-activities.ts';
import type { HostParts } from './host-parts.ts';
import { atRevision, frozenWorkload } from './workload-work.ts';

const DAY_MS = 24 * 3600 * 1000;

/**
 * What COMMIT needs: a safety snapshot, or the word that the old trees are kept. Past SAFE the journal's answer counts, whatever is asked for now.
 * @param wish what a person asked for last; absent: as the plan says
 * @throws SAFETY_SNAPSHOT_FAILED and what capture and journal throw
 */
export async function makeSafe(
  parts: HostParts,
  plan: FrozenPlan,
  wish: SafetyWish | undefined,
  context: ActivityContext,
): Promise<SafetyAnswer> {
  const status = await parts.restoreEngine.status(plan.operationId);
  const decided = status?.keepsOldTrees ? 'keep-old-tree' : status?.safetySnapshotId != null ? 'snapshot' : null;
  if ((decided ?? wish ?? plan.safety) !== 'keep-old-tree') return takeSafetySnapshot(parts, plan, context);
  await parts.restoreEngine.recordOldTreesKept(plan);
  await dropUnfinished(parts, plan);
  return { snapshotId: null };
}

/** What attempts at a safety snapshot left: it will never be one. */
async function dropUnfinished(parts: HostParts, plan: FrozenPlan): Promise<void> {
  const snapshotId = idOf(plan.operationId);
  if ((await parts.state.snapshots.get(snapshotId))?.state === 'READY') return;
  await parts.state.transaction((stores) => stores.snapshots.dropOfOperation(plan.operationId));
  await parts.captureEngine.remove(plan.workloadId, snapshotId);
}

/**
 * The durable copy of the quiet live data that a restore replaces, at the widest tier, listed, pinned and only then recorded SAFE. Every attempt
 * means the same snapshot.
 * @throws SAFETY_SNAPSHOT_FAILED and what the capture throws
 */
async function takeSafetySnapshot(parts: HostParts, plan: FrozenPlan, context: ActivityContext): Promise<SafetyAnswer> {
  const { snapshots } = parts.state;
  const record = await frozenWorkload(parts, plan.workloadId, plan.revision);
  const snapshotId = idOf(plan.operationId);
  const codec = record.config.codec ?? parts.settings.codec;
  await parts.state.transaction(async (stores) => {
    await stores.snapshots.insert({
      id: snapshotId,
      workloadId: plan.workloadId,
      kind: 'pre-restore',
      note: null,
      quiesce: 'stop',
      codec,
      operationId: plan.operationId,
      expiresAt: new Date(parts.clock.now().getTime() + parts.settings.safetyDays * DAY_MS).toISOString(),
    });
    await stores.snapshots.pin(snapshotId, plan.operationId, 'safety');
  });
  const captured = await parts.captureEngine
    .capture(await captureInput(parts, plan), context)
    .catch((error: unknown) => {
      if (isForgeError(error)) throw error;
      throw new ForgeError({
        code: 'SAFETY_SNAPSHOT_FAILED',
        params: { why: error instanceof Error ? error.message : String(error) },
        cause: error,
      });
    });
  const ready = await snapshots.complete(snapshotId, { ...captured, image: plan.image, codec });
  if (!ready) throw new ForgeError({ code: 'SAFETY_SNAPSHOT_FAILED', params: { why: 'it could not be listed' } });
  await parts.restoreEngine.recordSafe(plan, snapshotId);
  const row = await snapshots.get(snapshotId);
  return { snapshotId, expiresAt: row?.expiresAt ?? '', notes: captured.notes.length };
}

async function captureInput(parts: HostParts, plan: FrozenPlan): Promise<CaptureInput> {
  const record = await frozenWorkload(parts, plan.workloadId, plan.revision);
  return {
    workload: atRevision(record),
    snapshotId: idOf(plan.operationId),
    kind: 'pre-restore',
    quiesce: 'stop',
    codec: record.config.codec ?? parts.settings.codec,
    links: 'widest',
    targets: plan.targets.map(({ target }) => target),
    reserve: true,
  };
}

/**
 * Reads, while the app still runs, what the safety snapshot need not read again once it stands still. Only time is lost where it
 * does not succeed, unless the data cannot be read at all.
 * @throws CANCELLED, LIVE_DATA_UNREADABLE
 */
export async function warmSafetySnapshot(parts: HostParts, plan: FrozenPlan, context: ActivityContext): Promise<void> {
  if (plan.safety !== 'snapshot') return;
  const onProgress = (): void => undefined;
  await parts.captureEngine
    .warm(await captureInput(parts, plan), { ...context, onProgress })
    .catch((error: unknown) => {
      if (!isForgeError(error) || error.code !== 'IO_ERROR') throw error;
      const { path = '', why = '' } = error.params;
      throw new ForgeError({ code: 'LIVE_DATA_UNREADABLE', params: { path, why }, cause: error });
    });
}

/** What a restore that went back leaves of it. */
export async function dropWarmSnapshot(parts: HostParts, plan: FrozenPlan): Promise<void> {
  await parts.captureEngine.dropWarm(plan.workloadId, idOf(plan.operationId));
}

/** A UUID (version 8) made of the operation's id. */
function idOf(operationId: string): string {
  const hex = createHash('sha256').update(`${operationId}/pre-restore`).digest('hex').slice(0, 32);
  const text = `${hex.slice(0, 12)}8${hex.slice(13, 16)}8${hex.slice(17)}`;
  return [text.slice(0, 8), text.slice(8, 12), text.slice(12, 16), text.slice(16, 20), text.slice(20)].join('-');
}
