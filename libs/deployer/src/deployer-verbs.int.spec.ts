import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { ForgeError, LABELS, type VolumeConfig } from '@tiny-forge/contracts/domain';
import { FaultyDockerPort } from '@tiny-forge/docker/testing';
import { deployBench, type DeployBench } from './testing/deploy-bench.ts';

let bench: DeployBench;
beforeAll(async () => {
  bench = await deployBench();
});
afterEach(() => bench.docker.cleanUp());
afterAll(() => bench.close());

const volume = (more: Partial<VolumeConfig>): VolumeConfig => ({
  scope: 'fake',
  source: 'data',
  target: '/data',
  readOnly: false,
  links: 2,
  shared: false,
  ...more,
});
const labels = (workloadId: string, role: string): Record<string, string> => ({
  [LABELS.installation]: bench.docker.installation,
  [LABELS.workload]: workloadId,
  [LABELS.role]: role,
  [LABELS.operation]: 'op-1',
});
const holder = async (workloadId: string): Promise<string> =>
  (
    await bench.docker.docker.createContainer(
      bench.docker.spec(bench.imageId, { labels: labels(workloadId, 'holder') }),
    )
  ).id;
const detail = (id: string | undefined) => bench.docker.docker.inspectContainer(id ?? '');

describe('the guard', () => {
  test('is asked before anything is created, with paths and operation, and its refusal stands', async () => {
    const workload = bench.workload();
    const asked: unknown[] = [];
    const refusal = new ForgeError({ code: 'VOLUME_IN_USE', params: { path: '/x', user: 'a restore' } });
    const faulty = new FaultyDockerPort(bench.docker.docker);
    const dispatch = bench.deployerOn(faulty.port).dispatch(
      bench.input({
        workload,
        guard: {
          assertMayStart: async (...args) => {
            asked.push(args);
            throw refusal;
          },
        },
      }),
    );
    await expect(dispatch).rejects.toBe(refusal);
    expect(asked).toEqual([[workload.id, [path.join(bench.base, 'data')], 'op-1']]);
    expect(faulty.calls).toEqual([]);
  });

  test('is asked again right before the start, also of the old version', async () => {
    const workload = bench.workload();
    await bench.dispatch({ workload });
    let asked = 0;
    const guard = {
      assertMayStart: async () => {
        asked += 1;
        if (asked > 1) throw new ForgeError({ code: 'VOLUME_IN_USE', params: { path: '/x', user: 'a restore' } });
      },
    };
    await expect(
      bench.dispatch({ workload: { ...workload, env: { V: '2' } }, operationId: 'op-2', guard }),
    ).rejects.toMatchObject({ code: 'VOLUME_IN_USE', params: { old: 'not running' } });
    expect(asked).toBeGreaterThan(2);
    expect(await bench.instances(workload.id)).toMatchObject([{ state: 'exited' }]);
  });
});

describe('directories', () => {
  test('a missing directory of a scope that makes none is VOLUME_MISSING, and nothing else is made', async () => {
    const workload = bench.workload({
      volumes: [volume({ source: 'first', target: '/a' }), volume({ scope: 'fixed', source: 'missing', target: '/b' })],
    });
    await expect(bench.dispatch({ workload })).rejects.toMatchObject({
      code: 'VOLUME_MISSING',
      params: { path: path.join(bench.base, 'missing') },
    });
    await expect(rm(path.join(bench.base, 'first'))).rejects.toMatchObject({ code: 'ENOENT' });
  });

  test('a directory that exists is left as it is', async () => {
    const directory = path.join(bench.base, 'kept');
    await mkdir(directory, { mode: 0o700 });
    const workload = bench.workload({ volumes: [volume({ scope: 'fixed', source: 'kept', readOnly: true })] });
    await bench.dispatch({ workload });
    const [container] = await bench.instances(workload.id);
    const { docker } = bench.docker;
    expect(await docker.exec(container!.id, ['sh', '-c', 'echo x > /data/x'], 5000)).toMatchObject({ exitCode: 1 });
  });
});

