import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { api } from '@tiny-forge/contracts';
import { ForgeError } from '@tiny-forge/contracts/domain';
import { errorView } from '../state/index.ts';
import { addSnapshot, addWorkload, begin, end, record } from '../testing/state-fixtures.ts';
import type { TestClient } from '../testing/test-client.ts';
import { TestServer } from '../testing/test-server.ts';

let server: TestServer;
let client: TestClient;
let workloadId: string;
beforeAll(async () => {
  server = await TestServer.start();
  client = await server.token();
  workloadId = await addWorkload(server, { name: 'guestbook' });
});
afterAll(() => server.stop());
afterEach(async () => {
  server.gateway.failures.clear();
  server.gateway.live = new Map();
  server.gateway.steps = {};
  server.plan = {};
  for (const operation of await server.parts.state.operations.open()) await end(server, operation.id, 'CANCELLED');
});

const deploy = async (): Promise<string> => (await client.post(`/api/workloads/${workloadId}/deploy`)).body.operationId;
const restore = async (): Promise<{ operationId: string; snapshotId: string }> => {
  const snapshotId = await addSnapshot(server, workloadId);
  const answer = await client.post(
    `/api/workloads/${workloadId}/snapshots/${snapshotId}/restore`,
    {},
    { 'x-confirm-restore': snapshotId },
  );
  if (answer.status !== 202) throw new Error(answer.text);
  return { operationId: answer.body.operationId, snapshotId };
};
const get = async (id: string) => (await client.get(`/api/operations/${id}`)).body;
const gone = errorView('APP_UNHEALTHY', { container: 'c', seconds: 5, answer: '500' }, 'All is as before.');

describe('one operation', () => {
  it('tells everything of api.md', async () => {
    const { operationId, snapshotId } = await restore();
    const queued = await get(operationId);
    expect(api.operation.safeParse(queued).error).toBeUndefined();
    expect(queued).toMatchObject({
      id: operationId,
      kind: 'restore',
      workloadId,
      snapshotId,
      state: 'QUEUED',
      requestedBy: 'admin/spec',
      endedAt: null,
      workflow: { workflowId: `${server.parts.installation}:op:${operationId}`, runId: null },
      workload: { name: 'guestbook', project: 'demo', stage: 'prod' },
      situation: { app: 'absent', data: 'current' },
      actions: ['abort'],
      live: true,
      snapshotCreatedAt: expect.any(String),
    });
    expect(queued.steps.map((step: { name: string }) => step.name)).toEqual([
      'preflight',
      'extract',
      'stop',
      'preRestoreSnapshot',
      'swap',
      'redeploy',
      'finish',
    ]);
    await begin(server, operationId);
    const waitingUntil = '2026-11-23T02:20:00.000Z';
    await record(server, operationId, 'WAITING', {
      waitingUntil,
      error: gone,
      downtime: { from: waitingUntil, to: null },
    });
    const waiting = await get(operationId);
    expect(waiting).toMatchObject({
      state: 'WAITING',
      waitingUntil,
      error: { code: 'APP_UNHEALTHY' },
      downtime: { from: waitingUntil, to: null },
      actions: ['retry-step', 'abort'],
    });
    expect(waiting.revision).toBeGreaterThan(queued.revision);
  });

  it('offers abort until the swap is scheduled, and again while it waits', async () => {
    const id = await deploy();
    await begin(server, id);
    expect((await get(id)).actions).toEqual(['abort']);
    await record(server, id, 'RUNNING', { pastDecision: true });
    expect((await get(id)).actions).toEqual([]);
    await record(server, id, 'WAITING', { pastDecision: true });
    expect((await get(id)).actions).toEqual(['retry-step', 'abort']);
    await record(server, id, 'COMPENSATING', { pastDecision: true });
    expect((await get(id)).actions).toEqual([]);
    await record(server, id, 'NEEDS_OPERATOR', { pastDecision: true });
    expect((await get(id)).actions).toEqual(['recheck']);
    expect((await get(id)).endedAt).toBeNull();
    await end(server, id, 'FAILED');
    expect((await get(id)).actions).toEqual(['replay']);
    const reader = await server.token(['operations:read']);
    expect((await reader.get(`/api/operations/${id}`)).body.actions).toEqual([]);
    const controller = await server.token(['operations:read', 'operations:control']);
    expect((await controller.get(`/api/operations/${id}`)).body.actions).toEqual([]);
  });

  it('is overlaid with what Temporal says, forward only; without Temporal it is not live', async () => {
    const id = await deploy();
    server.gateway.live = new Map([[id, { state: 'RUNNING', step: 'deploy' }]]);
    expect(await get(id)).toMatchObject({ state: 'RUNNING', live: true });
    await begin(server, id);
    await record(server, id, 'WAITING');
    expect(await get(id)).toMatchObject({ state: 'WAITING', live: true });
    server.gateway.live = null;
    expect(await get(id)).toMatchObject({ state: 'WAITING', live: false });
    await end(server, id, 'ROLLED_BACK');
    server.gateway.live = new Map([[id, { state: 'RUNNING', step: 'deploy' }]]);
    expect(await get(id)).toMatchObject({ state: 'ROLLED_BACK' });
  });

  it('carries the byte progress of the step that runs', async () => {
    const id = await deploy();
    await begin(server, id);
    const row = await server.parts.state.operations.get(id);
    const steps = row?.view.steps.map((step) => ({ ...step, state: 'RUNNING' as const })) ?? [];
    await record(server, id, 'RUNNING', { steps });
    server.gateway.steps = { deploy: { doneBytes: 1, totalBytes: 2, doneEntries: 3, totalEntries: 4 } };
    expect((await get(id)).steps[0].progress).toEqual({ doneBytes: 1, totalBytes: 2, doneEntries: 3, totalEntries: 4 });
  });

  it('offers undo until it is over', async () => {
    const { operationId, snapshotId } = await restore();
    const until = new Date(Date.now() + 60_000).toISOString();
    await end(server, operationId, 'SUCCEEDED', { undo: { until, snapshotId } });
    expect(await get(operationId)).toMatchObject({ undo: { until, snapshotId } });
    const second = await restore();
    const past = new Date(Date.now() - 1_000).toISOString();
    await end(server, second.operationId, 'SUCCEEDED', { undo: { until: past, snapshotId } });
    expect((await get(second.operationId)).undo).toBeUndefined();
  });

  it('outlives its workload, and hands out the history', async () => {
    const other = await addWorkload(server, { name: 'short-lived' });
    const { operationId } = (await client.post(`/api/workloads/${other}/deploy`)).body;
    await server.parts.state.workloads.markDeleted(other);
    expect((await get(operationId)).workload.name).toBe('short-lived');
    expect((await client.get(`/api/operations/${operationId}/history`)).body).toEqual({ events: [], operationId });
    server.gateway.failures.set(
      'history',
      new ForgeError({ code: 'SERVICE_UNAVAILABLE', params: { part: 'temporal' } }),
    );
    expect((await client.get(`/api/operations/${operationId}/history`)).status).toBe(503);
  });
});

