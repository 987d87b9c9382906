import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Operation } from '@tiny-forge/contracts/domain';
import { auditOf } from '../harness/audit-trail.ts';
import { clockAhead, DAY_MS, HOUR_MS } from '../harness/clock-ahead.ts';
import { isRoot } from '../harness/environment.ts';
import { generationsIn } from '../harness/generations.ts';
import { openJournals } from '../harness/journal-files.ts';
import { expectKept, lookAtTrees, undo, type LiveTrees } from '../harness/kept-trees.ts';
import type { KillPoint } from '../harness/kill-point.ts';
import { LoopDisk } from '../harness/loop-disk.ts';
import { Stack } from '../harness/stack.ts';
import { TemporalServer } from '../harness/temporal-server.ts';
import { TestWorkload } from '../harness/test-workload.ts';
import { expectAsBefore, STOPPING } from '../harness/untouched.ts';
import { eventually, sleep } from '../harness/waiting.ts';

const KEEP = { safety: 'keep-old-tree' };
const keptNotes = (stack: Stack): string[] => {
  const folder = path.join(stack.dataDir, 'journal', 'kept');
  return fs.existsSync(folder) ? fs.readdirSync(folder) : [];
};
const stepOf = (operation: Operation, name: string) => operation.steps.find((step) => step.name === name);
/** Its state may be told before its steps are. */
const untilStepWaits = (stack: Stack, operationId: string, name: string, attempts = 1): Promise<Operation> =>
  stack.until(operationId, `waits at ${name}`, (operation) => {
    const step = stepOf(operation, name);
    return operation.state === 'WAITING' && step?.state === 'WAITING' && step.attempts >= attempts;
  });
const gone = (paths: readonly string[]): boolean => paths.every((each) => !fs.existsSync(each));

async function expectServes(app: TestWorkload, generation: string): Promise<void> {
  expect(app.generations()).toEqual([generation]);
  expect((await app.running()).HostConfig.RestartPolicy.Name).toBe('unless-stopped');
  expect(openJournals(app.stack.dataDir)).toEqual([]);
}