test('blue-green with a writable volume that is not shared, or a published port, is refused before anything is touched', async () => {
  const refused = { code: 'VALIDATION_FAILED', kind: 'invalid', params: { fields: 'strategy' } };
  const workload = bench.workload({ strategy: 'blue-green' });
  await expect(bench.dispatch({ workload })).rejects.toMatchObject(refused);
  const ports = [{ container: 80, published: 18999, protocol: 'tcp' as const }];
  await expect(bench.dispatch({ workload: { ...workload, volumes: [], ports } })).rejects.toMatchObject(refused);
  await bench.dispatch({ workload: { ...workload, volumes: [volume({ shared: true })] } });
  await bench.dispatch({ workload, operationId: 'op-2', cause: 'restore', restartPolicy: 'no' });
});

describe('stop and start', () => {
  test('what was stopped is started as it is, even when its tag moved', async () => {
    const tag = 'tiny-forge-test/moving:1';
    const first = await bench.docker.image({ tag, labels: { v: '1' } });
    const workload = bench.workload({ source: { type: 'fake', image: tag, pull: 'missing' } });
    const deployed = await bench.dispatch({ workload });
    expect(
      await bench.deployer.stopWorkload({ ...bench.key(workload), timeoutSeconds: 2, signal: bench.signal }),
    ).toEqual([deployed.instances[0]?.containerId]);
    const moved = await bench.docker.image({ tag, labels: { v: '2' } });
    expect(moved.id).not.toBe(first.id);
    const started = await bench.deployer.startWorkload(bench.input({ workload, operationId: 'op-2' }));
    expect(started).toEqual({ ...deployed, changed: true });
    expect((await bench.instances(workload.id))[0]).toMatchObject({ state: 'running', imageId: first.id });
  });

  test('a config that changed meanwhile is deployed', async () => {
    const workload = bench.workload();
    const deployed = await bench.dispatch({ workload });
    await bench.deployer.stopWorkload({ ...bench.key(workload), timeoutSeconds: 2, signal: bench.signal });
    const changed = { ...workload, env: { A: '1' } };
    const started = await bench.deployer.startWorkload(bench.input({ workload: changed, operationId: 'op-2' }));
    expect(started.instances[0]?.containerId).not.toBe(deployed.instances[0]?.containerId);
    expect(await bench.instances(workload.id)).toMatchObject([{ state: 'running' }]);
  });

  test('a start that fails leaves it stopped', async () => {
    const workload = bench.workload({
      command: ['sh', '-c', 'test -e /data/broken && exit 1; while :; do sleep 1; done'],
    });
    await bench.dispatch({ workload });
    await bench.deployer.stopWorkload({ ...bench.key(workload), timeoutSeconds: 1, signal: bench.signal });
    await mkdir(path.join(bench.base, 'data', 'broken'));
    const health = { type: 'stable', stableSeconds: 2, timeoutSeconds: 10, intervalSeconds: 1 } as const;
    await expect(
      bench.deployer.startWorkload(bench.input({ workload: { ...workload, health }, operationId: 'op-2' })),
    ).rejects.toMatchObject({ code: 'APP_EXITED' });
    await rm(path.join(bench.base, 'data', 'broken'), { recursive: true });
    expect(await bench.instances(workload.id)).toMatchObject([{ state: 'exited' }]);
  });

  test('an app that ignores SIGTERM is killed after its time; a paused one is stopped too', async () => {
    const workload = bench.workload({ command: ['sh', '-c', 'trap "" TERM; while :; do sleep 1; done'] });
    const { instances } = await bench.dispatch({ workload });
    await bench.docker.docker.pauseContainer(instances[0]?.containerId ?? '');
    await bench.deployer.stopWorkload({ ...bench.key(workload), timeoutSeconds: 1, signal: bench.signal });
    expect(await detail(instances[0]?.containerId)).toMatchObject({ state: 'exited', exitCode: 137 });
  });

  test('a container that will not stop is STOP_TIMEOUT, and a deploy leaves it serving', async () => {
    const workload = bench.workload();
    const { instances } = await bench.dispatch({ workload });
    const faulty = new FaultyDockerPort(bench.docker.docker, {
      at: 1,
      how: 'before',
      methods: ['stopContainer'],
      error: () => new ForgeError({ code: 'STOP_TIMEOUT', params: { container: 'app', seconds: 2 } }),
    });
    const input = bench.input({ workload: { ...workload, env: { A: '1' } }, operationId: 'op-2' });
    await expect(bench.deployerOn(faulty.port).dispatch(input)).rejects.toMatchObject({
      code: 'STOP_TIMEOUT',
      params: { old: 'running' },
    });
    expect(await bench.instances(workload.id)).toMatchObject([{ id: instances[0]?.containerId, state: 'running' }]);
  });
});

