import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Client, Connection } from '@temporalio/client';
import { taskQueues, workflowIds } from '@tiny-forge/contracts/domain';
import { OperationsLab } from '../../testing/operations-lab.ts';
import { TemporalServer } from '../../testing/temporal-server.ts';

let server: TemporalServer;
let lab: OperationsLab;

beforeAll(async () => {
  server = await TemporalServer.create();
  await server.start();
}, 60_000);

afterAll(async () => {
  await server?.remove();
});

beforeEach(async () => {
  lab = new OperationsLab(server.address);
  await lab.open();
});

afterEach(async () => {
  await lab.close();
}, 60_000);

const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'ok',
    (error: { code?: string }) => error.code ?? 'no code',
  );

describe('a submitted restore', () => {
  it('runs, tells its row everything, and leaves the lane free when it reads as ended', async () => {
    const runtime = await lab.process('all');
    await lab.ready(runtime);
    const workloadId = await lab.workload();
    const input = await lab.submit(runtime, workloadId);
    const row = await lab.ended(input.operationId);
    expect(row.state).toBe('SUCCEEDED');
    expect(row.view.steps.map((step) => step.state)).toEqual(Array.from({ length: 7 }, () => 'DONE'));
    expect(row.view.undo?.snapshotId).toBeDefined();
    expect(lab.engines.effects).toEqual(['preflight', 'extract', 'stop', 'capture', 'swap', 'redeploy', 'finish']);
    const next = await lab.submit(runtime, workloadId);
    expect((await lab.ended(next.operationId)).state).toBe('SUCCEEDED');
    const history = (await runtime.gateway.history(input.operationId)) as { events: { eventType: string }[] };
    expect(history.events[0]?.eventType).toBe('EVENT_TYPE_WORKFLOW_EXECUTION_STARTED');
  }, 60_000);

  it('is accepted once of 100 at a time through two processes, the others leave no row', async () => {
    const first = await lab.process('all');
    const second = await lab.process('api');
    await lab.ready(first);
    await lab.ready(second);
    const workloadId = await lab.workload();
    const release = lab.engines.hold('extract');
    const inputs = await Promise.all(Array.from({ length: 100 }, () => lab.request(workloadId)));
    const answers = await Promise.all(
      inputs.map((input, index) => codeOf((index % 2 === 0 ? first : second).gateway.submit(input))),
    );
    expect(answers.filter((answer) => answer === 'ok')).toHaveLength(1);
    expect(answers.filter((answer) => answer === 'OPERATION_IN_PROGRESS')).toHaveLength(99);
    const winner = inputs[answers.indexOf('ok')]?.operationId ?? '';
    expect((await lab.state.operations.open(workloadId)).map((row) => row.id)).toEqual([winner]);
    release();
    expect((await lab.ended(winner)).state).toBe('SUCCEEDED');
    const next = await lab.submit(second, workloadId);
    expect((await lab.ended(next.operationId)).state).toBe('SUCCEEDED');
  }, 120_000);

  it('answers 503 without a control worker, and never runs later', async () => {
    const api = await lab.process('api', { times: { acceptMs: 1_500 } });
    await lab.eventually(
      async () => (await api.gateway.health()).temporal.status === 'ok',
      () => 'no Temporal',
    );
    const workloadId = await lab.workload();
    const input = await lab.request(workloadId);
    expect(await codeOf(api.gateway.submit(input))).toBe('SERVICE_UNAVAILABLE');
    expect(await lab.row(input.operationId)).toMatchObject({
      state: 'CANCELLED',
      view: { error: { code: 'SUBMIT_EXPIRED' } },
    });
    const all = await lab.process('all');
    await lab.ready(all);
    const next = await lab.submit(all, workloadId, 'deploy');
    await lab.ended(next.operationId);
    expect(lab.engines.effects).toEqual(['deploy']);
  }, 60_000);

  it('waits out a task that a worker took right before its end, 10 s, and is then accepted', async () => {
    const api = await lab.process('api');
    await lab.eventually(
      async () => (await api.gateway.health()).temporal.status === 'ok',
      () => 'no Temporal',
    );
    const connection = await Connection.connect({ address: server.address });
    const client = new Client({ connection, namespace: 'tiny-forge' });
    const taken = client.withDeadline(Date.now() + 30_000, () =>
      client.workflowService.pollWorkflowTaskQueue({
        namespace: 'tiny-forge',
        taskQueue: { name: taskQueues.control(lab.installation) },
        identity: 'ended right after',
      }),
    );
    const input = await lab.request(await lab.workload(), 'deploy');
    const submitted = codeOf(api.gateway.submit(input));
    expect((await taken).workflowExecution?.workflowId).toBe(workflowIds.lane(lab.installation, input.workloadId));
    await lab.process('all');
    expect(await submitted).toBe('ok');
    expect((await lab.ended(input.operationId)).state).toBe('SUCCEEDED');
    await connection.close();
  }, 60_000);

  it('waits or is refused when the lane was terminated while another runs', async () => {
    const runtime = await lab.process('all');
    await lab.ready(runtime);
    const workloadId = await lab.workload();
    const release = lab.engines.hold('extract');
    const first = await lab.submit(runtime, workloadId);
    await lab.until(first.operationId, 'extract', 'RUNNING');
    const connection = await Connection.connect({ address: server.address });
    const client = new Client({ connection, namespace: 'tiny-forge' });
    await client.workflow.getHandle(workflowIds.lane(lab.installation, workloadId)).terminate('as an operator might');
    const second = await lab.request(workloadId);
    expect(await codeOf(runtime.gateway.submit(second))).toBe('OPERATION_IN_PROGRESS');
    const deploy = await lab.submit(runtime, workloadId, 'deploy');
    expect((await lab.row(deploy.operationId))?.queuedBehind).toBe(first.operationId);
    release();
    await lab.ended(deploy.operationId);
    expect(lab.engines.effects.at(-1)).toBe('deploy');
    expect((await lab.row(first.operationId))?.state).toBe('SUCCEEDED');
    await connection.close();
  }, 60_000);
});

