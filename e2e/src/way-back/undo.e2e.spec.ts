import { randomUUID } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { isEnded, type Operation, type Problem } from '@tiny-forge/contracts/domain';
import { archiveOf } from '../harness/archives.ts';
import { auditOf } from '../harness/audit-trail.ts';
import { clockAhead, DAY_MS, HOUR_MS } from '../harness/clock-ahead.ts';
import { treeDigest } from '../harness/generations.ts';
import type { Answer } from '../harness/http-client.ts';
import { openJournals } from '../harness/journal-files.ts';
import { undo } from '../harness/kept-trees.ts';
import { Stack } from '../harness/stack.ts';
import { TemporalServer } from '../harness/temporal-server.ts';
import { TestWorkload, type Accepted } from '../harness/test-workload.ts';
import { eventually, sleep } from '../harness/waiting.ts';

const STEPS = ['preflight', 'extract', 'stop', 'preRestoreSnapshot', 'swap', 'redeploy', 'finish'];
const SAFETY_DAYS = 7;
// Deaf to SIGTERM: its restores stay in `stop` for so many seconds.
const SLOW_TO_STOP = { env: { IGNORE_TERM: '1' }, stopTimeoutSeconds: 4 };

const digests = (app: TestWorkload): string[] => app.directories.map((directory) => treeDigest(directory));
const safetyOf = (operation: Operation): string => operation.undo?.snapshotId ?? '';
const pinsOf = async (app: TestWorkload, snapshotId: string): Promise<string[]> =>
  (await app.snapshots()).find(({ id }) => id === snapshotId)?.pins.map(({ operationId }) => operationId) ?? [];
const remove = (app: TestWorkload, snapshotId: string): Promise<Answer<Problem>> =>
  app.stack.api.delete<Problem>(`${app.path}/snapshots/${snapshotId}`);
const refusal = ({ status, body }: Answer<Problem>): unknown[] => [status, body.code];

/** Restored once. @returns what was live before it and what is live now */
async function restored(
  stack: Stack,
  overrides: Record<string, unknown> = {},
): Promise<{ app: TestWorkload; snapshotId: string; first: Operation; live: string[]; snap: string[] }> {
  const { app, snapshotId } = await TestWorkload.withSnapshot(stack, overrides);
  const live = digests(app);
  const first = await app.done(await app.restore(snapshotId), 'SUCCEEDED');
  expect(app.generations()).toEqual(['snap']);
  return { app, snapshotId, first, live, snap: digests(app) };
}