describe('holders', () => {
  test('are never started, counted nor removed by a deploy; only deleting the workload takes them', async () => {
    const workload = bench.workload();
    const held = await holder(workload.id);
    await bench.dispatch({ workload });
    expect((await detail(held))?.state).toBe('created');
    expect((await bench.deployer.status(bench.docker.installation, workload.id)).instances).toHaveLength(1);
    expect(await bench.deployer.removeByOperation(bench.docker.installation, workload.id, 'op-1')).toHaveLength(1);
    expect((await detail(held))?.state).toBe('created');
    await bench.deployer.removeWorkload({ ...bench.key(workload), timeoutSeconds: 1, signal: bench.signal });
    expect(await detail(held)).toBeNull();
  });
});

test('removeByOperation takes what that operation made, running or not, and nothing else', async () => {
  const workload = bench.workload();
  const { instances } = await bench.dispatch({ workload });
  const mine = await bench.docker.docker.createContainer(
    bench.docker.spec(bench.imageId, { labels: { ...labels(workload.id, 'instance'), [LABELS.operation]: 'op-2' } }),
  );
  const remove = () => bench.deployer.removeByOperation(bench.docker.installation, workload.id, 'op-2');
  expect([await remove(), await remove()]).toEqual([[mine.id], []]);
  expect((await detail(instances[0]?.containerId))?.state).toBe('running');
});

test('containers of other workloads, installations and people are never touched, whatever their name', async () => {
  const workload = bench.workload();
  const { docker } = bench.docker;
  const foreign = [
    { [LABELS.workload]: workload.id, [LABELS.role]: 'instance', [LABELS.installation]: 'another' },
    { ...labels('another', 'instance') },
    { [LABELS.workload]: workload.id },
  ];
  const ids: string[] = [];
  try {
    for (const [index, own] of foreign.entries()) {
      const spec = {
        ...bench.docker.spec(bench.imageId),
        name: `tf-demo-prod-${workload.name}-${index + 1}`,
        labels: own,
      };
      const { id } = await docker.createContainer(spec);
      await docker.startContainer(id);
      ids.push(id);
    }
    const { instances } = await bench.dispatch({ workload });
    expect(instances[0]?.name).toBe(`tf-demo-prod-${workload.name}-4`);
    await bench.deployer.stopWorkload({ ...bench.key(workload), timeoutSeconds: 1, signal: bench.signal });
    await bench.deployer.removeWorkload({ ...bench.key(workload), timeoutSeconds: 1, signal: bench.signal });
    for (const id of ids) expect((await detail(id))?.state).toBe('running');
  } finally {
    for (const id of ids) await docker.removeContainer(id, { force: true });
  }
});