describe('people', () => {
  it('abort what is queued, what runs, and retry what waits', async () => {
    const runtime = await lab.process('all');
    await lab.ready(runtime);
    const workloadId = await lab.workload();
    lab.engines.hold('extract');
    const restore = await lab.submit(runtime, workloadId);
    const queued = await lab.submit(runtime, workloadId, 'deploy');
    await lab.until(restore.operationId, 'extract', 'RUNNING');
    expect(await codeOf(runtime.gateway.retryStep(restore.operationId, {}))).toBe('NOT_WAITING');
    expect((await runtime.gateway.progress(restore.operationId))['extract']).toMatchObject({ doneBytes: 1 });
    await lab.eventually(
      async () => (await runtime.gateway.liveStates())?.get(restore.operationId)?.step === 'extract',
      () => 'not visible',
    );
    await runtime.gateway.abort(queued.operationId, 'admin');
    expect((await lab.ended(queued.operationId)).view.error?.code).toBe('ABORTED');
    await runtime.gateway.abort(restore.operationId, 'admin');
    expect((await lab.ended(restore.operationId)).state).toBe('CANCELLED');
    expect(await codeOf(runtime.gateway.abort(restore.operationId, 'admin'))).toBe('NOT_WAITING');

    lab.engines.scripts.clear();
    lab.engines.fail('redeploy', 'APP_UNHEALTHY');
    const waiting = await lab.submit(runtime, workloadId, 'restore', { operatorWaitSeconds: 60 });
    await lab.eventually(
      async () => (await lab.row(waiting.operationId))?.state === 'WAITING',
      () => 'never waited',
    );
    lab.engines.scripts.clear();
    await runtime.gateway.retryStep(waiting.operationId, {});
    expect((await lab.ended(waiting.operationId)).state).toBe('SUCCEEDED');
  }, 60_000);
});

describe('a host that is silent', () => {
  it('shows as WAITING without a countdown, and goes on when it is back', async () => {
    const control = await lab.process('control', { timings: { hostSilentMs: 300 } });
    await lab.ready(control);
    const input = await lab.submit(control, await lab.workload(), 'deploy');
    await lab.eventually(
      async () => (await lab.row(input.operationId))?.state === 'WAITING',
      () => 'never waited',
    );
    const view = (await lab.row(input.operationId))?.view;
    expect(view?.error?.code).toBe('HOST_OFFLINE');
    expect(view?.waitingUntil).toBeUndefined();
    expect(await codeOf(control.gateway.retryStep(input.operationId, {}))).toBe('NOT_WAITING');
    await lab.process('host');
    const row = await lab.ended(input.operationId, 60_000);
    expect(row.state).toBe('SUCCEEDED');
    expect(row.view.error).toBeUndefined();
  }, 120_000);
});

describe('a stop of the server', () => {
  it('hands back what runs; the next start goes on, nothing is doubled', async () => {
    const runtime = await lab.process('all');
    await lab.ready(runtime);
    const workloadId = await lab.workload();
    lab.engines.hold('extract');
    const input = await lab.submit(runtime, workloadId);
    const queued = await lab.submit(runtime, workloadId, 'deploy');
    await lab.until(input.operationId, 'extract', 'RUNNING');
    const stopping = Date.now();
    await runtime.stop();
    expect(Date.now() - stopping).toBeLessThan(10_000);
    lab.engines.scripts.clear();
    const again = await lab.process('all');
    await lab.ready(again);
    expect((await lab.ended(input.operationId)).state).toBe('SUCCEEDED');
    expect((await lab.ended(queued.operationId)).state).toBe('SUCCEEDED');
    expect(lab.engines.effects).toEqual([
      'preflight',
      'extract',
      'extract',
      'stop',
      'capture',
      'swap',
      'redeploy',
      'finish',
      'deploy',
    ]);
  }, 60_000);
});

it('two installations on one Temporal never meet', async () => {
  const other = new OperationsLab(server.address);
  await other.open();
  try {
    const here = await lab.process('all');
    const there = await other.process('all');
    await lab.ready(here);
    await other.ready(there);
    lab.engines.hold('extract');
    const workloadId = await lab.workload();
    const input = await lab.submit(here, workloadId);
    await lab.until(input.operationId, 'extract', 'RUNNING');
    await lab.eventually(
      async () => (await here.gateway.liveStates())?.has(input.operationId) ?? false,
      () => 'not visible',
    );
    expect((await there.gateway.liveStates())?.size).toBe(0);
    expect(other.engines.effects).toEqual([]);
    await here.gateway.abort(input.operationId, 'admin');
    await lab.ended(input.operationId);
  } finally {
    await other.close();
  }
}, 60_000);
