import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Operation } from '@tiny-forge/contracts/domain';
import { auditOf } from '../harness/audit-trail.ts';
import { closedJournals, openJournals } from '../harness/journal-files.ts';
import { Stack } from '../harness/stack.ts';
import { TemporalServer } from '../harness/temporal-server.ts';
import { TestWorkload, type Accepted } from '../harness/test-workload.ts';
import { eventually, sleep } from '../harness/waiting.ts';

const VOLUMES = [
  { scope: 'stage', source: 'data', target: '/data' },
  { scope: 'project', source: 'shared', target: '/shared' },
];

/** One bit of the first record of `type` turns while the server is down. */
function damage(stack: Stack, type: string): string {
  const folder = path.join(stack.dataDir, 'journal');
  const [name] = openJournals(stack.dataDir).map(({ file }) => file);
  const file = path.join(folder, name as string);
  const bytes = fs.readFileSync(file);
  const at = bytes.indexOf(`"type":"${type}"`);
  expect(at).toBeGreaterThan(0);
  bytes[at + 9]! ^= 1;
  fs.writeFileSync(file, bytes);
  return path.basename(file);
}

/** Every line of the guide, in a shell, in its order, as a person would copy it. */
function obey(operation: Operation): void {
  for (const { command } of operation.operatorGuide?.commands ?? []) {
    if (/^(mv|sync|chown) /.test(command)) execFileSync('sh', ['-c', command], { stdio: 'pipe' });
  }
}

async function halfSwapped(app: TestWorkload, snapshotId: string): Promise<string> {
  const { stack } = app;
  await stack.restart({ kill: { call: ['rename'], path: '\\.restore-|/(data|shared)$', nth: 1 } });
  const { operationId } = (await app.restore(snapshotId)).body;
  await eventually('the kill switch', () => stack.server.exit, { timeoutMs: 60_000, intervalMs: 10 });
  expect(fs.existsSync(app.directories[0] as string)).toBe(false);
  return operationId;
}

/** Its state may be told before its guide is. */
const untilHeld = (stack: Stack, operationId: string): Promise<Operation> =>
  stack.until(
    operationId,
    'needs an operator',
    ({ state, operatorGuide }) => state === 'NEEDS_OPERATOR' && operatorGuide !== undefined,
  );

/** Everything that could make it worse is refused by name. */
async function expectHeld(app: TestWorkload, snapshotId: string, operationId: string): Promise<void> {
  const { api } = app.stack;
  for (const answer of [
    await api.post<{ code: string; operationId: string }>(`${app.path}/deploy`),
    await api.post<{ code: string; operationId: string }>(`${app.path}/snapshots`, {}),
    await app.restore(snapshotId),
  ]) {
    expect([answer.status, (answer.body as { code?: string }).code]).toEqual([409, 'WORKLOAD_HELD']);
    expect(answer.text).toContain(operationId);
  }
  expect((await app.instances()).filter((one) => one.State.Running)).toEqual([]);
}

async function recheck(stack: Stack, operationId: string, body: object = {}): Promise<Operation> {
  const answer = await stack.api.post<Accepted>(`/api/operations/${operationId}/recheck`, body);
  expect([answer.status, answer.text]).toEqual([202, expect.any(String)]);
  return stack.until(answer.body.operationId);
}