describe('the list', () => {
  it('is newest first, in pages, by workload, kind and state', async () => {
    const other = await addWorkload(server);
    const ids: string[] = [];
    for (let index = 0; index < 4; index += 1) {
      ids.unshift((await client.post(`/api/workloads/${other}/${index % 2 ? 'stop' : 'deploy'}`)).body.operationId);
    }
    await begin(server, ids[3] ?? '');
    const list = async (query: string): Promise<string[]> =>
      (await client.get(`/api/operations?workloadId=${other}${query}`)).body.items.map(
        (each: { id: string }) => each.id,
      );
    expect(await list('')).toEqual(ids);
    expect(await list('&kind=stop')).toEqual([ids[0], ids[2]]);
    expect(await list('&kind=stop,deploy&state=QUEUED')).toEqual(ids.slice(0, 3));
    expect(await list('&state=RUNNING&state=FAILED')).toEqual([ids[3]]);
    server.gateway.live = new Map([[ids[2] ?? '', { state: 'RUNNING', step: null }]]);
    expect(await list('&state=RUNNING')).toEqual([ids[2], ids[3]]);
    const first = (await client.get(`/api/operations?workloadId=${other}&limit=3`)).body;
    expect(await list(`&limit=3&cursor=${first.nextCursor}`)).toEqual([ids[3]]);
    expect((await client.get('/api/operations?state=WRONG')).status).toBe(422);
    server.gateway.live = null;
    const away = (await client.get(`/api/operations?workloadId=${other}`)).body.items;
    expect(away.map((each: { live: boolean }) => each.live)).toEqual([false, false, false, false]);
  });
});

