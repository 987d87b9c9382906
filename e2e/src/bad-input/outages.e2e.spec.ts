import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { isEnded, type Operation, type Problem, type Readiness } from '@tiny-forge/contracts/domain';
import { DockerProxy } from '../harness/docker-proxy.ts';
import { dockerSocket } from '../harness/environment.ts';
import { send, type Answer } from '../harness/http-client.ts';
import { Stack } from '../harness/stack.ts';
import { TestWorkload, type Accepted } from '../harness/test-workload.ts';
import { expectRestored, expectUntouched } from '../harness/untouched.ts';
import { eventually, sleep } from '../harness/waiting.ts';

describe('bad input: parts that are away', () => {
  let docker: DockerProxy;
  let stack: Stack;

  beforeAll(async () => {
    docker = new DockerProxy(dockerSocket());
    await docker.up();
    stack = await Stack.start({ dockerHost: docker.host });
  });
  afterAll(async () => {
    await docker.up();
    await stack.destroy();
    await docker.destroy();
  });
  afterEach(async () => {
    docker.clear();
    stack.temporal.thaw();
    await stack.temporal.up();
    await docker.up();
    await stack.ready();
  });

  const part = async (name: string): Promise<string | undefined> => {
    const answer = await send<Readiness>(stack.port, { method: 'GET', path: '/readyz' });
    return answer.body.parts.find((each) => each.name === name)?.status;
  };
  const isAway = (name: string) =>
    eventually(`${name} away`, async () => (await part(name)) !== 'ok', { timeoutMs: 60_000 });

  /** What was answered 503 never runs: its row, if there is one, is CANCELLED, and so it stays. */
  async function noEffectLater(
    app: TestWorkload,
    answer: Answer<Accepted & Problem>,
    sinceCount: number,
  ): Promise<void> {
    expect({ status: answer.status, text: answer.text }).toMatchObject({ status: 503 });
    expect(answer.body.next).not.toBe('');
    await stack.temporal.up();
    stack.temporal.thaw();
    await stack.ready();
    await sleep(12_000);
    const rows = stack.query<{ state: string; kind: string }>(
      'select state, kind from operations where workload_id = ? order by created_at',
      app.id,
    );
    expect(
      rows
        .slice(sinceCount)
        .map((row) => row.state)
        .filter((state) => state !== 'CANCELLED'),
    ).toEqual([]);
    expect(app.generations()).toEqual(['live']);
  }
  const countOf = (app: TestWorkload): number =>
    stack.query('select id from operations where workload_id = ?', app.id).length;

  it('Temporal away: 503 that names it, lists still answer, no effect later, ready again within 60 s', async () => {
    const { app, snapshotId } = await TestWorkload.withSnapshot(stack);
    const before = countOf(app);
    await expectUntouched(app, async () => {
      await stack.temporal.kill();
      await isAway('temporal');
      const answer = (await app.restore(snapshotId)) as Answer<Accepted & Problem>;
      const list = await stack.api.get<{ items: Operation[] }>('/api/operations');
      expect(list.status).toBe(200);
      expect((await stack.api.get(app.path)).status).toBe(200);
      await noEffectLater(app, answer, before);
    });
    await app.done(await app.restore(snapshotId), 'SUCCEEDED');
    await expectRestored(app);
  });

  it('Temporal silent while a restore is submitted: 503, and what it reads afterwards has no effect', async () => {
    const { app, snapshotId } = await TestWorkload.withSnapshot(stack);
    const before = countOf(app);
    await expectUntouched(app, async () => {
      stack.temporal.freeze();
      const answer = (await app.restore(snapshotId)) as Answer<Accepted & Problem>;
      await noEffectLater(app, answer, before);
    });
    await app.done(await app.restore(snapshotId), 'SUCCEEDED');
    await expectRestored(app);
  });

  it('Temporal gone in the middle of a restore and back: the restore ends', async () => {
    const { app, snapshotId } = await TestWorkload.withSnapshot(stack, {
      env: { IGNORE_TERM: '1' },
      stopTimeoutSeconds: 3,
    });
    const answer = await app.restore(snapshotId);
    await stack.until(answer.body.operationId, 'stops the app', (operation) => operation.steps[2]?.state === 'RUNNING');
    await stack.temporal.kill();
    await sleep(6_000);
    const seen = await stack.operation(answer.body.operationId);
    expect(isEnded(seen.state)).toBe(false);
    expect(seen.live).toBe(false);
    await stack.temporal.up();
    await app.done(answer, 'SUCCEEDED', 90_000);
    await expectRestored(app);
  });

  it('Docker away: not ready, no 500, nothing happens to the app; back: ready within 60 s and restores', async () => {
    const { app, snapshotId } = await TestWorkload.withSnapshot(stack);
    await expectUntouched(app, async () => {
      await docker.away();
      await isAway('docker');
      expect((await app.plan(snapshotId)).status).toBe(503);
      const answer = (await app.restore(snapshotId)) as Answer<Accepted & Problem>;
      expect({ status: answer.status, text: answer.text }).toMatchObject({ status: 503 });
      expect((await stack.api.get(app.path)).status).toBe(200);
      await docker.up();
      await stack.ready(60_000);
      await sleep(3_000);
    });
    await app.done(await app.restore(snapshotId), 'SUCCEEDED');
    await expectRestored(app);
  });

  it('Docker gone between stop and start of a restore, and back: one generation, one healthy app', async () => {
    const { app, snapshotId } = await TestWorkload.withSnapshot(stack);
    docker.on('POST', /^\/containers\/[^/]+\/stop/, { after: () => void docker.away() });
    const answer = await app.restore(snapshotId);
    expect(answer.status).toBe(202);
    await isAway('docker');
    await sleep(5_000);
    await docker.up();
    const operation = await stack.until(answer.body.operationId);
    expect(['SUCCEEDED', 'ROLLED_BACK']).toContain(operation.state);
    expect(app.generations()).toEqual([operation.state === 'SUCCEEDED' ? 'snap' : 'live']);
    expect((await app.running()).HostConfig.RestartPolicy.Name).toBe('unless-stopped');
    expect(app.leftovers()).toEqual([]);
  });
});
