import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { LABELS, type HealthConfig } from '@tiny-forge/contracts/domain';
import type { SourceWorkload } from '@tiny-forge/plugin-api';
import { FaultyDockerPort, type Fault } from '@tiny-forge/docker/testing';
import { deployBench, type DeployBench } from './testing/deploy-bench.ts';

// A deploy makes about a dozen Docker calls; each of them is made to fail once, before and after its effect, and to stay away for good.

let bench: DeployBench;
beforeAll(async () => {
  bench = await deployBench({ hasty: true });
});
afterEach(() => bench.docker.cleanUp());
afterAll(() => bench.close());

const MINUTES = 60_000;
const NEVER: HealthConfig = { type: 'exec', command: ['false'], timeoutSeconds: 1, intervalSeconds: 1 };

/** Which version each container is of, and its state. */
const situation = async (workload: SourceWorkload): Promise<string[]> =>
  (await bench.instances(workload.id)).map(
    (container) => `${container.labels[LABELS.operation] === 'op-1' ? 'old' : 'new'} ${container.state}`,
  );

const versions = (strategy: SourceWorkload['strategy']): { v1: SourceWorkload; v2: SourceWorkload } => {
  const v1 = bench.workload({ strategy, ...(strategy === 'blue-green' && { volumes: [] }) });
  return { v1, v2: { ...v1, env: { VERSION: '2' } } };
};

const PARALLEL = 4;

/** Deploys v1, then v2 over a port with `fault`, for every call of an undisturbed deploy. */
async function eachCall(
  strategy: SourceWorkload['strategy'],
  fault: Omit<Fault, 'at'>,
  check: (workload: SourceWorkload, failed: boolean, where: string) => Promise<void>,
): Promise<void> {
  const calls = await countCalls(strategy);
  expect(calls).toBeGreaterThan(8);
  for (let first = 1; first <= calls; first += PARALLEL) {
    const batch = Array.from({ length: Math.min(PARALLEL, calls - first + 1) }, (_, index) => first + index);
    await Promise.all(
      batch.map(async (at) => {
        const { v1, v2 } = versions(strategy);
        await bench.dispatch({ workload: v1 });
        const faulty = new FaultyDockerPort(bench.docker.docker, { ...fault, at });
        const failed = await deployFails(faulty, v2);
        expect([at, faulty.faulted]).toEqual([at, true]);
        await check(v2, failed, `${at}: ${faulty.calls.at(at - 1)?.method}`);
      }),
    );
    await bench.docker.cleanUp();
  }
}

const deployFails = (faulty: FaultyDockerPort, workload: SourceWorkload): Promise<boolean> =>
  bench
    .deployerOn(faulty.port)
    .dispatch(bench.input({ workload, operationId: 'op-2' }))
    .then(
      () => false,
      () => true,
    );

async function countCalls(strategy: SourceWorkload['strategy']): Promise<number> {
  const { v1, v2 } = versions(strategy);
  await bench.dispatch({ workload: v1 });
  const counting = new FaultyDockerPort(bench.docker.docker);
  expect(await deployFails(counting, v2)).toBe(false);
  return counting.calls.length;
}

describe.each([
  { strategy: 'recreate', ways: ['before', 'after'] },
  { strategy: 'blue-green', ways: ['after'] },
] as const)('$strategy', ({ strategy, ways }) => {
  test.each(ways)(
    'one call fails %s its effect: the old or the new version serves, alone',
    (how) =>
      eachCall(strategy, { how }, async (workload, failed, where) => {
        expect([where, await situation(workload)]).toEqual([where, [failed ? 'old running' : 'new running']]);
      }),
    3 * MINUTES,
  );

  test(
    'Docker goes away for good and comes back: the same operation, begun again, ends with the new version alone',
    () =>
      eachCall(strategy, { how: 'before', span: 'from' }, async (workload, _, where) => {
        await bench.dispatch({ workload, operationId: 'op-2' });
        expect([where, await situation(workload)]).toEqual([where, ['new running']]);
      }),
    3 * MINUTES,
  );
});

test(
  'begun again after Docker was away, with a version that turns out broken: the old version serves',
  () =>
    eachCall('recreate', { how: 'before', span: 'from' }, async (workload, failed, where) => {
      if (!failed) return;
      const again = bench.dispatch({ workload: { ...workload, health: NEVER }, operationId: 'op-2' });
      await expect(again).rejects.toMatchObject({ code: 'APP_UNHEALTHY' });
      expect([where, await situation(workload)]).toEqual([where, ['old running']]);
    }),
  3 * MINUTES,
);

test(
  'killed anywhere, then taken back: the old version serves, or the new one where the old was gone; twice alike',
  () =>
    eachCall('recreate', { how: 'before', span: 'from' }, async (workload, failed, where) => {
      const revert = () =>
        bench.deployer.revertDispatch({ ...bench.input({ workload }), workload, operationId: 'op-2' });
      for (const time of [1, 2]) {
        const version = await revert();
        expect([where, time, await situation(workload)]).toEqual([where, time, [`${version} running`]]);
        if (failed) expect(version).toBe('old');
      }
    }),
  3 * MINUTES,
);

test(
  'a call that hangs ends with the signal, and the old version serves',
  async () => {
    for (const method of ['createContainer', 'stopContainer', 'startContainer'] as const) {
      const { v1, v2 } = versions('recreate');
      await bench.dispatch({ workload: v1 });
      const faulty = new FaultyDockerPort(bench.docker.docker, { at: 1, how: 'hang', methods: [method] });
      const input = bench.input({ workload: v2, operationId: 'op-2', signal: AbortSignal.timeout(1500) });
      await expect(bench.deployerOn(faulty.port).dispatch(input)).rejects.toMatchObject({ code: 'CANCELLED' });
      expect([method, await situation(v2)]).toEqual([method, ['old running']]);
      await bench.docker.cleanUp();
    }
  },
  MINUTES,
);

test(
  'a first deploy that fails leaves nothing',
  async () => {
    for (let at = 1; ; at += 1) {
      const workload = bench.workload();
      const faulty = new FaultyDockerPort(bench.docker.docker, { at, how: 'after' });
      const input = bench.input({ workload, operationId: 'op-2' });
      const result = await bench
        .deployerOn(faulty.port)
        .dispatch(input)
        .catch((error: unknown) => error);
      if (!faulty.faulted) break;
      expect([at, await situation(workload)]).toEqual([at, result instanceof Error ? [] : ['new running']]);
      await bench.docker.cleanUp();
    }
  },
  MINUTES,
);
