import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Problem, Workload } from '@tiny-forge/contracts/domain';
import { Stack } from '../harness/stack.ts';
import { TestWorkload } from '../harness/test-workload.ts';
import { expectUntouched } from '../harness/untouched.ts';

const NOBODY = '00000000-0000-4000-8000-000000000000';

describe('bad input: requests that must not reach the app', () => {
  let stack: Stack;
  let app: TestWorkload;
  let other: TestWorkload;
  let snapshotId: string;
  let earlier: string;
  let otherSnapshot: string;

  beforeAll(async () => {
    stack = await Stack.start();
    ({ app, snapshotId: earlier } = await TestWorkload.withSnapshot(stack));
    snapshotId = await app.snapshot();
    ({ app: other, snapshotId: otherSnapshot } = await TestWorkload.withSnapshot(stack));
  });
  afterAll(() => stack.destroy());

  const restorePath = (workload: string, snapshot: string): string =>
    `/api/workloads/${workload}/snapshots/${snapshot}/restore`;

  /** Sends a restore that must be refused and proves that nothing came of it. */
  async function refused(
    send: () => Promise<{ status: number; body: unknown }>,
    status: number,
    code: string,
  ): Promise<Problem> {
    const operations = () => stack.query<{ n: number }>('select count(*) as n from operations')[0]?.n;
    const before = operations();
    const answer = await expectUntouched(app, send);
    const problem = answer.body as Problem;
    expect({ status: answer.status, code: problem.code }).toEqual({ status, code });
    expect(problem.next).not.toBe('');
    expect(operations()).toBe(before);
    return problem;
  }

  it('unknown workload: 404', async () => {
    await refused(
      () =>
        stack.api.post(restorePath(NOBODY, snapshotId), undefined, { headers: { 'x-confirm-restore': snapshotId } }),
      404,
      'NOT_FOUND',
    );
  });

  it('a workload id that is no id: 404', async () => {
    await refused(
      () =>
        stack.api.post(restorePath('..%2f..%2fetc', snapshotId), undefined, {
          headers: { 'x-confirm-restore': snapshotId },
        }),
      404,
      'NOT_FOUND',
    );
  });

  it('unknown snapshot: 404', async () => {
    await refused(() => app.restore(NOBODY), 404, 'NOT_FOUND');
  });

  it('snapshot of another workload: 404, as one that does not exist', async () => {
    await refused(() => app.restore(otherSnapshot), 404, 'NOT_FOUND');
    expect(other.generations()).toEqual(['live']);
  });

  it('no confirm header: 428', async () => {
    await refused(() => stack.api.post(restorePath(app.id, snapshotId)), 428, 'CONFIRM_REQUIRED');
  });

  it('wrong confirm header: 412', async () => {
    await refused(() => app.restore(snapshotId, undefined, { 'x-confirm-restore': 'yes' }), 412, 'CONFIRM_MISMATCH');
  });

  it('stale confirm header, of an earlier snapshot: 412', async () => {
    await refused(() => app.restore(snapshotId, undefined, { 'x-confirm-restore': earlier }), 412, 'CONFIRM_MISMATCH');
  });

  it('stale plan: 412 PLAN_CHANGED once the workload changed', async () => {
    const plan = (await app.plan(snapshotId)).body;
    expect(plan.blockers).toEqual([]);
    const patched = await stack.api.patch(app.path, { env: { CHANGED: 'yes' } });
    expect(patched.status).toBe(200);
    await refused(() => app.restore(snapshotId, { planHash: plan.planHash }), 412, 'PLAN_CHANGED');
  });

  it('reading the plan changes nothing', async () => {
    const answer = await expectUntouched(app, () => app.plan(snapshotId));
    expect(answer.status).toBe(200);
    const again = await app.plan(snapshotId);
    expect(again.body.planHash).toBe(answer.body.planHash);
  });

  it('a body that is not JSON: 400', async () => {
    await refused(
      () =>
        stack.api.raw({
          method: 'POST',
          path: restorePath(app.id, snapshotId),
          headers: { 'x-confirm-restore': snapshotId, 'content-type': 'application/json' },
          body: '{"safety": ',
        }),
      400,
      'MALFORMED_BODY',
    );
  });

  it('a body that is too large: 413', async () => {
    await refused(
      () =>
        stack.api.raw({
          method: 'POST',
          path: restorePath(app.id, snapshotId),
          headers: { 'x-confirm-restore': snapshotId, 'content-type': 'application/json' },
          body: JSON.stringify({ planHash: 'x'.repeat(1024 * 1024) }),
        }),
      413,
      'BODY_TOO_LARGE',
    );
  });

  it('a body of the wrong content type: 415', async () => {
    await refused(
      () =>
        stack.api.raw({
          method: 'POST',
          path: restorePath(app.id, snapshotId),
          headers: { 'x-confirm-restore': snapshotId, 'content-type': 'application/x-www-form-urlencoded' },
          body: 'safety=snapshot',
        }),
      415,
      'UNSUPPORTED_MEDIA_TYPE',
    );
  });

  it.each([
    ['an array', [], ''],
    ['a string', 'restore', ''],
    ['null', null, ''],
    ['a number for a hash', { planHash: 5 }, 'planHash'],
    ['an unknown choice', { safety: 'none' }, 'safety'],
    ['an unknown field', { force: true }, 'force'],
    ['a path to write to', { volumes: [{ index: 0, hostPath: '/etc' }] }, 'volumes'],
  ])('a body of the wrong type (%s): 422 that names it', async (_name, body, field) => {
    const problem = await refused(() => app.restore(snapshotId, body as object), 422, 'VALIDATION_FAILED');
    expect(problem.issues?.length).toBeGreaterThan(0);
    expect(JSON.stringify(problem.issues)).toContain(field);
  });

  it.each([
    ['unknown field', { unknown: 1 }],
    ['a name with a slash', { name: '../x' }],
    ['a volume source that climbs', { volumes: [{ scope: 'stage', source: '..', target: '/data' }] }],
    ['a volume source with a slash', { volumes: [{ scope: 'stage', source: 'a/b', target: '/data' }] }],
    ['an unknown scope', { volumes: [{ scope: 'moon', source: 'a', target: '/data' }] }],
    ['an unknown source type', { source: { type: 'moon' } }],
    ['a stop time-out of the wrong type', { stopTimeoutSeconds: '10' }],
  ])('a workload with %s: 422', async (_name, change) => {
    const workload = {
      name: 'never',
      project: 'e2e',
      stage: 'test',
      source: { type: 'image', image: app.image },
      ...change,
    };
    const answer = await stack.api.post<Problem>('/api/workloads', workload);
    expect({ status: answer.status, text: answer.text }).toMatchObject({ status: 422 });
    const list = await stack.api.get<{ items: Workload[] }>('/api/workloads');
    expect(list.body.items.map((each) => each.name)).not.toContain('never');
  });

  it('no credentials: 401; too little permission: 403; a foreign Host header: 421', async () => {
    const anonymous = stack.api.withToken('nothing');
    expect((await anonymous.post(restorePath(app.id, snapshotId))).status).toBe(401);
    const reader = await stack.api.post<{ token: string }>('/api/tokens', {
      name: 'reader',
      permissions: ['workloads:read', 'snapshots:read'],
    });
    await refused(
      () =>
        stack.api
          .withToken(reader.body.token)
          .post(restorePath(app.id, snapshotId), undefined, { headers: { 'x-confirm-restore': snapshotId } }),
      403,
      'FORBIDDEN',
    );
    await refused(
      () =>
        stack.api.post(restorePath(app.id, snapshotId), undefined, {
          headers: { 'x-confirm-restore': snapshotId, host: 'evil.example' },
        }),
      421,
      'MISDIRECTED',
    );
  });
});