describe('images', () => {
  test('a pinned image is taken by id, whatever its tag says now', async () => {
    const tag = 'tiny-forge-test/pinned:1';
    const first = await bench.docker.image({ tag, labels: { v: 'pin-1' } });
    const workload = bench.workload({ source: { type: 'fake', image: tag, pull: 'always' } });
    const pinnedImage = { reference: tag, imageId: first.id, digest: null };
    await bench.docker.image({ tag, labels: { v: 'pin-2' } });
    const result = await bench.dispatch({ workload, pinnedImage, cause: 'restore', restartPolicy: 'no' });
    expect(result).toMatchObject({ image: pinnedImage, instances: [{ imageId: first.id }] });
  });

  test('inside a restore `pull: always` does not apply', async () => {
    const workload = bench.workload({ source: { type: 'fake', image: bench.tag, pull: 'always' } });
    await bench.dispatch({ workload, cause: 'restore' });
    await expect(bench.dispatch({ workload, operationId: 'op-2' })).rejects.toMatchObject({ code: 'IMAGE_MISSING' });
  });

  test('resume takes the recorded image only; a pinned one that is gone is IMAGE_MISSING', async () => {
    const workload = bench.workload();
    await expect(bench.dispatch({ workload, cause: 'resume' })).rejects.toMatchObject({ code: 'IMAGE_MISSING' });
    const pinnedImage = { reference: bench.tag, imageId: `sha256:${'0'.repeat(64)}`, digest: null };
    await expect(bench.dispatch({ workload, pinnedImage, cause: 'restore' })).rejects.toMatchObject({
      code: 'IMAGE_MISSING',
    });
    expect(await bench.instances(workload.id)).toEqual([]);
  });

  test('resume leaves an app that is not healthy up, for it may have been so before', async () => {
    const workload = bench.workload({
      health: { type: 'exec', command: ['false'], timeoutSeconds: 1, intervalSeconds: 1 },
    });
    const pinnedImage = { reference: bench.tag, imageId: bench.imageId, digest: null };
    await expect(bench.dispatch({ workload, pinnedImage, cause: 'resume' })).rejects.toMatchObject({
      code: 'APP_UNHEALTHY',
    });
    expect(await bench.instances(workload.id)).toMatchObject([{ state: 'running' }]);
  });
});

describe('status', () => {
  const status = (workloadId: string, health?: Parameters<typeof bench.deployer.status>[2]) =>
    bench.deployer.status(bench.docker.installation, workloadId, health);

  test('absent, running, degraded, stopped', async () => {
    const workload = bench.workload();
    expect(await status(workload.id)).toEqual({ state: 'absent', instances: [] });
    const { instances } = await bench.dispatch({ workload });
    const id = instances[0]?.containerId ?? '';
    expect(await status(workload.id, workload.health)).toEqual({
      state: 'running',
      instances: [
        {
          containerId: id,
          name: instances[0]?.name,
          image: bench.tag,
          imageId: bench.imageId,
          digest: null,
          state: 'running',
          health: 'healthy',
          ports: [],
        },
      ],
    });
    const sick = { type: 'exec', command: ['false'], timeoutSeconds: 1, intervalSeconds: 1 } as const;
    expect(await status(workload.id, { ...sick, command: ['false'] })).toMatchObject({
      state: 'degraded',
      instances: [{ health: 'unhealthy' }],
    });
    await bench.docker.docker.pauseContainer(id);
    expect((await status(workload.id)).state).toBe('degraded');
    await bench.docker.docker.stopContainer(id, 1);
    expect(await status(workload.id)).toMatchObject({
      state: 'stopped',
      instances: [{ state: 'exited', health: 'none' }],
    });
  });
});

test('no secret is in a label, a name, an error or a progress line', async () => {
  const secret = 'hunter2-and-more';
  const seen: string[] = [];
  const workload = bench.workload({ env: { PASSWORD: secret } });
  const onProgress = (line: string): void => void seen.push(line);
  await bench.dispatch({ workload, onProgress });
  const [container] = await bench.instances(workload.id);
  seen.push(JSON.stringify(container));
  for (const broken of [
    { command: ['/no/such'] },
    { command: ['sh', '-c', 'echo $PASSWORD; exit 1'] },
    {
      health: {
        type: 'exec' as const,
        command: ['sh', '-c', 'echo $PASSWORD; exit 1'],
        timeoutSeconds: 1,
        intervalSeconds: 1,
      },
    },
  ]) {
    const error = await bench
      .dispatch({ workload: { ...workload, ...broken, stopTimeoutSeconds: 1 }, operationId: 'op-2', onProgress })
      .catch((caught: unknown) => caught as ForgeError);
    expect(error).toBeInstanceOf(Error);
    seen.push(JSON.stringify([(error as ForgeError).message, (error as ForgeError).params]));
  }
  expect(seen.join('\n')).not.toContain(secret);
});