// Only on a file system of our own, which needs root, can a file be made that no read gets through.
(isRoot ? describe : describe.skip)('live data that no snapshot can hold', () => {
  const SAFETY_DAYS = 2;
  const unread = new Set(['broken.bin']);
  let disk: LoopDisk;
  let stack: Stack;
  let app: TestWorkload;
  let snapshotId: string;
  let operationId: string;
  let before: LiveTrees;
  let paths: string[];
  let until: number;

  beforeAll(async () => {
    disk = LoopDisk.make(4 * 1024);
    const broken = disk.plantUnreadableFile('broken.bin');
    const root = path.join(disk.mountPoint, 'root');
    const files = path.join(root, 'files');
    fs.mkdirSync(files, { recursive: true });
    stack = await Stack.start({
      env: {
        TINY_FORGE_ALLOWED_ROOTS: root,
        TINY_FORGE_OPERATOR_WAIT_SECONDS: '120',
        TINY_FORGE_SAFETY_DAYS: String(SAFETY_DAYS),
      },
    });
    ({ app, snapshotId } = await TestWorkload.withSnapshot(stack, {
      volumes: [
        { scope: 'stage', source: 'data', target: '/data' },
        { scope: 'absolute', source: files, target: '/files' },
      ],
      // Nothing is read ahead of such an archive: the file shows only when the app stands still.
      codec: 'gzip',
    }));
    fs.renameSync(broken, path.join(files, 'broken.bin'));
    before = lookAtTrees(app.directories, unread);
  });
  afterAll(async () => {
    await stack?.destroy();
    disk?.destroy();
  });

  it('makes the restore wait at its safety snapshot, app stopped, data untouched; trying again changes nothing', async () => {
    expect(() => fs.readFileSync(path.join(app.directories[1] ?? '', 'broken.bin'))).toThrow(/EIO|EUCLEAN/);
    const answer = await app.restore(snapshotId);
    expect(answer.status).toBe(202);
    ({ operationId } = answer.body);
    const waiting = await untilStepWaits(stack, operationId, 'preRestoreSnapshot');
    expect(stepOf(waiting, 'preRestoreSnapshot')?.attempts).toBe(3);
    expect(waiting.error?.code).toBe('IO_ERROR');
    expect(waiting.situation).toMatchObject({ app: 'stopped', data: 'staged' });
    expect(waiting.actions).toEqual(expect.arrayContaining(['retry-step', 'abort']));
    expect((await stack.api.post(`/api/operations/${operationId}/retry-step`, {})).status).toBe(202);
    await untilStepWaits(stack, operationId, 'preRestoreSnapshot', 6);
    expect(lookAtTrees(app.directories, unread)).toEqual(before);
  });

  it('goes through with keep-old-tree, the server killed where SAFE has become durable', async () => {
    await stack.restart({ kill: { journal: 'SAFE' } });
    await untilStepWaits(stack, operationId, 'preRestoreSnapshot');
    const decided = await stack.api.post(`/api/operations/${operationId}/retry-step`, KEEP);
    expect(decided.status).toBe(202);
    const exit = await eventually('the kill switch', () => stack.server.exit);
    expect(exit.signal).toBe('SIGKILL');
    expect(openJournals(stack.dataDir)[0]?.records.at(-1)).toBe('SAFE');
    await stack.up();
    const operation = await stack.until(operationId);
    expect(operation.error).toBeUndefined();
    expect(operation).toMatchObject({ state: 'SUCCEEDED', safety: 'snapshot' });
    expect(stepOf(operation, 'preRestoreSnapshot')?.detail).toContain('No snapshot');
    await expectServes(app, 'snap');
    paths = expectKept(app, operation, before, { safetyDays: SAFETY_DAYS, unread });
    until = Date.parse(operation.kept?.until ?? '');
  });

  it('leaves no half of a safety snapshot, and on record who decided so', async () => {
    expect((await app.snapshots()).map(({ id, state }) => [id, state])).toEqual([[snapshotId, 'READY']]);
    const folder = path.join(stack.dataDir, 'snapshots', app.id);
    expect(fs.readdirSync(folder).filter((name) => !name.startsWith(snapshotId))).toEqual([]);
    const decisions = auditOf(stack, 'retryStep').map(({ principal, outcome, details }) => [
      principal,
      outcome,
      details['operationId'],
      details['safety'],
    ]);
    expect(decisions).toEqual([
      ['admin/e2e', '202', operationId, null],
      ['admin/e2e', '202', operationId, 'keep-old-tree'],
    ]);
  });

  it('cannot be undone by itself, and says where the directories lie', async () => {
    const refused = await undo(app, operationId);
    expect([refused.status, refused.body.code]).toEqual([409, 'OLD_TREE_KEPT']);
    for (const place of paths) expect(refused.body.detail).toContain(place);
    expect(refused.body.next).toContain('docs/operating.md');
    expect(lookAtTrees(paths, unread)).toEqual(before);
  });

  it('keeps them through a later restore, which takes a safety snapshot of its own', async () => {
    app.write('later');
    const operation = await app.done(await app.restore(snapshotId), 'SUCCEEDED');
    expect(operation.undo).toBeDefined();
    await expectServes(app, 'snap');
    expect(lookAtTrees(paths, unread)).toEqual(before);
  });

  it('keeps them until their time is over, then the janitor removes them and nothing else', async () => {
    const live = lookAtTrees(app.directories);
    await stack.restart({ env: clockAhead(until - HOUR_MS - Date.now()) });
    await sleep(3_000);
    expect(lookAtTrees(paths, unread)).toEqual(before);
    await stack.restart({ env: clockAhead(until + 60_000 - Date.now()) });
    await eventually('the kept trees are gone', () => gone(paths));
    await eventually('the removal is on record', () => auditOf(stack, 'expireOldTrees').length === 1);
    expect(app.leftovers()).toEqual([]);
    expect(keptNotes(stack)).toEqual([]);
    expect(lookAtTrees(app.directories)).toEqual(live);
    const [expiry] = auditOf(stack, 'expireOldTrees');
    expect(expiry).toMatchObject({ principal: 'retention', outcome: 'removed', details: { operationId } });
    for (const place of paths) expect(expiry?.details['paths']).toContain(place);
    expect((await stack.operation(operationId)).kept?.until).toBe(new Date(until).toISOString());
    expect((await undo(app, operationId)).body.code).toBe('NOT_UNDOABLE');
  });
});

