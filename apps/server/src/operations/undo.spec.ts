import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { api } from '@tiny-forge/contracts';
import { addSnapshot, addWorkload, begin, end, record } from '../testing/state-fixtures.ts';
import type { TestClient } from '../testing/test-client.ts';
import { TestServer } from '../testing/test-server.ts';

let server: TestServer;
let client: TestClient;
let workloadId: string;
beforeAll(async () => {
  server = await TestServer.start();
  client = await server.token();
});
afterAll(() => server.stop());
beforeEach(async () => {
  workloadId = await addWorkload(server);
});

const inDays = (days: number): string => new Date(Date.now() + days * 86_400_000).toISOString();
const get = async (id: string) => (await client.get(`/api/operations/${id}`)).body;
const undo = (id: string, headers = {}) => client.post(`/api/operations/${id}/undo`, {}, headers);
const pins = async (id: string) => (await server.parts.state.snapshots.pins(id)).map((pin) => pin.operationId);

/** The safety snapshot that an operation took. */
async function safetyOf(operationId: string, days = 7): Promise<string> {
  const { snapshots } = server.parts.state;
  const id = randomUUID();
  await snapshots.insert({
    id,
    workloadId,
    kind: 'pre-restore',
    note: null,
    quiesce: 'stop',
    codec: 'zstd',
    operationId,
    expiresAt: inDays(days),
  });
  await snapshots.pin(id, operationId, 'safety');
  const like = await snapshots.get(await addSnapshot(server, workloadId));
  await snapshots.complete(id, { ...(like as never as Parameters<typeof snapshots.complete>[1]) });
  return id;
}

async function restore(): Promise<{ operationId: string; snapshotId: string }> {
  const snapshotId = await addSnapshot(server, workloadId);
  const at = `/api/workloads/${workloadId}/snapshots/${snapshotId}/restore`;
  const answer = await client.post(at, {}, { 'x-confirm-restore': snapshotId });
  if (answer.status !== 202) throw new Error(answer.text);
  await begin(server, answer.body.operationId);
  return { operationId: answer.body.operationId, snapshotId };
}

async function succeeded(): Promise<{ operationId: string; snapshotId: string; safety: string }> {
  const made = await restore();
  const safety = await safetyOf(made.operationId);
  await end(server, made.operationId, 'SUCCEEDED', { undo: { until: inDays(7), snapshotId: safety } });
  return { ...made, safety };
}

describe('undo', () => {
  it('restores the safety snapshot as an operation of its own, pinned from its acceptance on', async () => {
    const { operationId, safety } = await succeeded();
    expect(await get(operationId)).toMatchObject({ actions: ['undo'], undo: { snapshotId: safety } });
    const answer = await undo(operationId);
    expect(answer.status).toBe(202);
    expect(answer.headers['location']).toBe(`/api/operations/${answer.body.operationId}`);
    expect(server.gateway.submitted.at(-1)).toMatchObject({
      kind: 'undo-restore',
      snapshotId: safety,
      options: { planHash: null, safety: 'snapshot' },
    });
    const undoing = await get(answer.body.operationId);
    expect(api.operation.safeParse(undoing).error).toBeUndefined();
    expect(undoing).toMatchObject({ kind: 'undo-restore', undoOf: operationId, snapshotId: safety, state: 'QUEUED' });
    expect(undoing.steps).toHaveLength(7);
    expect(await pins(safety)).toEqual([operationId, answer.body.operationId]);
    const audit = (await server.parts.state.audit.list(1))[0];
    expect(audit).toMatchObject({ verb: 'undo-restore', outcome: '202', details: { undoOf: operationId } });
  });

  it('is undone in turn: a chain, each link with a safety snapshot of its own', async () => {
    const first = await succeeded();
    const back = (await undo(first.operationId)).body.operationId;
    const second = await safetyOf(back);
    await end(server, back, 'SUCCEEDED', { undo: { until: inDays(7), snapshotId: second } });
    const forth = await undo(back);
    expect(await get(forth.body.operationId)).toMatchObject({ undoOf: back, snapshotId: second });
    expect(await pins(first.safety)).toEqual([first.operationId, back]);
    expect(await pins(second)).toEqual([back, forth.body.operationId]);
  });

  it('needs snapshots:restore and no confirm header; the same Idempotency-Key starts one', async () => {
    const { operationId } = await succeeded();
    const reader = await server.token(['operations:read', 'operations:control']);
    const forbidden = await reader.post(`/api/operations/${operationId}/undo`);
    expect([forbidden.status, forbidden.body.params.permission]).toEqual([403, 'snapshots:restore']);
    expect((await reader.get(`/api/operations/${operationId}`)).body.actions).toEqual([]);
    expect((await (await server.token(['workloads:read'])).post(`/api/operations/${operationId}/undo`)).status).toBe(
      404,
    );
    const restorer = await server.token(['operations:read', 'snapshots:restore']);
    expect((await restorer.get(`/api/operations/${operationId}`)).body.actions).toEqual(['undo']);
    const key = { 'idempotency-key': randomUUID() };
    const answers = [await undo(operationId, key), await undo(operationId, key)];
    expect(new Set(answers.map(({ body }) => body.operationId)).size).toBe(1);
    expect(answers.map(({ status }) => status)).toEqual([202, 202]);
    const other = await undo(operationId);
    expect([other.status, other.body.code, other.body.operationId]).toEqual([
      409,
      'OPERATION_IN_PROGRESS',
      answers[0]?.body.operationId,
    ]);
  });

  it('of what did not restore anything, or can no longer be undone: 409 NOT_UNDOABLE', async () => {
    const codes: unknown[] = [];
    const refused = async (id: string): Promise<void> => {
      const { status, body } = await undo(id);
      codes.push([status, body.code]);
      expect((await get(id)).actions).not.toContain('undo');
    };
    const deploy = (await client.post(`/api/workloads/${workloadId}/deploy`)).body.operationId;
    await end(server, deploy, 'SUCCEEDED');
    await refused(deploy);
    const failed = await restore();
    await safetyOf(failed.operationId);
    await end(server, failed.operationId, 'ROLLED_BACK');
    await refused(failed.operationId);
    const old = await restore();
    const snapshotId = await safetyOf(old.operationId, -1);
    await end(server, old.operationId, 'SUCCEEDED', { undo: { until: inDays(-1), snapshotId } });
    await refused(old.operationId);
    expect(codes).toEqual(Array(3).fill([409, 'NOT_UNDOABLE']));
    expect((await undo(randomUUID())).status).toBe(404);
  });

  it('checks everything anew: what blocks a restore blocks it, what holds the workload holds it', async () => {
    const { operationId, safety } = await succeeded();
    server.plan = { blockers: [{ code: 'VOLUME_NOT_IN_CONFIG', params: {}, message: 'm', next: 'n' }] };
    const blocked = await undo(operationId);
    server.plan = {};
    expect([blocked.status, blocked.body.code]).toEqual([422, 'RESTORE_BLOCKED']);
    server.heldBy = operationId;
    const held = await undo(operationId);
    server.heldBy = null;
    expect([held.status, held.body.code]).toEqual([409, 'WORKLOAD_HELD']);
    server.gateway.temporal = { status: 'away', detail: null };
    expect((await undo(operationId)).status).toBe(503);
    server.gateway.temporal = { status: 'ok', detail: null };
    expect(await pins(safety)).toEqual([operationId]);
  });

  it('that failed is run again as an undo of the same restore', async () => {
    const { operationId, safety } = await succeeded();
    const first = (await undo(operationId)).body.operationId;
    await end(server, first, 'FAILED');
    expect(await get(first)).toMatchObject({ actions: ['replay'] });
    const again = await client.post(`/api/operations/${first}/replay`);
    expect(again.status).toBe(202);
    expect(await get(again.body.operationId)).toMatchObject({
      kind: 'undo-restore',
      undoOf: operationId,
      retryOf: first,
      snapshotId: safety,
    });
  });
});