describe('deciding', () => {
  it('retry-step and abort go to the running side and answer 202', async () => {
    const id = await deploy();
    const retry = await client.post(`/api/operations/${id}/retry-step`);
    expect([retry.status, retry.body.operationId]).toEqual([202, id]);
    expect((await client.post(`/api/operations/${id}/abort`, {})).status).toBe(202);
    expect(server.gateway.told.slice(-2)).toEqual([`retryStep ${id}`, `abort ${id} admin/spec`]);
    expect((await client.post(`/api/operations/${id}/abort`, { force: true })).status).toBe(422);
  });

  it('retry-step with keep-old-tree needs snapshots:restore too, is on record, and says where it makes no sense', async () => {
    const id = await deploy();
    const url = `/api/operations/${id}/retry-step`;
    const body = { safety: 'keep-old-tree' };
    const controller = await server.token(['operations:read', 'operations:control']);
    const forbidden = await controller.post(url, body);
    expect([forbidden.status, forbidden.body.params.permission]).toEqual([403, 'snapshots:restore']);
    expect((await controller.post(url, {})).status).toBe(202);
    expect((await client.post(url, body)).status).toBe(202);
    expect(server.gateway.told.at(-1)).toBe(`retryStep ${id} keep-old-tree`);
    expect((await server.parts.state.audit.list(1))[0]).toMatchObject({
      verb: 'retryStep',
      outcome: '202',
      details: { operationId: id, safety: 'keep-old-tree' },
    });
    server.gateway.failures.set('retryStep', new ForgeError({ code: 'SAFETY_NOT_SUPPORTED' }));
    const refused = await client.post(url, body);
    server.gateway.failures.delete('retryStep');
    expect([refused.status, refused.body.code, refused.body.issues[0].path]).toEqual([
      422,
      'SAFETY_NOT_SUPPORTED',
      'safety',
    ]);
    expect((await client.post(url, { safety: 'snapshot' })).status).toBe(422);
  });

  it.each([
    ['retry-step', 'retryStep', 'NOT_WAITING', 409],
    ['abort', 'abort', 'PAST_DECISION', 409],
    ['abort', 'abort', 'SERVICE_UNAVAILABLE', 503],
  ] as const)('%s: %s refused with %s', async (verb, call, code, status) => {
    const id = await deploy();
    server.gateway.failures.set(call, new ForgeError({ code, params: { part: 'temporal' } }));
    const answer = await client.post(`/api/operations/${id}/${verb}`);
    expect([answer.status, answer.body.code]).toEqual([status, code]);
  });

  it('of an ended operation: 409 NOT_WAITING, without asking anybody', async () => {
    const id = await deploy();
    await end(server, id, 'FAILED');
    for (const verb of ['retry-step', 'abort', 'recheck']) {
      const answer = await client.post(`/api/operations/${id}/${verb}`);
      expect([answer.status, answer.body.code]).toEqual([409, 'NOT_WAITING']);
    }
  });

  it('needs operations:control', async () => {
    const id = await deploy();
    const reader = await server.token(['operations:read']);
    expect((await reader.post(`/api/operations/${id}/abort`)).status).toBe(403);
  });

  it('recheck runs a recover operation for what needs an operator', async () => {
    const { operationId } = await restore();
    await begin(server, operationId);
    await record(server, operationId, 'NEEDS_OPERATOR');
    const answer = await client.post(`/api/operations/${operationId}/recheck`, { accept: 'as-is' });
    expect(answer.status).toBe(202);
    expect(server.gateway.submitted.at(-1)).toMatchObject({
      kind: 'recover',
      options: { recovers: operationId, recheckAccept: 'as-is' },
    });
    expect(await get(answer.body.operationId)).toMatchObject({ kind: 'recover', recovers: operationId });
    const second = await client.post(`/api/operations/${operationId}/recheck`);
    expect([second.status, second.body.operationId]).toEqual([409, answer.body.operationId]);
  });
});

