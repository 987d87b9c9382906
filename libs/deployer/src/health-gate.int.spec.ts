import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { HealthConfig } from '@tiny-forge/contracts/domain';
import type { SourceWorkload } from '@tiny-forge/plugin-api';
import net from 'node:net';
import { deployBench, type DeployBench } from './testing/deploy-bench.ts';

let bench: DeployBench;
beforeAll(async () => {
  bench = await deployBench();
});
afterEach(() => bench.docker.cleanUp());
afterAll(() => bench.close());

const timing = { timeoutSeconds: 3, intervalSeconds: 1 };
const HTTPD = 'mkdir -p /tmp/www; echo hello > /tmp/www/index.html; exec httpd -f -p 8080 -h /tmp/www';
const sh = (script: string): string[] => ['sh', '-c', script];
const deploy = (health: HealthConfig, script: string | null, more: Partial<SourceWorkload> = {}) =>
  bench.dispatch({
    workload: bench.workload({ volumes: [], health, command: script === null ? null : sh(script), ...more }),
  });
const freePort = async (): Promise<number> => {
  const server = net.createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as net.AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
};

describe('http', () => {
  const at = (path: string, port = 8080): HealthConfig => ({ type: 'http', port, path, ...timing });

  test('an answer is healthy, unpublished or published on loopback', async () => {
    await deploy(at('/'), HTTPD);
    const published = await freePort();
    await deploy(at('/'), HTTPD, { ports: [{ container: 8080, published, protocol: 'tcp', hostIp: '127.0.0.1' }] });
  });

  test('an app that takes a moment is waited for', async () => {
    await deploy(at('/'), `sleep 1.5; ${HTTPD}`);
  });

  test('the last answer is told', async () => {
    await expect(deploy(at('/missing'), HTTPD)).rejects.toMatchObject({
      code: 'APP_UNHEALTHY',
      kind: 'timeout',
      params: { seconds: 3, answer: 'HTTP 404' },
    });
    await expect(deploy(at('/', 9), HTTPD)).rejects.toMatchObject({ params: { answer: 'connection refused' } });
  });

  test('an app that accepts and says nothing is not healthy', async () => {
    await expect(deploy(at('/'), 'while :; do sleep 60 | nc -l -p 8080; done')).rejects.toMatchObject({
      code: 'APP_UNHEALTHY',
      params: { answer: 'no answer in time' },
    });
  });
});

describe('tcp', () => {
  const at = (port: number): HealthConfig => ({ type: 'tcp', port, ...timing });

  test('a listening app is healthy', async () => {
    await deploy(at(8080), HTTPD);
  });

  test('a published port behind which nobody listens is not: the proxy of Docker accepts for it', async () => {
    const published = await freePort();
    await expect(
      deploy(at(8080), null, { ports: [{ container: 8080, published, protocol: 'tcp', hostIp: '127.0.0.1' }] }),
    ).rejects.toMatchObject({ code: 'APP_UNHEALTHY' });
  });
});

describe('exec', () => {
  const exec = (...command: string[]): HealthConfig => ({ type: 'exec', command, ...timing });

  test('exit code 0 is healthy; the output stays in the container', async () => {
    await deploy(exec('true'), null);
    await expect(deploy(exec('sh', '-c', 'echo secret; exit 3'), null)).rejects.toMatchObject({
      params: { answer: 'exit code 3' },
    });
  });

  test('a command that hangs is not healthy', async () => {
    await expect(deploy(exec('sleep', '60'), null)).rejects.toMatchObject({ params: { answer: 'exit code 124' } });
  });
});

describe('docker', () => {
  const health: HealthConfig = { type: 'docker', timeoutSeconds: 20, intervalSeconds: 1 };
  const checked = async (name: string, test: string): Promise<SourceWorkload['source']> => {
    const { tag } = await bench.docker.image({
      tag: `tiny-forge-test/${name}:1`,
      healthcheck: { test: ['CMD', test], intervalSeconds: 1, retries: 2 },
    });
    return { type: 'fake', image: tag, pull: 'never' };
  };

  test("Docker's own verdict counts", async () => {
    await deploy(health, null, { source: await checked('check-true', 'true') });
    await expect(deploy(health, null, { source: await checked('check-false', 'false') })).rejects.toMatchObject({
      code: 'APP_UNHEALTHY',
      params: { answer: 'Docker says unhealthy' },
    });
  });

  test('an image without a check fails at once and says so', async () => {
    await expect(deploy(health, null)).rejects.toMatchObject({ params: { answer: 'the image has no health check' } });
  });
});

describe('stable', () => {
  const stable = (stableSeconds: number): HealthConfig => ({
    type: 'stable',
    stableSeconds,
    timeoutSeconds: 20,
    intervalSeconds: 1,
  });

  test('waits that long', async () => {
    const began = Date.now();
    await deploy(stable(2), null);
    expect(Date.now() - began).toBeGreaterThanOrEqual(2000);
  });

  test.each(['no', 'unless-stopped'] as const)('an app that ends fails at once, restart policy %s', async (policy) => {
    const began = Date.now();
    const workload = bench.workload({ volumes: [], health: stable(15), command: sh('sleep 1; exit 5') });
    await expect(bench.dispatch({ workload, restartPolicy: policy })).rejects.toMatchObject({
      code: 'APP_EXITED',
      kind: 'timeout',
    });
    expect(Date.now() - began).toBeLessThan(15_000);
    expect(await bench.instances(workload.id)).toEqual([]);
  });
});

test('a cancelled wait ends at once and leaves nothing', async () => {
  const health: HealthConfig = { type: 'stable', stableSeconds: 60, timeoutSeconds: 120, intervalSeconds: 30 };
  const workload = bench.workload({ volumes: [], health });
  const signal = AbortSignal.timeout(2500);
  await expect(bench.dispatch({ workload, signal })).rejects.toMatchObject({ code: 'CANCELLED' });
  expect(await bench.instances(workload.id)).toEqual([]);
});
