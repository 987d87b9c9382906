import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { stat } from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';
import { LABELS } from '@tiny-forge/contracts/domain';
import { deployBench, type DeployBench } from './testing/deploy-bench.ts';

let bench: DeployBench;
beforeAll(async () => {
  bench = await deployBench();
});
afterEach(() => bench.docker.cleanUp());
afterAll(() => bench.close());

describe('dispatch', () => {
  test('creates the directory, mounts it, labels everything and pins the image by id', async () => {
    const workload = bench.workload({ env: { GREETING: 'hello' } });
    const result = await bench.dispatch({ workload });

    expect(result).toEqual({
      instances: [{ containerId: expect.any(String), name: expect.any(String), imageId: bench.imageId }],
      image: { reference: bench.tag, imageId: bench.imageId, digest: null },
      changed: true,
    });
    const [container] = await bench.instances(workload.id);
    expect(container).toMatchObject({
      name: `tf-demo-prod-${workload.name}-1`,
      state: 'running',
      labels: {
        [LABELS.installation]: bench.docker.installation,
        [LABELS.workload]: workload.id,
        [LABELS.role]: 'instance',
        [LABELS.operation]: 'op-1',
        [LABELS.revision]: '1',
        [LABELS.service]: 'main',
        [LABELS.image]: bench.tag,
        [LABELS.spec]: expect.stringMatching(/^[0-9a-f]{64}$/),
      },
      mounts: [{ type: 'bind', source: path.join(bench.base, 'data'), target: '/data' }],
    });
    const directory = await stat(path.join(bench.base, 'data'));
    expect({ mode: directory.mode & 0o7777, uid: directory.uid }).toEqual({ mode: 0o755, uid: 0 });
    const detail = await bench.docker.docker.inspectContainer(container!.id);
    expect(detail?.restartPolicy).toBe('unless-stopped');
  });

  test('does nothing when the very same thing runs and is healthy', async () => {
    const workload = bench.workload();
    const first = await bench.dispatch({ workload });
    const again = await bench.dispatch({ workload, operationId: 'op-2', revision: 2 });
    expect(again).toEqual({ ...first, changed: false });
  });

  test('replaces inside a restore even what runs already, with the policy it was given', async () => {
    const workload = bench.workload();
    const first = await bench.dispatch({ workload });
    await bench.deployer.stopWorkload({ ...bench.key(workload), timeoutSeconds: 1, signal: bench.signal });
    const second = await bench.dispatch({ workload, operationId: 'op-2', cause: 'restore', restartPolicy: 'no' });
    expect(second.changed).toBe(true);
    expect(second.instances[0]?.containerId).not.toBe(first.instances[0]?.containerId);
    const instances = await bench.instances(workload.id);
    expect(instances.map((container) => container.id)).toEqual([second.instances[0]?.containerId]);
    expect((await bench.docker.docker.inspectContainer(instances[0]!.id))?.restartPolicy).toBe('no');
  });

  test('a changed config replaces the container and reaps the old one', async () => {
    const workload = bench.workload();
    const first = await bench.dispatch({ workload });
    const second = await bench.dispatch({ workload: { ...workload, env: { A: '1' } }, operationId: 'op-2' });
    expect(second.instances[0]?.containerId).not.toBe(first.instances[0]?.containerId);
    expect(await bench.instances(workload.id)).toHaveLength(1);
  });

  test.each([
    ['ends at once', { command: ['sh', '-c', 'exit 7'] }, 'APP_EXITED'],
    ['cannot be executed', { command: ['/no/such/file'] }, 'DEPLOY_FAILED'],
    [
      'never becomes healthy',
      { health: { type: 'exec', command: ['false'], timeoutSeconds: 2, intervalSeconds: 1 } },
      'APP_UNHEALTHY',
    ],
  ] as const)('a new version that %s leaves the old one serving', async (_, broken, code) => {
    const workload = bench.workload();
    const first = await bench.dispatch({ workload });
    await expect(
      bench.dispatch({ workload: { ...workload, env: { V: '2' }, ...(broken as object) }, operationId: 'op-2' }),
    ).rejects.toMatchObject({ code, params: { old: 'running' } });
    const instances = await bench.instances(workload.id);
    expect(instances.map(({ id, state }) => ({ id, state }))).toEqual([
      { id: first.instances[0]?.containerId, state: 'running' },
    ]);
  });

  test('a failure inside a restore starts nothing old', async () => {
    const health = { type: 'stable', stableSeconds: 1, timeoutSeconds: 10, intervalSeconds: 1 } as const;
    const workload = bench.workload({ health });
    await bench.dispatch({ workload });
    await bench.deployer.stopWorkload({ ...bench.key(workload), timeoutSeconds: 1, signal: bench.signal });
    await expect(
      bench.dispatch({ workload: { ...workload, command: ['false'] }, operationId: 'op-2', cause: 'restore' }),
    ).rejects.toMatchObject({ code: 'APP_EXITED' });
    const instances = await bench.instances(workload.id);
    expect(instances.map(({ state, labels }) => [state, labels[LABELS.operation]])).toEqual([['exited', 'op-1']]);
  });

  test('a taken port is named, and the old version serves', async () => {
    const workload = bench.workload();
    await bench.dispatch({ workload });
    const server = net.createServer().listen(0, '0.0.0.0');
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as net.AddressInfo;
    try {
      await expect(
        bench.dispatch({
          workload: { ...workload, ports: [{ container: 8080, published: port, protocol: 'tcp' }] },
          operationId: 'op-2',
        }),
      ).rejects.toMatchObject({ code: 'PORT_TAKEN', kind: 'conflict', params: { port, old: 'running' } });
    } finally {
      server.close();
    }
    expect(await bench.instances(workload.id)).toMatchObject([{ state: 'running' }]);
  });

  test('a missing image touches nothing', async () => {
    const workload = bench.workload();
    await bench.dispatch({ workload });
    await expect(
      bench.dispatch({
        workload: { ...workload, source: { type: 'fake', image: 'tiny-forge-test/none:1', pull: 'never' } },
        operationId: 'op-2',
      }),
    ).rejects.toMatchObject({ code: 'IMAGE_MISSING' });
    expect(await bench.instances(workload.id)).toMatchObject([{ state: 'running' }]);
  });
});
