import type { Snapshot } from '@tiny-forge/contracts/domain';
import { presentError } from '../operations/error-presenter.ts';
import type { SnapshotRecord, State } from '../state/index.ts';

/** Snapshots as the API tells them, with the pins that hold now. */
export async function presentSnapshots(records: readonly SnapshotRecord[], state: State): Promise<Snapshot[]> {
  const pins = await state.snapshots.pinsOf(records.map((record) => record.id));
  return records.map((record) => ({
    id: record.id,
    workloadId: record.workloadId,
    kind: record.kind,
    state: record.state,
    createdAt: record.createdAt,
    note: record.note,
    bytes: record.bytes,
    contentBytes: record.contentBytes,
    entries: record.entries,
    codec: record.codec,
    quiesce: record.quiesce,
    image: record.image ? { ...record.image } : null,
    volumes: record.volumes.map((volume) => ({ ...volume })),
    pins: pins
      .filter((pin) => pin.snapshotId === record.id)
      .map(({ operationId, reason, expiresAt }) => ({ operationId, reason, expiresAt })),
    notes: record.notes.map((note) => ({ ...note })),
    operationId: record.operationId,
    expiresAt: record.expiresAt,
    ...(record.error ? { error: presentError(record.error) } : {}),
  }));
}
