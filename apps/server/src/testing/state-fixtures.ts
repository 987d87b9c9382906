import { randomUUID } from 'node:crypto';
import type { EndedState, OperationState } from '@tiny-forge/contracts/domain';
import type { OperationView } from '@tiny-forge/workflows';
import { api } from '@tiny-forge/contracts';
import type { TestServer } from './test-server.ts';

/** Rows put straight into the database, where a spec needs them and not how they came. */
export async function addWorkload(server: TestServer, over: Record<string, unknown> = {}): Promise<string> {
  const config = api.workloadConfig.parse({
    name: `app-${randomUUID().slice(0, 8)}`,
    project: 'demo',
    stage: 'prod',
    source: { type: 'image', image: 'guestbook:1', pull: 'missing' },
    volumes: [{ scope: 'stage', source: 'data', target: '/data' }],
    ...over,
  });
  const { state, hostId } = server.parts;
  const record = await state.transaction((stores) => stores.workloads.create(randomUUID(), config, hostId));
  return record.id;
}

export async function addSnapshot(
  server: TestServer,
  workloadId: string,
  state: 'READY' | 'CREATING' = 'READY',
): Promise<string> {
  const { snapshots } = server.parts.state;
  const id = randomUUID();
  await snapshots.insert({
    id,
    workloadId,
    kind: 'manual',
    note: 'by a spec',
    quiesce: 'pause',
    codec: 'zstd',
    operationId: null,
    expiresAt: null,
  });
  if (state === 'READY') {
    await snapshots.complete(id, {
      image: { reference: 'guestbook:1', imageId: 'sha256:1', digest: null },
      bytes: 100,
      contentBytes: 50,
      entries: 2,
      archiveSha256: 'ab'.repeat(32),
      manifest: {
        formatVersion: 1,
        quiesce: 'pause',
        volumes: [{ index: 0, target: '/data', scope: 'stage', source: 'data' }],
      },
      volumes: [{ index: 0, target: '/data', scope: 'stage', source: 'data', contentBytes: 50, entries: 2 }],
      notes: [],
      quiesce: 'pause',
      codec: 'zstd',
    });
  }
  return id;
}

/** Moves a row as its workflow would. */
export async function begin(server: TestServer, operationId: string): Promise<void> {
  const { operations } = server.parts.state;
  const row = await operations.get(operationId);
  if (!row) throw new Error(`no operation ${operationId}`);
  await operations.begin(operationId, `run-${operationId}`, 1, { ...row.view, state: 'RUNNING' });
}

export async function record(
  server: TestServer,
  operationId: string,
  state: OperationState,
  over: Partial<OperationView> = {},
): Promise<void> {
  const { operations } = server.parts.state;
  const row = await operations.get(operationId);
  if (!row) throw new Error(`no operation ${operationId}`);
  await operations.record(operationId, row.seq + 1, { ...row.view, ...over, state });
}

export async function end(
  server: TestServer,
  operationId: string,
  state: EndedState,
  over: Partial<OperationView> = {},
): Promise<void> {
  await server.parts.state.transaction(async ({ operations }) => {
    const row = await operations.get(operationId);
    if (!row) throw new Error(`no operation ${operationId}`);
    await operations.end(operationId, { ...row.view, ...over, state });
  });
}
