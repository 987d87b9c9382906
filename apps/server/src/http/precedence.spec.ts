import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { ForgeError } from '@tiny-forge/contracts/domain';
import type { TestClient } from '../testing/test-client.ts';
import { addSnapshot, addWorkload } from '../testing/state-fixtures.ts';
import { TestServer } from '../testing/test-server.ts';

/**
 * Every request below is wrong in all the ways that its row names and all that follow; the row's code must win.
 * Order: 401, 421, 403, 404, 415/413/400, 422 fields, 428, 412 confirm, idempotent answer, 503, 409, 412 plan, 422 blocked (api.md).
 */
describe('precedence of refusals', () => {
  let server: TestServer;
  let admin: TestClient;
  let reader: TestClient;
  let workloadId: string;
  let snapshotId: string;

  beforeAll(async () => {
    server = await TestServer.start();
    admin = await server.token();
    reader = await server.token(['workloads:read', 'snapshots:read']);
    workloadId = await addWorkload(server);
    snapshotId = await addSnapshot(server, workloadId);
  });
  afterAll(() => server.stop());
  beforeEach(() => {
    server.gateway.workers = { status: 'ok', detail: null };
    server.heldBy = null;
    server.plan = {};
  });

  const path = (sid = snapshotId): string => `/api/workloads/${workloadId}/snapshots/${sid}/restore`;
  const blocked = {
    planHash: 'hash-2',
    blockers: [{ code: 'VOLUME_MISSING', params: { path: '/x' }, message: 'gone', next: 'bring it' }],
  };
  const wrongWorld = (): void => {
    server.gateway.workers = { status: 'away', detail: null };
    server.heldBy = '00000000-0000-4000-8000-00000000000a';
    server.plan = blocked;
  };
  const wrongFields = { body: { planHash: 5, surprise: true } };
  const confirmed = (): Record<string, string> => ({ 'x-confirm-restore': snapshotId });
  const code = (answer: { status: number; body: { code?: string } | null }): string =>
    `${answer.status} ${answer.body?.code ?? ''}`;

  it('401 before all', async () => {
    wrongWorld();
    const headers = { host: 'evil.example', 'content-type': 'text/plain' };
    const answer = await server.anonymous.send('POST', path('nothing'), { raw: 'x', headers });
    expect(code(answer)).toBe('401 UNAUTHENTICATED');
    expect(answer.headers['www-authenticate']).toContain('Bearer');
  });

  it('then 421', async () => {
    const headers = { host: 'evil.example', 'content-type': 'text/plain' };
    expect(code(await reader.send('POST', path('nothing'), { raw: 'x', headers }))).toBe('421 MISDIRECTED');
  });

  it('then 403, CSRF of a session included', async () => {
    const headers = { 'content-type': 'text/plain' };
    expect(code(await reader.send('POST', path('nothing'), { raw: 'x', headers }))).toBe('403 FORBIDDEN');
    const session = await server.login();
    const withoutToken = session.with({ cookie: session.credentials['cookie'] ?? '' });
    expect(code(await withoutToken.send('POST', path('nothing'), { raw: 'x', headers }))).toBe('403 CSRF');
  });

  it('then 404', async () => {
    const headers = { 'content-type': 'text/plain' };
    expect(code(await admin.send('POST', path('nothing'), { raw: 'x', headers }))).toBe('404 NOT_FOUND');
  });

  it('then 415, 413, 400, in whichever the body is wrong', async () => {
    const send = (raw: string, type: string) => admin.send('POST', path(), { raw, headers: { 'content-type': type } });
    expect(code(await send('{', 'text/plain'))).toBe('415 UNSUPPORTED_MEDIA_TYPE');
    expect(code(await send(`"${'x'.repeat(1024 * 1024)}"`, 'application/json'))).toBe('413 BODY_TOO_LARGE');
    expect(code(await send('{', 'application/json'))).toBe('400 MALFORMED_BODY');
    expect(code(await send('{"__proto__":{"a":1}}', 'application/json'))).toBe('400 MALFORMED_BODY');
  });

  it('then 422 for fields, naming each', async () => {
    wrongWorld();
    const answer = await admin.send('POST', path(), wrongFields);
    expect(code(answer)).toBe('422 VALIDATION_FAILED');
    expect(answer.body.issues.map((issue: { path: string }) => issue.path).sort()).toEqual(['planHash', 'surprise']);
  });

  it('then 428 and 412 for the confirmation', async () => {
    wrongWorld();
    expect(code(await admin.post(path(), {}))).toBe('428 CONFIRM_REQUIRED');
    expect(code(await admin.post(path(), {}, { 'x-confirm-restore': 'yes' }))).toBe('412 CONFIRM_MISMATCH');
    expect(code(await admin.post(path(), {}, { 'x-confirm-restore': '' }))).toBe('412 CONFIRM_MISMATCH');
  });

  it('then the idempotent answer', async () => {
    server.plan = blocked;
    const headers = { ...confirmed(), 'idempotency-key': 'precedence' };
    expect(code(await admin.post(path(), {}, headers))).toBe('422 RESTORE_BLOCKED');
    wrongWorld();
    expect(code(await admin.post(path(), {}, headers))).toBe('422 RESTORE_BLOCKED');
    expect(code(await admin.post(path(), { planHash: 'a' }, headers))).toBe('422 IDEMPOTENCY_MISMATCH');
    expect(code(await admin.post(path(), {}, { 'idempotency-key': 'precedence' }))).toBe('428 CONFIRM_REQUIRED');
  });

  it('then 503, naming the part', async () => {
    wrongWorld();
    const answer = await admin.post(path(), { planHash: 'hash-1' }, confirmed());
    expect(code(answer)).toBe('503 SERVICE_UNAVAILABLE');
    expect(answer.body.params.part).toBe('workers');
    expect(answer.headers['retry-after']).toBeDefined();
  });

  it('then 409, then 412 for the plan, then 422 with the blockers', async () => {
    server.heldBy = '00000000-0000-4000-8000-00000000000a';
    server.plan = blocked;
    const held = await admin.post(path(), { planHash: 'hash-1' }, confirmed());
    expect(code(held)).toBe('409 WORKLOAD_HELD');
    expect(held.body.operationId).toBe('00000000-0000-4000-8000-00000000000a');
    server.heldBy = null;
    expect(code(await admin.post(path(), { planHash: 'hash-1' }, confirmed()))).toBe('412 PLAN_CHANGED');
    const answer = await admin.post(path(), { planHash: 'hash-2' }, confirmed());
    expect(code(answer)).toBe('422 RESTORE_BLOCKED');
    expect(answer.body.blockers).toEqual(blocked.blockers);
  });

  it('leaves no row and no pin behind, whatever it refused', async () => {
    expect(await server.parts.state.operations.open()).toEqual([]);
    expect(await server.parts.state.snapshots.pins(snapshotId)).toEqual([]);
    server.gateway.failures.set(
      'submit',
      new ForgeError({ code: 'OPERATION_IN_PROGRESS', params: { operationId: 'x', kind: 'restore' } }),
    );
    expect(code(await admin.post(path(), {}, confirmed()))).toBe('409 OPERATION_IN_PROGRESS');
    server.gateway.failures.clear();
    expect(await server.parts.state.operations.open()).toEqual([]);
    expect(await server.parts.state.snapshots.pins(snapshotId)).toEqual([]);
  });
});