(isRoot ? describe : describe.skip)('live data that the disk does not give, found while it is read ahead', () => {
  const unread = new Set(['broken.bin']);
  let disk: LoopDisk;
  let stack: Stack;
  let app: TestWorkload;
  let snapshotId: string;
  let files: string;
  let broken: string;

  beforeAll(async () => {
    disk = LoopDisk.make(4 * 1024);
    broken = disk.plantUnreadableFile('broken.bin');
    const root = path.join(disk.mountPoint, 'root');
    files = path.join(root, 'files');
    fs.mkdirSync(files, { recursive: true });
    stack = await Stack.start({ env: { TINY_FORGE_ALLOWED_ROOTS: root } });
    ({ app, snapshotId } = await TestWorkload.withSnapshot(stack, {
      volumes: [{ scope: 'absolute', source: files, target: '/files' }],
    }));
    broken = path.join(files, 'broken.bin');
    fs.renameSync(path.join(disk.mountPoint, 'broken.bin'), broken);
  });
  afterAll(async () => {
    await stack?.destroy();
    disk?.destroy();
  });

  it('ends a restore before the app is stopped, and names the file', async () => {
    const before = lookAtTrees(app.directories, unread);
    const { Id, State } = await app.running();
    const watch = await stack.docker.watch();
    const operation = await app.done(await app.restore(snapshotId), 'FAILED');
    watch.stop();
    expect(operation.error?.code).toBe('LIVE_DATA_UNREADABLE');
    expect(operation.error?.detail).toContain(broken);
    expect(operation.situation).toMatchObject({ app: 'running', data: 'current' });
    expect(stepOf(operation, 'stop')?.state).toBe('PENDING');
    expect(watch.events.filter(({ Actor, Action }) => Actor.ID === Id && STOPPING.has(Action))).toEqual([]);
    expect((await app.running()).State.StartedAt).toBe(State.StartedAt);
    expect(lookAtTrees(app.directories, unread)).toEqual(before);
    expect(app.leftovers()).toEqual([]);
    expect(openJournals(stack.dataDir)).toEqual([]);
    expect((await app.snapshots()).map(({ id }) => id)).toEqual([snapshotId]);
    expect(
      fs.readdirSync(path.join(stack.dataDir, 'snapshots', app.id)).every((name) => name.startsWith(snapshotId)),
    ).toBe(true);
  });

  it('pauses no app for a snapshot that cannot be', async () => {
    const { Id } = await app.running();
    const watch = await stack.docker.watch();
    const operation = await app.done(await stack.api.post(`${app.path}/snapshots`, {}), 'FAILED');
    watch.stop();
    expect(operation.error).toMatchObject({ code: 'IO_ERROR', detail: expect.stringContaining(broken) });
    expect(watch.events.filter(({ Actor, Action }) => Actor.ID === Id && Action === 'pause')).toEqual([]);
  });

  it('Immich #30062, a safety backup one must have stands in the way: goes through where the old folders are kept', async () => {
    const before = lookAtTrees(app.directories, unread);
    const operation = await app.done(await app.restore(snapshotId, KEEP), 'SUCCEEDED');
    await expectServes(app, 'snap');
    expectKept(app, operation, before, { safetyDays: 7, unread });
  });
});