describe('a restore that kept the old trees instead of a safety snapshot', () => {
  const kept = (days: number) => ({
    until: inDays(days),
    trees: [{ target: '/data', livePath: '/v/data', path: '/v/.data.restore-tx.old' }],
  });

  it('tells where they lie and until when; undo is refused with the way that is left, later like any other', async () => {
    const { operationId } = await restore();
    await end(server, operationId, 'SUCCEEDED', { kept: kept(7) });
    const told = await get(operationId);
    expect(api.operation.safeParse(told).error).toBeUndefined();
    expect(told).toMatchObject({ actions: [], kept: { trees: kept(7).trees } });
    const refused = await undo(operationId);
    expect([refused.status, refused.body.code, refused.body.params.paths]).toEqual([
      409,
      'OLD_TREE_KEPT',
      '/v/.data.restore-tx.old',
    ]);
    expect(refused.body.detail).toContain('/v/.data.restore-tx.old');
    const { operationId: old } = await restore();
    await end(server, old, 'SUCCEEDED', { kept: kept(-1) });
    expect((await undo(old)).body.code).toBe('NOT_UNDOABLE');
  });

  it('holds no snapshot any longer', async () => {
    const { operationId, snapshotId } = await restore();
    await end(server, operationId, 'SUCCEEDED', { kept: kept(7) });
    expect(await pins(snapshotId)).toEqual([]);
  });
});

describe('traps others fell into', () => {
  it('wpmgr #538, a failure handler loses the pointers to go back: whoever ends a restore, it can be undone', async () => {
    const { operationId } = await restore();
    const safety = await safetyOf(operationId);
    await record(server, operationId, 'RUNNING');
    // Ended by a recovery, which knows the outcome and nothing of a safety snapshot.
    await end(server, operationId, 'SUCCEEDED');
    expect(await get(operationId)).toMatchObject({ actions: ['undo'], undo: { snapshotId: safety } });
    expect(await pins(safety)).toEqual([operationId]);
    expect((await undo(operationId)).status).toBe(202);
  });

  it('supply-drop-bbs #315, only the newest safety snapshot is kept: after two restores in a row both are', async () => {
    const first = await succeeded();
    const second = await succeeded();
    const kept = (await client.get(`/api/workloads/${workloadId}/snapshots`)).body.items;
    const ids = kept
      .filter((item: { kind: string }) => item.kind === 'pre-restore')
      .map((item: { id: string }) => item.id);
    expect(ids.sort()).toEqual([first.safety, second.safety].sort());
    for (const id of ids) {
      const answer = await client.delete(`/api/workloads/${workloadId}/snapshots/${id}`);
      expect([answer.status, answer.body.code]).toEqual([409, 'SNAPSHOT_PINNED']);
    }
    expect(await get((await undo(first.operationId)).body.operationId)).toMatchObject({ snapshotId: first.safety });
  });

  it('hackmyagent #267, a failed restore deletes the backup: both snapshots are there and READY', async () => {
    const { operationId, snapshotId } = await restore();
    const safety = await safetyOf(operationId);
    await end(server, operationId, 'ROLLED_BACK');
    for (const id of [snapshotId, safety]) {
      expect((await client.get(`/api/workloads/${workloadId}/snapshots/${id}`)).body).toMatchObject({ state: 'READY' });
    }
  });
});