describe('replay', () => {
  it('runs what failed as a new operation with the same wishes, and refuses what succeeded or runs', async () => {
    const { operationId } = (
      await client.post(`/api/workloads/${workloadId}/snapshots`, { note: 'nightly', quiesce: 'stop' })
    ).body;
    expect((await client.post(`/api/operations/${operationId}/replay`)).body.code).toBe('NOT_REPLAYABLE');
    await end(server, operationId, 'FAILED', { error: gone });
    const answer = await client.post(`/api/operations/${operationId}/replay`);
    expect(answer.status).toBe(202);
    expect(await get(answer.body.operationId)).toMatchObject({ kind: 'snapshot', retryOf: operationId });
    const made = (await client.get(`/api/workloads/${workloadId}/snapshots/${answer.body.snapshotId}`)).body;
    expect(made).toMatchObject({ note: 'nightly', quiesce: 'stop', state: 'CREATING' });
    await end(server, answer.body.operationId, 'SUCCEEDED');
    const again = await client.post(`/api/operations/${answer.body.operationId}/replay`);
    expect([again.status, again.body.code]).toEqual([409, 'NOT_REPLAYABLE']);
  });

  it('of a restore needs its confirm header again, the permission to restore, and all checks anew', async () => {
    const { operationId, snapshotId } = await restore();
    await end(server, operationId, 'ROLLED_BACK', { error: gone });
    const at = `/api/operations/${operationId}/replay`;
    const confirm = { 'x-confirm-restore': snapshotId };
    expect((await client.post(at)).body.code).toBe('CONFIRM_REQUIRED');
    expect((await client.post(at, {}, { 'x-confirm-restore': operationId })).body.code).toBe('CONFIRM_MISMATCH');
    const controller = await server.token(['operations:read', 'operations:control']);
    const forbidden = await controller.post(at, {}, confirm);
    expect([forbidden.status, forbidden.body.params.permission]).toEqual([403, 'snapshots:restore']);
    server.plan = { blockers: [{ code: 'VOLUME_MISSING', params: {}, message: 'm', next: 'n' }] };
    expect((await client.post(at, {}, confirm)).body.code).toBe('RESTORE_BLOCKED');
    server.plan = {};
    const answer = await client.post(at, {}, confirm);
    expect(answer.status).toBe(202);
    expect(await get(answer.body.operationId)).toMatchObject({ kind: 'restore', snapshotId, retryOf: operationId });
    expect(await server.parts.state.snapshots.pins(snapshotId)).toHaveLength(1);
  });
});

describe('submitting', () => {
  it('a request answered 503 leaves a CANCELLED row and no pin; 429 and 409 leave nothing', async () => {
    const snapshotId = await addSnapshot(server, workloadId);
    const submit = () =>
      client.post(
        `/api/workloads/${workloadId}/snapshots/${snapshotId}/restore`,
        {},
        { 'x-confirm-restore': snapshotId },
      );
    const count = async () => (await server.parts.state.operations.list({ workloadId }, null, 200)).items.length;
    const before = await count();
    server.gateway.failures.set('submit', new ForgeError({ code: 'LANE_FULL', params: { limit: 20 } }));
    const full = await submit();
    expect([full.status, full.body.code, full.headers['retry-after']]).toEqual([429, 'LANE_FULL', '5']);
    expect(await count()).toBe(before);
    server.gateway.failures.set(
      'submit',
      new ForgeError({ code: 'SERVICE_UNAVAILABLE', params: { part: 'temporal' } }),
    );
    expect((await submit()).status).toBe(503);
    const [row] = (await server.parts.state.operations.list({ workloadId }, null, 1)).items;
    expect(row).toMatchObject({ state: 'CANCELLED', view: { error: { code: 'SUBMIT_EXPIRED' } } });
    expect(await server.parts.state.snapshots.pins(snapshotId)).toEqual([]);
    const outcomes = (await server.parts.state.audit.list(2)).map((each) => each.outcome);
    expect(outcomes).toEqual(['503 SERVICE_UNAVAILABLE', '429 LANE_FULL']);
  });

  it.each(['temporal', 'workers'] as const)('while %s is away nothing is written', async (part) => {
    const before = server.gateway[part];
    server.gateway[part] = { status: 'away', detail: 'silent' };
    const answer = await client.post(`/api/workloads/${workloadId}/deploy`);
    server.gateway[part] = before;
    expect([answer.status, answer.body.code, answer.body.params.part]).toEqual([503, 'SERVICE_UNAVAILABLE', part]);
    expect(await server.parts.state.operations.open(workloadId)).toEqual([]);
  });

  it('a Docker that sees other files: 503 that says so', async () => {
    server.facts.docker = { status: 'failed', detail: 'the token is not there', code: 'DOCKER_NOT_ON_THIS_HOST' };
    const answer = await client.post(`/api/workloads/${workloadId}/deploy`);
    server.facts.docker = null;
    expect([answer.status, answer.body.code]).toEqual([503, 'DOCKER_NOT_ON_THIS_HOST']);
  });

  it('of parallel restores through two processes one is accepted and all others name it', async () => {
    const second = await TestServer.start({ beside: server });
    const snapshotId = await addSnapshot(server, workloadId);
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        (index % 2 ? client : second.anonymous.with(client.credentials)).post(
          `/api/workloads/${workloadId}/snapshots/${snapshotId}/restore`,
          {},
          { 'x-confirm-restore': snapshotId },
        ),
      ),
    );
    const accepted = answers.filter((answer) => answer.status === 202);
    expect(accepted).toHaveLength(1);
    expect(new Set(answers.map((answer) => answer.body.operationId))).toEqual(new Set([accepted[0]?.body.operationId]));
    expect(await server.parts.state.operations.open(workloadId)).toHaveLength(1);
    await second.stop();
  });
});