describe('a restore that needs an operator', () => {
  let stack: Stack;
  let app: TestWorkload;
  let snapshotId: string;
  let operationId: string;
  let damaged: string;

  beforeAll(async () => {
    stack = await Stack.start();
    ({ app, snapshotId } = await TestWorkload.withSnapshot(stack, { volumes: VOLUMES }));
    operationId = await halfSwapped(app, snapshotId);
    damaged = damage(stack, 'QUIESCED');
  });
  afterAll(() => stack?.destroy());

  it('because its journal is damaged says so, touches nothing and holds the workload', async () => {
    await stack.up();
    const held = await untilHeld(stack, operationId);
    expect(held.endedAt).toBeNull();
    expect(held.situation).toMatchObject({ app: 'stopped', data: 'unclear' });
    expect(held.actions).toContain('recheck');
    expect(held.operatorGuide?.volumes.map(({ live, other }) => [live, other])).toEqual([
      ['absent', 'old'],
      ['old', 'new'],
    ]);
    expect(openJournals(stack.dataDir).map(({ file }) => file)).toEqual([damaged]);
    await expectHeld(app, snapshotId, operationId);
  });

  it('stays so when nothing was done, and through a restart', async () => {
    const looked = await recheck(stack, operationId);
    expect(looked).toMatchObject({ kind: 'recover', state: 'FAILED', error: { code: 'WORKLOAD_HELD' } });
    await stack.restart();
    await sleep(1_000);
    expect((await stack.operation(operationId)).state).toBe('NEEDS_OPERATOR');
    await expectHeld(app, snapshotId, operationId);
  });

  it('ends rolled back once the lines of its guide were run, the app as it was', async () => {
    obey(await stack.operation(operationId));
    expect(await recheck(stack, operationId)).toMatchObject({ kind: 'recover', state: 'SUCCEEDED' });
    const ended = await stack.operation(operationId);
    expect(ended).toMatchObject({ state: 'ROLLED_BACK', situation: { app: 'running', data: 'current' } });
    expect(app.generations()).toEqual(['live']);
    expect((await app.running()).HostConfig.RestartPolicy.Name).toBe('unless-stopped');
    expect(app.leftovers()).toEqual([]);
    expect(openJournals(stack.dataDir)).toEqual([]);
    expect(closedJournals(stack.dataDir)).toContain(damaged);
  });

  it('and the next restore goes through', async () => {
    await app.done(await app.restore(snapshotId), 'SUCCEEDED');
    expect(app.generations()).toEqual(['snap']);
  });
});

describe('a damaged journal whose operation Temporal has lost', () => {
  let temporal: TemporalServer;
  let stack: Stack;
  beforeAll(async () => {
    temporal = await TemporalServer.start();
    stack = await Stack.start({ temporal });
  });
  afterAll(async () => {
    await stack?.destroy();
    await temporal?.destroy();
  });

  it.each([
    ['is found by the server, and ends like any other', 'QUIESCED', {}],
    ['of which nothing can be read is taken as it is', 'BEGIN', { accept: 'as-is' }],
  ] as const)('%s', async (_what, record, body) => {
    const { app, snapshotId } = await TestWorkload.withSnapshot(stack, { volumes: VOLUMES });
    const live = app.directories[0] as string;
    const operationId = await halfSwapped(app, snapshotId);
    damage(stack, record);
    await temporal.deleteDatabase();
    await temporal.up();
    await stack.up();
    const held = await untilHeld(stack, operationId);
    await expectHeld(app, snapshotId, operationId);
    if (record === 'BEGIN') {
      expect(held.operatorGuide?.volumes).toEqual([]);
      // What the guide says to look for is there, and put back by hand.
      const old = fs.readdirSync(path.dirname(live)).find((name) => /^\.data\.restore-.*\.old$/.test(name));
      expect(held.operatorGuide?.commands.map(({ command }) => command).join('\n')).toContain(
        (old ?? '').split('restore-')[1]?.split('.')[0],
      );
      fs.renameSync(path.join(path.dirname(live), old as string), live);
    } else obey(held);
    expect(await recheck(stack, operationId, body)).toMatchObject({ state: 'SUCCEEDED' });
    expect((await stack.operation(operationId)).state).toBe(record === 'BEGIN' ? 'FAILED' : 'ROLLED_BACK');
    expect(app.generations()).toEqual(['live']);
    expect(openJournals(stack.dataDir)).toEqual([]);
    // Who called it good, and whether unseen, is on record.
    expect(auditOf(stack, 'recover').at(-1)).toMatchObject({
      principal: 'admin/e2e',
      details: { accept: 'accept' in body ? 'as-is' : null },
    });
    // Nothing is held any more.
    await app.deploy();
    expect((await app.running()).HostConfig.RestartPolicy.Name).toBe('unless-stopped');
  });
});
