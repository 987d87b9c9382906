import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { ForgeError } from '@tiny-forge/contracts/domain';
import { addSnapshot, addWorkload, end } from '../testing/state-fixtures.ts';
import type { TestClient } from '../testing/test-client.ts';
import { TestServer } from '../testing/test-server.ts';

let server: TestServer;
let second: TestServer;
let client: TestClient;
let workloadId: string;
beforeAll(async () => {
  server = await TestServer.start();
  second = await TestServer.start({ beside: server });
  client = await server.token();
  workloadId = await addWorkload(server);
});
afterAll(async () => {
  await second.stop();
  await server.stop();
});
afterEach(() => {
  server.gateway.failures.clear();
  server.gateway.gate = Promise.resolve();
});

const key = (): Record<string, string> => ({ 'idempotency-key': randomUUID() });
const deploy = (headers: Record<string, string>, on = client) =>
  on.post(`/api/workloads/${workloadId}/deploy`, {}, headers);
const operations = async (): Promise<number> =>
  (await server.parts.state.operations.list({ workloadId }, null, 200)).items.length;

describe('Idempotency-Key', () => {
  it('gives the same answer, Location included, and does it once', async () => {
    const headers = key();
    const first = await deploy(headers);
    const before = await operations();
    const again = await deploy(headers);
    expect([again.status, again.body, again.headers.location]).toEqual([202, first.body, first.headers.location]);
    expect(await operations()).toBe(before);
  });

  it('a second one while the first runs waits for it, in another process too', async () => {
    const headers = key();
    let open = (): void => undefined;
    server.gateway.gate = new Promise((resolve) => (open = resolve));
    const first = deploy(headers);
    await new Promise((resolve) => setTimeout(resolve, 150));
    const waiting = [deploy(headers), deploy(headers, second.anonymous.with(client.credentials))];
    await new Promise((resolve) => setTimeout(resolve, 150));
    const before = await operations();
    open();
    const answers = await Promise.all([first, ...waiting]);
    expect(answers.map((answer) => answer.status)).toEqual([202, 202, 202]);
    expect(new Set(answers.map((answer) => answer.body.operationId)).size).toBe(1);
    expect(await operations()).toBe(before);
  });

  it('with another body, query or confirmation: 422', async () => {
    const headers = key();
    const snapshots = `/api/workloads/${workloadId}/snapshots`;
    expect((await client.post(snapshots, { note: 'a' }, headers)).status).toBe(202);
    const other = await client.post(snapshots, { note: 'b' }, headers);
    expect([other.status, other.body.code]).toEqual([422, 'IDEMPOTENCY_MISMATCH']);
    const withQuery = await client.delete(`/api/workloads/${workloadId}?data=keep`, headers);
    expect(withQuery.status).toBe(202);
    expect((await client.delete(`/api/workloads/${workloadId}`, headers)).body.code).toBe('IDEMPOTENCY_MISMATCH');
    const confirmed = await client.delete(`/api/workloads/${workloadId}?data=keep`, {
      ...headers,
      'x-confirm-delete': 'a',
    });
    expect(confirmed.body.code).toBe('IDEMPOTENCY_MISMATCH');
  });

  it('belongs to one principal, method and path', async () => {
    const headers = key();
    const first = await deploy(headers);
    const other = await deploy(headers, await server.token());
    expect(other.status).toBe(202);
    expect(other.body.operationId).not.toBe(first.body.operationId);
    expect((await client.post(`/api/workloads/${workloadId}/stop`, {}, headers)).body.operationId).not.toBe(
      first.body.operationId,
    );
  });

  it('does not keep 409, 412, 429 and 503: the same request may succeed later', async () => {
    for (const [code, status] of [
      ['OPERATION_IN_PROGRESS', 409],
      ['LANE_FULL', 429],
      ['SERVICE_UNAVAILABLE', 503],
    ] as const) {
      const headers = key();
      server.gateway.failures.set('submit', new ForgeError({ code, params: {} }));
      expect((await deploy(headers)).status).toBe(status);
      server.gateway.failures.clear();
      expect((await deploy(headers)).status).toBe(202);
    }
    const headers = { ...key(), 'if-match': '"99"' };
    const patch = () => client.patch(`/api/workloads/${workloadId}`, { command: ['x'] }, headers);
    expect([(await patch()).status, (await patch()).status]).toEqual([412, 412]);
  });

  it('keeps refusals that stay true', async () => {
    const headers = key();
    const body = {
      name: 'late',
      project: 'p',
      stage: 's',
      source: { type: 'image', image: 'x' },
      volumes: [{ scope: 'absolute', source: '/etc', target: '/e' }],
    };
    const first = await client.post('/api/workloads', body, headers);
    const again = await client.post('/api/workloads', body, headers);
    expect([first.status, again.status]).toEqual([422, 422]);
    expect(again.body).toEqual(first.body);
  });

  it('answers a repeated DELETE whose target is gone as it answered the first', async () => {
    const headers = key();
    const snapshotId = await addSnapshot(server, workloadId);
    const remove = (with_: Record<string, string>) =>
      client.delete(`/api/workloads/${workloadId}/snapshots/${snapshotId}`, with_);
    expect((await remove(headers)).status).toBe(204);
    expect((await remove(headers)).status).toBe(204);
    expect((await remove(key())).status).toBe(404);
    expect((await remove({})).status).toBe(404);
  });

  it.each([
    ['too long', 'x'.repeat(129)],
    ['not ASCII', Buffer.from('ключ', 'utf8').toString('latin1')],
  ])('that is none (%s): 422', async (_name, value) => {
    const answer = await deploy({ 'idempotency-key': value });
    expect([answer.status, answer.body.issues[0].path]).toEqual([422, 'Idempotency-Key']);
  });

  it('what a killed process had submitted is its answer; what it had not submitted is done anew', async () => {
    const headers = key();
    const first = await deploy(headers);
    // As it stood before the answer was stored: the process died in between.
    const forget = async (operationId: string | null): Promise<void> => {
      const { DatabaseSync } = await import('node:sqlite');
      const database = new DatabaseSync(`${server.parts.dataDir}/state.sqlite`, { timeout: 5_000 });
      database
        .prepare(
          'update idempotency set status = null, body = null, headers = null, operation_id = ?, lease_until = ? where key = ?',
        )
        .run(operationId, '2000-01-01T00:00:00.000Z', headers['idempotency-key'] ?? '');
      database.close();
    };
    await forget(first.body.operationId as string);
    const again = await deploy(headers);
    expect([again.status, again.body.operationId]).toEqual([202, first.body.operationId]);
    await end(server, first.body.operationId as string, 'FAILED');
    await forget(first.body.operationId as string);
    expect((await deploy(headers)).body.operationId).toBe(first.body.operationId);
    await forget(null);
    const anew = await deploy(headers);
    expect([anew.status, anew.body.operationId === first.body.operationId]).toEqual([202, false]);
  });
});
