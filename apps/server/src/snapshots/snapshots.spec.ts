import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { api } from '@tiny-forge/contracts';
import { addSnapshot, addWorkload, begin, end } from '../testing/state-fixtures.ts';
import type { TestClient } from '../testing/test-client.ts';
import { TestServer } from '../testing/test-server.ts';

let server: TestServer;
let client: TestClient;
let workloadId: string;
let at: string;
beforeAll(async () => {
  server = await TestServer.start();
  client = await server.token();
  workloadId = await addWorkload(server, { codec: 'gzip' });
  at = `/api/workloads/${workloadId}/snapshots`;
});
afterAll(() => server.stop());

describe('taking one', () => {
  it('is 202 with both ids; the snapshot is there at once, CREATING, and FAILED when its operation is refused or fails', async () => {
    const answer = await client.post(at, { note: 'before the update', quiesce: 'none' });
    expect(answer.status).toBe(202);
    const { snapshotId, operationId } = answer.body;
    const snapshot = (await client.get(`${at}/${snapshotId}`)).body;
    expect(api.snapshot.safeParse(snapshot).error).toBeUndefined();
    expect(snapshot).toMatchObject({
      id: snapshotId,
      workloadId,
      kind: 'manual',
      state: 'CREATING',
      note: 'before the update',
      quiesce: 'none',
      codec: 'gzip',
      image: null,
      bytes: null,
      volumes: [],
      pins: [],
      notes: [],
      operationId,
    });
    expect(server.gateway.submitted.at(-1)).toMatchObject({
      kind: 'snapshot',
      snapshotId,
      options: { quiesce: 'none' },
    });
    const early = await client.delete(`${at}/${snapshotId}`);
    expect([early.status, early.body.code, early.body.operationId]).toEqual([
      409,
      'OPERATION_IN_PROGRESS',
      operationId,
    ]);
    const restore = await client.post(`${at}/${snapshotId}/restore`, {}, { 'x-confirm-restore': snapshotId });
    expect([restore.status, restore.body.code]).toEqual([409, 'SNAPSHOT_NOT_READY']);
    await end(server, operationId, 'FAILED');
    expect((await client.get(`${at}/${snapshotId}`)).body).toMatchObject({
      state: 'FAILED',
      error: { code: 'CANCELLED' },
    });
    expect((await client.delete(`${at}/${snapshotId}`)).status).toBe(204);
  });

  it('pauses by default, and refuses what it does not know', async () => {
    await client.post(at);
    expect(server.gateway.submitted.at(-1)?.options).toEqual({ quiesce: 'pause' });
    expect((await client.post(at, { quiesce: 'freeze' })).body.issues[0].path).toBe('quiesce');
    expect((await client.post(at, { note: 'x'.repeat(501) })).status).toBe(422);
  });
});

describe('looking', () => {
  it('lists newest first in pages, and never one of another workload', async () => {
    const other = await addWorkload(server);
    const ids: string[] = [];
    for (let index = 0; index < 3; index += 1) {
      ids.unshift(await addSnapshot(server, other));
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    const first = (await client.get(`/api/workloads/${other}/snapshots?limit=2`)).body;
    const rest = (await client.get(`/api/workloads/${other}/snapshots?limit=2&cursor=${first.nextCursor}`)).body;
    expect([...first.items, ...rest.items].map((each: { id: string }) => each.id)).toEqual(ids);
    expect((await client.get(`${at}/${ids[0]}`)).status).toBe(404);
    expect((await client.get(`${at}/${ids[0]}/plan`)).status).toBe(404);
    expect((await client.delete(`${at}/${ids[0]}`)).status).toBe(404);
  });
});

describe('the archive', () => {
  it('is streamed whole to who may read data, and to nobody else', async () => {
    const id = await addSnapshot(server, workloadId);
    const file = server.parts.captureEngine.archivePath(workloadId, id, 'zstd');
    const missing = await client.get(`${at}/${id}/archive`);
    expect([missing.status, missing.body.code]).toEqual([422, 'ARCHIVE_MISSING']);
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, 'x'.repeat(200_000));
    const answer = await client.get(`${at}/${id}/archive`);
    expect(answer.status).toBe(200);
    expect(answer.text).toHaveLength(200_000);
    expect(answer.headers).toMatchObject({
      'content-type': 'application/zstd',
      'content-length': '200000',
      'content-disposition': expect.stringMatching(/^attachment; filename="app-[0-9a-f]+-[0-9TZ]+\.tar\.zst"$/),
      'cache-control': 'no-store',
    });
    const reader = await server.token(['workloads:read', 'snapshots:read', 'snapshots:write']);
    expect((await reader.get(`${at}/${id}/archive`)).body.code).toBe('FORBIDDEN');
    writeFileSync(file, '');
    expect((await client.get(`${at}/${id}/archive`)).text).toBe('');
    expect((await client.delete(`${at}/${id}`)).status).toBe(204);
    expect(existsSync(file)).toBe(false);
  });
});