describe('undo of a restore', () => {
  let temporal: TemporalServer;
  let stack: Stack;
  beforeAll(async () => {
    temporal = await TemporalServer.start();
    stack = await Stack.start({ temporal, env: { TINY_FORGE_SAFETY_DAYS: String(SAFETY_DAYS) } });
  });
  afterAll(async () => {
    await stack?.destroy();
    await temporal?.destroy();
  });

  it('brings back exactly the data of before, as an operation of its own; undone in turn, exactly the other', async () => {
    const { app, snapshotId, first, live, snap } = await restored(stack);
    expect(first.actions).toContain('undo');
    expect(Date.parse(first.undo?.until ?? '') - Date.parse(first.createdAt)).toBeGreaterThan(
      SAFETY_DAYS * DAY_MS - HOUR_MS,
    );

    const back = await app.done(await undo(app, first.id), 'SUCCEEDED');
    expect(digests(app)).toEqual(live);
    expect(app.generations()).toEqual(['live']);
    expect(back).toMatchObject({ kind: 'undo-restore', undoOf: first.id, snapshotId: safetyOf(first) });
    expect(back.steps.map(({ name, state }) => [name, state])).toEqual(STEPS.map((name) => [name, 'DONE']));
    expect(new Set([snapshotId, safetyOf(first), safetyOf(back)]).size).toBe(3);

    const forth = await app.done(await undo(app, back.id), 'SUCCEEDED');
    expect(digests(app)).toEqual(snap);
    expect(forth).toMatchObject({ kind: 'undo-restore', undoOf: back.id, snapshotId: safetyOf(back) });

    // The chain stays: every link is there, and the first can be undone once more.
    const kinds = (await app.snapshots()).map(({ id, kind, state }) => [id, kind, state]);
    expect(kinds.sort()).toEqual(
      [
        [snapshotId, 'manual', 'READY'],
        ...[first, back, forth].map((operation) => [safetyOf(operation), 'pre-restore', 'READY']),
      ].sort(),
    );
    await app.done(await undo(app, first.id), 'SUCCEEDED');
    expect(digests(app)).toEqual(live);

    expect(app.leftovers()).toEqual([]);
    expect(openJournals(stack.dataDir)).toEqual([]);
    const asked = auditOf(stack, 'undo-restore').map(({ outcome, details }) => [outcome, details['undoOf']]);
    expect(asked).toEqual([first.id, back.id, first.id].map((id) => ['202', id]));
  }, 300_000);

  it('is one operation for one Idempotency-Key, also when it is asked for again after its end', async () => {
    const { app, first, live } = await restored(stack);
    const key = { 'idempotency-key': randomUUID() };
    const both = await Promise.all([undo(app, first.id, key), undo(app, first.id, key)]);
    expect(both.map(({ status }) => status)).toEqual([202, 202]);
    const operation = await app.done(both[0], 'SUCCEEDED');
    const later = await undo(app, first.id, key);
    expect([...both, later].map(({ body }) => body.operationId)).toEqual(Array(3).fill(operation.id));
    const rows = stack.query<{ id: string }>(`select id from operations where undo_of = ?`, first.id);
    expect(rows).toEqual([{ id: operation.id }]);
    expect(digests(app)).toEqual(live);
  });

  it('is refused while it has not ended, while another restores, of what restored nothing, and of nothing', async () => {
    const { app, snapshotId, first } = await restored(stack, SLOW_TO_STOP);
    const deploy = await app.deploy();
    const failed = await app.restore(snapshotId, undefined, {});
    const running = failed.body.operationId;
    await stack.until(running, 'stops the app', (operation) => operation.steps[2]?.state === 'RUNNING');
    const early = await undo(app, running);
    const behind = await undo(app, first.id);
    for (const answer of [early, behind]) {
      expect([...refusal(answer), answer.body.operationId]).toEqual([409, 'OPERATION_IN_PROGRESS', running]);
    }
    expect((await stack.api.post(`/api/operations/${running}/abort`, {})).status).toBe(202);
    const rolledBack = await stack.until(running);
    expect(rolledBack.state).toBe('ROLLED_BACK');
    expect(refusal(await undo(app, running))).toEqual([409, 'NOT_UNDOABLE']);
    expect(refusal(await undo(app, deploy.id))).toEqual([409, 'NOT_UNDOABLE']);
    expect((await undo(app, randomUUID())).status).toBe(404);
    for (const id of [running, deploy.id]) expect((await stack.operation(id)).actions).not.toContain('undo');
    expect(app.generations()).toEqual(['snap']);

    // A deploy does not exclude it: it waits for its turn.
    const other = await stack.api.post<Accepted>(`${app.path}/deploy`);
    const queued = await undo(app, first.id);
    expect([other.status, queued.status]).toEqual([202, 202]);
    await app.done(queued, 'SUCCEEDED');
    expect(app.generations()).toEqual(['live']);
  });

  it('its safety snapshot cannot be deleted while it can be undone, and not under the very undo that needs it', async () => {
    const { app, snapshotId, first, live } = await restored(stack, SLOW_TO_STOP);
    const safety = safetyOf(first);
    expect(await pinsOf(app, safety)).toEqual([first.id]);
    expect(refusal(await remove(app, safety))).toEqual([409, 'SNAPSHOT_PINNED']);
    const answer = await undo(app, first.id);
    const seen = new Set<unknown>();
    await eventually(
      'its end',
      async () => {
        seen.add(JSON.stringify(refusal(await remove(app, safety))));
        return isEnded((await stack.operation(answer.body.operationId)).state);
      },
      { timeoutMs: 60_000, intervalMs: 50 },
    );
    expect([...seen]).toEqual([JSON.stringify([409, 'SNAPSHOT_PINNED'])]);
    const back = await stack.operation(answer.body.operationId);
    expect(back.state).toBe('SUCCEEDED');
    expect(digests(app)).toEqual(live);
    expect((await pinsOf(app, safety)).sort()).toEqual([first.id, back.id].sort());
    expect(await pinsOf(app, safetyOf(back))).toEqual([back.id]);
    // What was restored first is held as long.
    expect(refusal(await remove(app, snapshotId))).toEqual([409, 'SNAPSHOT_PINNED']);
  });

  it.each([
    ['after rename 3 of 6', { call: ['rename'], path: '\\.restore-|/(data|shared|files)$', nth: 3 }],
    ['where SAFE is durable', { journal: 'SAFE' }],
  ] as const)('killed %s, it goes on and brings back exactly the data of before', async (_at, kill) => {
    const { app, first, live } = await restored(stack);
    await stack.restart({ kill });
    const answer = await undo(app, first.id);
    const exit = await eventually('the kill switch', () => stack.server.exit, { timeoutMs: 45_000 });
    expect(exit.signal).toBe('SIGKILL');
    await stack.up();
    const back = await app.done(answer, 'SUCCEEDED');
    expect(digests(app)).toEqual(live);
    expect(app.leftovers()).toEqual([]);
    expect(back.undo).toBeDefined();
    expect((await app.running()).HostConfig.RestartPolicy.Name).toBe('unless-stopped');
  });
});

describe('the time of a safety snapshot', () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await Stack.start({ env: { TINY_FORGE_SAFETY_DAYS: String(SAFETY_DAYS) } });
  });
  afterAll(() => stack?.destroy());

  it('is respected to the hour; then the snapshot goes, its file too, and undo with it; what a person took stays', async () => {
    const { app, snapshotId, first } = await restored(stack);
    const safety = safetyOf(first);
    const file = archiveOf(stack.dataDir, safety);
    const until = Date.parse(first.undo?.until ?? '');

    await stack.restart({ env: clockAhead(until - HOUR_MS - Date.now()) });
    await sleep(3_000);
    expect((await stack.operation(first.id)).actions).toContain('undo');
    expect(refusal(await remove(app, safety))).toEqual([409, 'SNAPSHOT_PINNED']);
    expect(fs.existsSync(file)).toBe(true);

    await stack.restart({ env: clockAhead(until + 60_000 - Date.now()) });
    await eventually('the safety snapshot is gone', async () =>
      (await app.snapshots()).every(({ id }) => id !== safety),
    );
    await eventually('its file too', () => !fs.existsSync(file));
    expect(fs.readdirSync(path.dirname(file)).filter((name) => !name.startsWith(snapshotId))).toEqual([]);
    expect((await app.snapshots()).map(({ id, state }) => [id, state])).toEqual([[snapshotId, 'READY']]);
    const operation = await stack.operation(first.id);
    expect([operation.undo, operation.actions]).toEqual([undefined, []]);
    expect(refusal(await undo(app, first.id))).toEqual([409, 'NOT_UNDOABLE']);
    const expiries = auditOf(stack, 'expireSnapshot');
    expect(expiries).toMatchObject([{ principal: 'retention', outcome: 'removed', details: { snapshotId: safety } }]);
    expect(app.generations()).toEqual(['snap']);
    expect((await app.running()).State.Running).toBe(true);
  });
});