describe('keep-old-tree asked for at once', () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await Stack.start({ env: { TINY_FORGE_OPERATOR_WAIT_SECONDS: '60' } });
  });
  afterAll(() => stack?.destroy());

  it('is named in the plan, with a hash of its own; the way back by hand is the one of the documentation', async () => {
    const { app, snapshotId } = await TestWorkload.withSnapshot(stack);
    const usual = (await app.plan(snapshotId)).body;
    const plan = (await app.plan(snapshotId, '?safety=keep-old-tree')).body;
    expect(plan.blockers).toEqual([]);
    expect(usual.warnings).toEqual([]);
    expect(plan.warnings).toMatchObject([{ code: 'KEEPS_OLD_TREE', params: { days: 7 } }]);
    expect(plan.steps.find(({ name }) => name === 'preRestoreSnapshot')?.summary).toContain('No snapshot');
    expect(plan.planHash).not.toBe(usual.planHash);
    const other = await app.restore(snapshotId, { ...KEEP, planHash: usual.planHash });
    expect(other.status).toBe(412);

    const before = lookAtTrees(app.directories);
    const answer = await app.restore(snapshotId, { ...KEEP, planHash: plan.planHash });
    const operation = await app.done(answer, 'SUCCEEDED');
    expect(operation.safety).toBe('keep-old-tree');
    await expectServes(app, 'snap');
    const paths = expectKept(app, operation, before);
    expect((await app.snapshots()).filter(({ kind }) => kind === 'pre-restore')).toEqual([]);

    // docs/operating.md, "Keeping the old directories instead"
    await app.done(await stack.api.post(`${app.path}/stop`), 'SUCCEEDED');
    for (const { livePath, path: kept } of operation.kept?.trees ?? []) {
      execFileSync('mv', ['-nT', '--', livePath, `${livePath}.restored`]);
      execFileSync('mv', ['-nT', '--', kept, livePath]);
    }
    await app.done(await stack.api.post(`${app.path}/start`), 'SUCCEEDED');
    await expectServes(app, 'live');
    expect(lookAtTrees(app.directories)).toEqual(before);

    // What a person has put back is theirs: its time is over, and it stays.
    await stack.restart({ env: clockAhead(8 * DAY_MS) });
    await eventually('the note is gone', () => keptNotes(stack).length === 0);
    expect(lookAtTrees(app.directories)).toEqual(before);
    expect(gone(paths)).toBe(true);
    await stack.restart();
  });

  (isRoot ? it : it.skip)('of a mount point lies in it, and comes back entry by entry', async () => {
    const live = path.join(stack.root, 'mounted');
    const disk = LoopDisk.make(4 * 1024, live);
    try {
      const { app, snapshotId } = await TestWorkload.withSnapshot(stack, {
        volumes: [{ scope: 'absolute', source: live, target: '/data' }],
      });
      const operation = await app.done(await app.restore(snapshotId, KEEP), 'SUCCEEDED');
      const [tree] = operation.kept?.trees ?? [];
      const kept = tree?.path ?? '';
      expect([tree?.livePath, path.dirname(kept)]).toEqual([live, live]);
      expect(generationsIn(kept)).toEqual(['live']);
      const entries = (folder: string) => fs.readdirSync(folder).filter((name) => name !== path.basename(kept));
      const restoredEntries = entries(live);
      expect(fs.readFileSync(path.join(live, 'token'), 'utf8')).toBe('snap\n');

      // The lines that the page of the operation shows.
      await app.done(await stack.api.post(`${app.path}/stop`), 'SUCCEEDED');
      for (const line of [
        `mkdir -m 700 -- ${live}/restored && find ${live} -mindepth 1 -maxdepth 1 ! -name restored ! -name '.restore-*.old' -exec mv -n -t ${live}/restored -- {} +`,
        `find ${kept} -mindepth 1 -maxdepth 1 -exec mv -n -t ${live} -- {} + && chown --reference=${kept} -- ${live} && chmod --reference=${kept} -- ${live}`,
      ])
        execFileSync('sh', ['-c', line]);
      expect(fs.readdirSync(path.join(live, 'restored')).sort()).toEqual(restoredEntries.sort());
      expect(fs.readdirSync(kept)).toEqual([]);
      fs.rmSync(path.join(live, 'restored'), { recursive: true });
      await app.done(await stack.api.post(`${app.path}/start`), 'SUCCEEDED');
      expect((await app.running()).State.Running).toBe(true);

      await stack.restart({ env: clockAhead(8 * DAY_MS) });
      await eventually('the empty tree is gone', () => gone([kept]) && keptNotes(stack).length === 0);
      expect(generationsIn(live)).toEqual(['live']);
      await stack.restart();
      for (const container of await stack.containers(app.id)) await stack.docker.remove(container.Id);
    } finally {
      disk.destroy();
    }
  });

  it('keeps nothing where the restore is taken back: the old directories are live again', async () => {
    const app = await TestWorkload.create(stack, { health: { type: 'http', port: 8080, path: '/cgi-bin/health', timeoutSeconds: 2, intervalSeconds: 1 } }); // prettier-ignore
    app.write('live');
    await app.deploy();
    fs.writeFileSync(path.join(app.directories[0] ?? '', 'unhealthy'), 'live\n');
    const snapshotId = await app.snapshot();
    fs.rmSync(path.join(app.directories[0] ?? '', 'unhealthy'));
    const before = lookAtTrees(app.directories);
    const { operationId } = (await app.restore(snapshotId, KEEP)).body;
    await untilStepWaits(stack, operationId, 'redeploy');
    const late = await stack.api.post<{ code: string }>(`/api/operations/${operationId}/retry-step`, KEEP);
    expect([late.status, late.body.code]).toEqual([422, 'SAFETY_NOT_SUPPORTED']);
    expect((await stack.api.post(`/api/operations/${operationId}/abort`, {})).status).toBe(202);
    const operation = await stack.until(operationId);
    expect(operation.state).toBe('ROLLED_BACK');
    expect(operation.kept).toBeUndefined();
    expect(lookAtTrees(app.directories)).toEqual(before);
    await expectAsBefore(app);
    expect(keptNotes(stack)).toEqual([]);
  });

  const CRASHES: readonly (readonly [string, KillPoint])[] = [
    ['after rename 3 of 6', { call: ['rename'], path: '\\.restore-|/(data|shared|files)$', nth: 3 }],
    ['the note of what is kept has its name', { call: ['rename'], path: '/journal/kept/' }],
    ['CLOSED is durable', { journal: 'CLOSED' }],
  ];
  it.each(CRASHES)('killed when %s: goes on, and keeps the old directories', async (_at, kill) => {
    const { app, snapshotId } = await TestWorkload.withSnapshot(stack);
    const before = lookAtTrees(app.directories);
    await stack.restart({ kill });
    const { operationId } = (await app.restore(snapshotId, KEEP)).body;
    const exit = await eventually('the kill switch', () => stack.server.exit, { timeoutMs: 45_000 });
    expect(exit.signal).toBe('SIGKILL');
    await stack.up();
    const operation = await stack.until(operationId);
    expect(operation.state).toBe('SUCCEEDED');
    await expectServes(app, 'snap');
    expectKept(app, operation, before);
  });

  it('with the database of Temporal gone after the swap: a recovery ends it, and the operation still tells what it keeps', async () => {
    const own = await TemporalServer.start();
    const other = await Stack.start({ temporal: own });
    try {
      const { app, snapshotId } = await TestWorkload.withSnapshot(other);
      const before = lookAtTrees(app.directories);
      await other.restart({ kill: { journal: 'SWAPPED' } });
      const { operationId } = (await app.restore(snapshotId, KEEP)).body;
      await eventually('the kill switch', () => other.server.exit, { timeoutMs: 45_000 });
      await own.deleteDatabase();
      await own.up();
      await other.up();
      const operation = await other.until(operationId);
      expect(operation.state).toBe('SUCCEEDED');
      await expectServes(app, 'snap');
      expectKept(app, operation, before);
    } finally {
      await other.destroy();
      await own.destroy();
    }
  });
});
