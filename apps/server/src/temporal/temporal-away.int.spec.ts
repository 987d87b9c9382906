import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { OperationsLab } from '../../testing/operations-lab.ts';
import { TemporalServer } from '../../testing/temporal-server.ts';

let server: TemporalServer;
let lab: OperationsLab;

beforeEach(async () => {
  server = await TemporalServer.create();
  lab = new OperationsLab(server.address);
  await lab.open();
});

afterEach(async () => {
  await lab.close();
  await server.remove();
}, 60_000);

const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'ok',
    (error: { code?: string }) => error.code ?? 'no code',
  );

describe('Temporal away', () => {
  it('at start: the process stays up, refuses, and is ready when Temporal is', async () => {
    const runtime = await lab.process('all');
    await lab.eventually(
      async () => (await runtime.gateway.health()).temporal.status === 'away',
      () => 'never away',
    );
    const workloadId = await lab.workload();
    const refused = await lab.request(workloadId);
    expect(await codeOf(runtime.gateway.submit(refused))).toBe('SERVICE_UNAVAILABLE');
    expect((await lab.row(refused.operationId))?.state).toBe('CANCELLED');
    expect(await runtime.gateway.liveStates()).toBeNull();
    await server.start();
    await lab.ready(runtime, 60_000);
    const input = await lab.submit(runtime, workloadId);
    expect((await lab.ended(input.operationId)).state).toBe('SUCCEEDED');
    expect(lab.engines.effects.filter((effect) => effect === 'preflight')).toHaveLength(1);
  }, 120_000);

  it('in the middle: what ran goes on when it is back', async () => {
    await server.start();
    const runtime = await lab.process('all');
    await lab.ready(runtime);
    const workloadId = await lab.workload();
    const release = lab.engines.hold('extract');
    const input = await lab.submit(runtime, workloadId);
    await lab.until(input.operationId, 'extract', 'RUNNING');
    await server.stop();
    await lab.eventually(
      async () => (await runtime.gateway.health()).temporal.status === 'away',
      () => 'never away',
    );
    release();
    await server.start();
    await lab.ready(runtime, 60_000);
    expect((await lab.ended(input.operationId, 60_000)).state).toBe('SUCCEEDED');
    expect(lab.engines.effects.filter((effect) => effect === 'swap')).toHaveLength(1);
  }, 120_000);
});

describe('Temporal with another database', () => {
  it.each([
    ['extract', 'FAILED', ['dropStaging', 'close']],
    ['redeploy', 'SUCCEEDED', ['swap', 'redeploy', 'finish']],
  ] as const)(
    'while %s runs: the open journal is finished by an operation of its own within 60 s',
    async (step, outcome, effects) => {
      await server.start();
      const runtime = await lab.process('all');
      await lab.ready(runtime);
      const workloadId = await lab.workload();
      lab.engines.hold(step);
      const input = await lab.submit(runtime, workloadId);
      await lab.until(input.operationId, step, 'RUNNING');
      await server.stop();
      server.forgetEverything();
      lab.engines.scripts.clear();
      lab.engines.effects.length = 0;
      const back = Date.now();
      await server.start();
      const row = await lab.ended(input.operationId, 60_000);
      expect(Date.now() - back).toBeLessThan(60_000);
      expect(row.state).toBe(outcome);
      expect(lab.engines.effects).toEqual(effects);
      expect(lab.engines.journals.size).toBe(0);
      const recover = await lab.state.operations.lastEnded(workloadId, 'recover', 'SUCCEEDED');
      expect(recover?.recovers).toBe(input.operationId);
      const next = await lab.submit(runtime, workloadId);
      expect((await lab.ended(next.operationId)).state).toBe('SUCCEEDED');
    },
    180_000,
  );

  it('ends what had touched nothing as lost, and runs again what was accepted and had not begun', async () => {
    await server.start();
    const runtime = await lab.process('all');
    await lab.ready(runtime);
    const workloadId = await lab.workload();
    lab.engines.hold('capture');
    const running = await lab.submit(runtime, workloadId, 'snapshot');
    const queued = await lab.submit(runtime, workloadId, 'deploy');
    await lab.until(running.operationId, 'capture', 'RUNNING');
    await server.stop();
    server.forgetEverything();
    lab.engines.scripts.clear();
    await server.start();
    expect((await lab.ended(running.operationId, 60_000)).view.error?.code).toBe('LOST_BY_TEMPORAL');
    expect((await lab.ended(queued.operationId, 60_000)).state).toBe('SUCCEEDED');
  }, 180_000);
});
