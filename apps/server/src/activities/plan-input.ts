import { ForgeError } from '@tiny-forge/contracts/domain';
import type { PlanInput, SnapshotSource } from '@tiny-forge/volsnap';
import type { SnapshotRecord, WorkloadRecord } from '../state/index.ts';
import type { HostParts } from './host-parts.ts';
import { atRevision } from './workload-work.ts';

/**
 * What the plan of a restore is computed from: the current config (I1) and the catalogue.
 * @throws NOT_FOUND for an unknown snapshot or one of another workload, SNAPSHOT_NOT_READY
 */
export async function planInput(
  parts: Pick<HostParts, 'state' | 'settings' | 'captureEngine'>,
  record: WorkloadRecord,
  snapshotId: string,
  safety: PlanInput['safety'],
): Promise<PlanInput> {
  const snapshot = await parts.state.snapshots.get(snapshotId);
  if (!snapshot || snapshot.workloadId !== record.id) {
    throw new ForgeError({ code: 'NOT_FOUND', params: { what: `snapshot ${snapshotId}` } });
  }
  const lastGood = await parts.state.deployments.lastGood(record.id);
  const last = await parts.state.operations.lastEnded(record.id, 'restore', 'SUCCEEDED');
  return {
    workload: atRevision(record),
    snapshot: snapshotSource(parts, snapshot),
    safety,
    lastGoodImage: lastGood?.image ?? null,
    safetyDays: parts.settings.safetyDays,
    nameIsAmbiguous: (await parts.state.workloads.countByName(record.config.name)) > 1,
    lastRestore: last ? durations(last.view) : null,
  };
}

function snapshotSource(parts: Pick<HostParts, 'captureEngine'>, snapshot: SnapshotRecord): SnapshotSource {
  const { manifest, archiveSha256, bytes, contentBytes } = snapshot;
  if (
    snapshot.state !== 'READY' ||
    manifest === null ||
    archiveSha256 === null ||
    bytes === null ||
    contentBytes === null
  ) {
    throw new ForgeError({
      code: 'SNAPSHOT_NOT_READY',
      params: { snapshotId: snapshot.id, state: snapshot.state },
    });
  }
  return {
    id: snapshot.id,
    workloadId: snapshot.workloadId,
    createdAt: snapshot.createdAt,
    file: parts.captureEngine.archivePath(snapshot.workloadId, snapshot.id, snapshot.codec),
    archiveSha256,
    bytes,
    contentBytes,
    manifest,
    volumes: snapshot.volumes.map(({ index, contentBytes: size, entries }) => ({ index, contentBytes: size, entries })),
    image: snapshot.image,
  };
}

function durations(view: {
  readonly steps: readonly {
    readonly name: string;
    readonly startedAt: string | null;
    readonly endedAt: string | null;
  }[];
  readonly downtime?: { readonly from: string; readonly to: string | null };
}): PlanInput['lastRestore'] {
  const extract = view.steps.find((step) => step.name === 'extract');
  const staging = secondsBetween(extract?.startedAt ?? null, extract?.endedAt ?? null);
  const downtime = secondsBetween(view.downtime?.from ?? null, view.downtime?.to ?? null);
  return staging === null || downtime === null ? null : { stagingSeconds: staging, downtimeSeconds: downtime };
}

const secondsBetween = (from: string | null, to: string | null): number | null =>
  from === null || to === null ? null : (Date.parse(to) - Date.parse(from)) / 1000;