describe('pins', () => {
  it('hold from the moment a restore is accepted until it can no longer be undone', async () => {
    const workload = await addWorkload(server);
    const id = await addSnapshot(server, workload);
    const url = `/api/workloads/${workload}/snapshots/${id}`;
    const { operationId } = (await client.post(`${url}/restore`, {}, { 'x-confirm-restore': id })).body;
    const pinned = await client.delete(url);
    expect([pinned.status, pinned.body.code, pinned.body.operationId]).toEqual([409, 'SNAPSHOT_PINNED', operationId]);
    expect((await client.get(url)).body.pins).toEqual([{ operationId, reason: 'restore', expiresAt: null }]);
    await begin(server, operationId);
    const until = new Date(Date.now() + 60_000).toISOString();
    await end(server, operationId, 'SUCCEEDED', { undo: { until, snapshotId: id } });
    expect((await client.delete(url)).body.code).toBe('SNAPSHOT_PINNED');
    await server.parts.state.snapshots.releasePins(operationId, new Date(Date.now() - 1).toISOString());
    expect((await client.delete(url)).status).toBe(204);
  });

  it('go when a restore did not happen', async () => {
    const workload = await addWorkload(server);
    const id = await addSnapshot(server, workload);
    const url = `/api/workloads/${workload}/snapshots/${id}`;
    const { operationId } = (await client.post(`${url}/restore`, {}, { 'x-confirm-restore': id })).body;
    await end(server, operationId, 'CANCELLED');
    expect((await client.delete(url)).status).toBe(204);
  });
});

describe('the plan', () => {
  it('is answered as it is computed, for the safety that was asked for', async () => {
    const id = await addSnapshot(server, workloadId);
    const answer = await client.get(`${at}/${id}/plan`);
    expect([answer.status, answer.body.planHash]).toEqual([200, 'hash-1']);
    expect(api.restorePlan.safeParse(answer.body).error).toBeUndefined();
    expect((await client.get(`${at}/${id}/plan?safety=snapshot`)).status).toBe(200);
    expect(server.planned.at(-1)?.safety).toBe('snapshot');
    expect((await client.get(`${at}/${id}/plan?safety=keep-old-tree`)).status).toBe(200);
    expect(server.planned.at(-1)?.safety).toBe('keep-old-tree');
    expect((await client.get(`${at}/${id}/plan?safety=none`)).status).toBe(422);
  });

  it('of two kinds of safety at the same time are two', async () => {
    const id = await addSnapshot(server, workloadId);
    const before = server.planned.length;
    server.planMs = 300;
    await Promise.all(['snapshot', 'keep-old-tree'].map((safety) => client.get(`${at}/${id}/plan?safety=${safety}`)));
    server.planMs = 0;
    const wishes = server.planned.slice(before).map(({ safety }) => safety);
    expect(wishes.sort()).toEqual(['keep-old-tree', 'snapshot']);
  });

  it('keep-old-tree goes from the request to plan, operation, audit and its replay', async () => {
    const id = await addSnapshot(server, workloadId);
    const confirm = { 'x-confirm-restore': id };
    const submit = await client.post(`${at}/${id}/restore`, { safety: 'keep-old-tree' }, confirm);
    expect(submit.status).toBe(202);
    const { operationId } = submit.body;
    expect(server.planned.at(-1)?.safety).toBe('keep-old-tree');
    expect(server.gateway.submitted.at(-1)?.options).toEqual({ planHash: null, safety: 'keep-old-tree' });
    expect((await client.get(`/api/operations/${operationId}`)).body).toMatchObject({ safety: 'keep-old-tree' });
    expect((await server.parts.state.audit.list(1))[0]).toMatchObject({
      verb: 'restore',
      details: { operationId, safety: 'keep-old-tree' },
    });
    await end(server, operationId, 'FAILED');
    const again = await client.post(`/api/operations/${operationId}/replay`, {}, confirm);
    expect(again.status).toBe(202);
    expect(server.gateway.submitted.at(-1)?.options.safety).toBe('keep-old-tree');
    await end(server, again.body.operationId, 'CANCELLED');
  });

  it('is computed once for many who ask at the same time', async () => {
    const id = await addSnapshot(server, workloadId);
    const before = server.planned.length;
    server.planMs = 1_000;
    await Promise.all(Array.from({ length: 10 }, () => client.get(`${at}/${id}/plan`)));
    server.planMs = 0;
    expect(server.planned.length - before).toBeLessThan(5);
  });

  it('of a snapshot that is not ready: 409', async () => {
    const id = await addSnapshot(server, workloadId, 'CREATING');
    expect((await client.get(`${at}/${id}/plan`)).body.code).toBe('SNAPSHOT_NOT_READY');
  });
});
