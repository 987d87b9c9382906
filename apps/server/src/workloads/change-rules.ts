import { lstat } from 'node:fs/promises';
import { isDeepStrictEqual } from 'node:util';
import type { WorkloadConfig } from '@tiny-forge/contracts/domain';
import { RequestError } from '../http/problem.ts';
import type { Parts } from '../parts.ts';
import type { OperationRecord, WorkloadRecord } from '../state/index.ts';

const IDENTITY = ['project', 'stage', 'name', 'host'] as const;

/** `local` is an alias: naming the same host in another way moves nothing. */
const placed = (config: WorkloadConfig, { hostId }: Pick<Parts, 'hostId'>): WorkloadConfig =>
  config.host === hostId ? { ...config, host: 'local' } : config;

/** Names what would leave data behind. @throws VOLUME_WOULD_MOVE */
export async function assertNothingMoves(record: WorkloadRecord, next: WorkloadConfig, parts: Parts): Promise<void> {
  const before = placed(record.config, parts);
  const after = placed(next, parts);
  const field = IDENTITY.find((each) => before[each] !== after[each]);
  for (const volume of before.volumes) {
    const same = next.volumes.find((each) => each.target === volume.target);
    const moves = same && (same.scope !== volume.scope || same.source !== volume.source);
    if (field === undefined && !moves) continue;
    const path = await existing(record, volume, parts);
    if (path === null) continue;
    throw new RequestError('VOLUME_WOULD_MOVE', { field: field ?? 'volumes', path });
  }
}

/** Volumes, host and source stay as they are while an operation works with them (I5). @throws WORKLOAD_HELD, OPERATION_IN_PROGRESS */
export function assertNotUnderOperation(
  before: WorkloadConfig,
  next: WorkloadConfig,
  open: readonly OperationRecord[],
  parts: Pick<Parts, 'hostId'>,
): void {
  const [was, is] = [placed(before, parts), placed(next, parts)];
  const field = (['volumes', 'host', 'source'] as const).find((each) => !isDeepStrictEqual(was[each], is[each]));
  if (field === undefined) return;
  const held = open.find((operation) => operation.state === 'NEEDS_OPERATOR');
  if (held && field === 'volumes') throw new RequestError('WORKLOAD_HELD', { operationId: held.id });
  const operation = open[0];
  if (operation) {
    throw new RequestError('OPERATION_IN_PROGRESS', { operationId: operation.id, kind: operation.kind, field });
  }
}

async function existing(
  record: WorkloadRecord,
  volume: WorkloadConfig['volumes'][number],
  { registry, dataDir, settings }: Parts,
): Promise<string | null> {
  try {
    const { hostPath } = await registry.scope(volume.scope).instance.resolve(volume, {
      dataDir,
      workloadId: record.id,
      allowedRoots: settings.allowedRoots,
      forbidden: [],
    });
    await lstat(hostPath);
    return hostPath;
  } catch {
    return null;
  }
}
