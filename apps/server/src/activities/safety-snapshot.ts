import { createHash } from 'node:crypto';
import { ForgeError, isForgeError } from '@tiny-forge/contracts/domain';
import type { FrozenPlan } from '@tiny-forge/volsnap';
import type { ActivityContext } from './guard-activities.ts';
import type { HostParts } from './host-parts.ts';
import { atRevision, frozenWorkload } from './workload-work.ts';

const DAY_MS = 24 * 3600 * 1000;

/**
 * The durable copy of the quiet live data that a restore replaces, at the widest tier, listed, pinned and only then recorded SAFE. Every attempt
 * means the same snapshot.
 * @throws SAFETY_SNAPSHOT_FAILED and what the capture throws
 */
export async function takeSafetySnapshot(
  parts: HostParts,
  plan: FrozenPlan,
  context: ActivityContext,
): Promise<{ readonly snapshotId: string; readonly expiresAt: string; readonly notes: number }> {
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
    .capture(
      {
        workload: atRevision(record),
        snapshotId,
        kind: 'pre-restore',
        quiesce: 'stop',
        codec,
        links: 'widest',
        targets: plan.targets.map(({ target }) => target),
        reserve: true,
      },
      context,
    )
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

/** A UUID (version 8) made of the operation's id. */
function idOf(operationId: string): string {
  const hex = createHash('sha256').update(`${operationId}/pre-restore`).digest('hex').slice(0, 32);
  const text = `${hex.slice(0, 12)}8${hex.slice(13, 16)}8${hex.slice(17)}`;
  return [text.slice(0, 8), text.slice(8, 12), text.slice(12, 16), text.slice(16, 20), text.slice(20)].join('-');
}
