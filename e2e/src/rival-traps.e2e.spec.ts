import fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Workload } from '@tiny-forge/contracts/domain';
import { archiveOf } from './harness/archives.ts';
import { Stack } from './harness/stack.ts';
import { TestWorkload } from './harness/test-workload.ts';
import { expectAsBefore, expectRestored } from './harness/untouched.ts';

// What went wrong in other tools, each with the place where it was found, through the whole product. Those that need only the
// engine are in libs/volsnap/src/rival-traps.int.spec.ts.
describe('traps that others fell into', () => {
  let stack: Stack;

  beforeAll(async () => {
    stack = await Stack.start();
  });
  afterAll(() => stack.destroy());

  const safetySnapshotsOf = async (app: TestWorkload): Promise<string[]> =>
    (await app.snapshots())
      .filter((snapshot) => snapshot.kind === 'pre-restore' && snapshot.state === 'READY')
      .sort((a, b) => a.createdAt.localeCompare(b.createdAt))
      .map((snapshot) => snapshot.id);

  it('Immich #27684, a health time-out too short for a good restore: undone with a reason that says how long it waited; with a longer one it succeeds', async () => {
    const app = await TestWorkload.create(stack, {
      health: { type: 'http', port: 8080, path: '/cgi-bin/health', timeoutSeconds: 3, intervalSeconds: 1 },
    });
    app.write('snap');
    await app.deploy();
    fs.writeFileSync(path.join(app.directories[0] ?? '', 'slow'), '8');
    const snapshotId = await app.snapshot();
    app.write('live');
    const undone = await app.done(await app.restore(snapshotId), 'ROLLED_BACK', 90_000);
    expect(undone.error).toMatchObject({ code: 'APP_UNHEALTHY', detail: expect.stringContaining('in 3 s') });
    expect(JSON.stringify(undone.error)).not.toMatch(/null|undefined/);
    await expectAsBefore(app);

    const { body: workload } = await stack.api.get<Workload>(app.path);
    const changed = await stack.api.patch(app.path, { health: { ...workload.health, timeoutSeconds: 60 } });
    expect(changed.status).toBe(200);
    await app.done(await app.restore(snapshotId), 'SUCCEEDED', 90_000);
    expect(app.generations().filter((token) => token !== '8')).toEqual(['snap']);
  });

  it('supply-drop-bbs #315, only the newest safety snapshot is kept: after two restores in a row the data of before the first comes back', async () => {
    const { app, snapshotId } = await TestWorkload.withSnapshot(stack);
    await app.done(await app.restore(snapshotId), 'SUCCEEDED');
    await app.done(await app.restore(snapshotId), 'SUCCEEDED');
    await expectRestored(app);
    const [first = '', second] = await safetySnapshotsOf(app);
    expect(second).toEqual(expect.any(String));
    await app.done(await app.restore(first), 'SUCCEEDED');
    expect(app.generations()).toEqual(['live']);
  });

  it('VolumeVault RunRestore.php, the safety snapshot prunes or overwrites what is being restored: one can be restored again and again', async () => {
    const { app, snapshotId } = await TestWorkload.withSnapshot(stack);
    await app.done(await app.restore(snapshotId), 'SUCCEEDED');
    const [safety = ''] = await safetySnapshotsOf(app);
    const file = archiveOf(stack.dataDir, safety);
    const before = fs.readFileSync(file);
    for (const token of ['one', 'two']) {
      app.write(token);
      await app.done(await app.restore(safety), 'SUCCEEDED');
      expect(app.generations()).toEqual(['live']);
      expect(fs.readFileSync(file).equals(before)).toBe(true);
    }
    expect((await safetySnapshotsOf(app)).length).toBe(3);
  });

  it('hackmyagent #267, the rollback deletes the backup: after a restore that failed, its snapshot and the safety snapshot are there and sound', async () => {
    const app = await TestWorkload.create(stack);
    app.write('snap');
    await app.deploy();
    fs.writeFileSync(path.join(app.directories[0] ?? '', 'unhealthy'), 'snap\n');
    const bad = await app.snapshot();
    app.write('live');
    await app.done(await app.restore(bad), 'ROLLED_BACK', 90_000);
    await expectAsBefore(app);
    const [safety = ''] = await safetySnapshotsOf(app);
    for (const id of [bad, safety]) expect(fs.statSync(archiveOf(stack.dataDir, id)).size).toBeGreaterThan(0);
    app.write('later');
    await app.done(await app.restore(safety), 'SUCCEEDED');
    expect(app.generations()).toEqual(['live']);
  });

  it('Dokploy #2616, the container has a new id after a deploy: one made anew since the snapshot, beside one that exited, is found, stopped and replaced', async () => {
    const { app, snapshotId } = await TestWorkload.withSnapshot(stack);
    const first = await app.running();
    expect((await stack.api.patch(app.path, { env: { COLOUR: 'blue' } })).status).toBe(200);
    await app.deploy();
    const second = await app.running();
    expect(second.Id).not.toBe(first.Id);
    await app.done(await app.restore(snapshotId), 'SUCCEEDED');
    await expectRestored(app);
    expect((await app.running()).Config.Env).toContain('COLOUR=blue');
  });
});
