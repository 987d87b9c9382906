import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, expect, it } from '@jest/globals';
import { TestServer } from '../testing/test-server.ts';
import { DemoStarter } from './demo-starter.ts';

let server: TestServer;
afterEach(() => server.stop());

const demoOf = (of: TestServer): DemoStarter =>
  new DemoStarter({ parts: of.parts, services: of.app.services, readiness: of.app.services.readiness, everyMs: 20 });

async function until(isSo: () => Promise<boolean>): Promise<void> {
  for (let left = 500; left > 0; left -= 1) {
    if (await isSo()) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error('it did not come to that');
}

it('at the first start with everything ready, a guestbook with entries is deployed, once', async () => {
  server = await TestServer.start({ settings: { demo: true } });
  const { state } = server.parts;
  server.gateway.workers = { status: 'starting', detail: null };
  const demo = demoOf(server);
  demo.start();
  await until(async () => (await state.meta.get('demo')) === 'wanted');
  expect(await state.workloads.all()).toEqual([]);
  server.gateway.workers = { status: 'ok', detail: null };
  await until(async () => ((await state.meta.get('demo')) ?? '') !== 'wanted');
  await demo.stop();
  const [workload] = await state.workloads.all();
  expect(workload?.config).toMatchObject({
    name: 'guestbook',
    project: 'demo',
    stage: 'prod',
    source: { type: 'image', pull: 'never' },
    ports: [{ container: 8080, hostIp: '127.0.0.1' }],
  });
  expect(await state.meta.get('demo')).toBe(workload?.id);
  expect(server.gateway.submitted).toMatchObject([
    { kind: 'deploy', workloadId: workload?.id, requestedBy: 'tiny-forge' },
  ]);
  const folder = path.join(server.parts.dataDir, 'volumes', 'stage', workload?.id ?? '');
  expect(readdirSync(path.join(folder, 'entries'))).toHaveLength(4);
  expect(readdirSync(path.join(folder, 'uploads'))).toHaveLength(4);
  const [first = ''] = readdirSync(path.join(folder, 'entries')).sort();
  expect(readFileSync(path.join(folder, 'entries', first), 'utf8')).toMatch(
    /^\d{4}-\d\d-\d\dT[\d:]+Z\nThe first visitor\n/,
  );

  const again = demoOf(server);
  again.start();
  await new Promise((resolve) => setTimeout(resolve, 100));
  await again.stop();
  expect(server.gateway.submitted).toHaveLength(1);
  expect(await state.workloads.all()).toHaveLength(1);
});

it('not wanted at the first start is not wanted later', async () => {
  server = await TestServer.start();
  const off = demoOf(server);
  off.start();
  await until(async () => (await server.parts.state.meta.get('demo')) === 'off');
  await off.stop();
  const later = await TestServer.start({ beside: server, settings: { demo: true } });
  const demo = demoOf(later);
  demo.start();
  await new Promise((resolve) => setTimeout(resolve, 150));
  await demo.stop();
  await later.stop();
  expect(await server.parts.state.workloads.all()).toEqual([]);
});

it('a start that died in the middle is taken up: one workload, one deploy, seeded once', async () => {
  server = await TestServer.start({ settings: { demo: true } });
  const { state } = server.parts;
  const finish = async (): Promise<void> => {
    const demo = demoOf(server);
    demo.start();
    await until(async () => ((await state.meta.get('demo')) ?? 'wanted') !== 'wanted');
    await demo.stop();
  };
  await finish();
  await state.meta.set('demo', 'wanted');
  await finish();
  expect(await state.workloads.all()).toHaveLength(1);
  expect(server.gateway.submitted).toHaveLength(1);
  const [workload] = await state.workloads.all();
  expect(readdirSync(path.join(server.parts.dataDir, 'volumes', 'stage', workload?.id ?? '', 'entries'))).toHaveLength(
    4,
  );
});
