import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { quietContext } from './testing/restore-house.ts';
import { run, Scene, signal } from './testing/scene.ts';

const scene = new Scene();

describe('recovery', () => {
  it('knows trees by identity when their names were exchanged', async () => {
    await scene.house.write('old');
    const snapshot = await scene.capture();
    await scene.house.write('newer');
    const plan = await scene.house.upToSafe(scene.engine, snapshot);
    await scene.stuckAtCommit(plan);
    const staging = scene.at((await scene.house.leftovers()).find((name) => name.startsWith('.data.'))!);
    await rename(scene.at('data'), scene.at('between'));
    await rename(staging, scene.at('data'));
    await rename(scene.at('between'), staging);
    expect(await scene.engine.sweep(signal)).toMatchObject({ swappedForward: [plan.txId], unresolved: [] });
    expect(await scene.house.generations()).toEqual(['old', 'old']);
    await scene.engine.finish(plan, [], quietContext());
    expect(await scene.house.leftovers()).toEqual([]);
    expect(await scene.house.generations()).toEqual(['old', 'old']);
  });

  it('finds a tree under any name in the parent', async () => {
    await scene.house.write('old');
    const snapshot = await scene.capture();
    await scene.house.write('newer');
    const plan = await scene.house.upToSafe(scene.engine, snapshot);
    await scene.engine.swap(plan, quietContext());
    const old = scene.at((await scene.house.leftovers()).find((name) => name.startsWith('.data.'))!);
    await rename(old, scene.at('somebody moved it here'));
    await scene.house.undo(scene.engine, plan);
    expect(await scene.house.generations()).toEqual(['newer', 'newer']);
    expect(await scene.house.leftovers()).toEqual([]);
  });

  it('goes back where going forward cannot work, and never touches a tree it does not know', async () => {
    await scene.house.write('old');
    const snapshot = await scene.capture();
    await scene.house.write('newer');
    const plan = await scene.house.upToSafe(scene.engine, snapshot);
    await scene.stuckAtCommit(plan);
    // The second volume's staging tree is gone: forward is impossible once the first has moved.
    const staging = scene.at((await scene.house.leftovers()).find((name) => name.startsWith('.files.'))!);
    await rm(staging, { recursive: true });
    expect(await scene.engine.sweep(signal)).toMatchObject({ swappedBack: [plan.txId], unresolved: [] });
    expect(await scene.house.generations()).toEqual(['newer', 'newer']);
    await mkdir(staging);
    await scene.house.undo(scene.engine, plan);
    expect(await scene.house.leftovers()).toEqual([path.basename(staging)]);
  });

  it('holds restart policies from QUIESCING on, whatever somebody set', async () => {
    await scene.house.write('old');
    const container = await scene.house.startInstance({ policy: 'always' });
    const snapshot = await scene.capture();
    const plan = await scene.house.upToSafe(scene.engine, snapshot);
    await scene.test.docker.setRestartPolicy(container, 'always');
    expect(await scene.engine.sweep(signal)).toMatchObject({ policiesHeld: [plan.txId] });
    expect((await scene.test.docker.inspectContainer(container))?.restartPolicy).toBe('no');
    expect(await scene.engine.sweep(signal)).toMatchObject({ policiesHeld: [] });
    await scene.house.undo(scene.engine, plan);
    expect(await scene.test.docker.inspectContainer(container)).toMatchObject({
      restartPolicy: 'always',
      state: 'running',
    });
  });

  it('stops what started on data that is about to move', async () => {
    await scene.house.write('old');
    const container = await scene.house.startInstance();
    const snapshot = await scene.capture();
    const plan = await scene.house.upToSafe(scene.engine, snapshot);
    await scene.stuckAtCommit(plan);
    await scene.test.docker.startContainer(container);
    expect(await scene.engine.sweep(signal)).toMatchObject({ swappedForward: [plan.txId] });
    expect((await scene.test.docker.inspectContainer(container))?.state).toBe('exited');
  });

  it('after a swap an instance that Docker started again gives way, and anybody else stands in the way', async () => {
    await scene.house.write('old');
    const container = await scene.house.startInstance();
    const snapshot = await scene.capture();
    await scene.house.write('newer');
    const plan = await scene.house.upToSafe(scene.engine, snapshot);
    await scene.engine.swap(plan, quietContext());
    const again = async (): Promise<void> => {
      await scene.test.docker.setRestartPolicy(container, 'always');
      await scene.test.docker.startContainer(container);
    };
    const held = async (): Promise<void> =>
      expect(await scene.test.docker.inspectContainer(container)).toMatchObject({
        state: 'exited',
        restartPolicy: 'no',
      });
    await again();
    const foreign = await scene.startForeign('data');
    await expect(scene.engine.assertMayRedeploy(plan, signal)).rejects.toMatchObject({ code: 'CONTAINER_APPEARED' });
    expect((await scene.test.docker.inspectContainer(foreign))?.state).toBe('running');
    await held();
    await scene.test.docker.removeContainer(foreign, { force: true });
    await again();
    expect(await scene.engine.assertMayRedeploy(plan, signal)).toEqual({ before: 'running-healthy' });
    await held();
    const own = await scene.house.startInstance({ operation: plan.operationId, policy: 'no' });
    await again();
    expect(await scene.engine.assertMayRedeploy(plan, signal)).toEqual({ before: 'running-healthy' });
    await again();
    expect((await scene.engine.finish(plan, [own], quietContext())).warnings).toEqual([]);
    await held();
    expect((await scene.test.docker.inspectContainer(own))?.state).toBe('running');
    expect(await scene.house.generations()).toEqual(['old', 'old']);
    expect(await scene.house.leftovers()).toEqual([]);
  });

  it('leaves a decided swap alone while a foreign container uses the data, and holds the workload', async () => {
    await scene.house.write('old');
    const snapshot = await scene.capture();
    const plan = await scene.house.upToSafe(scene.engine, snapshot);
    await scene.stuckAtCommit(plan);
    const foreign = await scene.startForeign('data');
    const report = await scene.engine.sweep(signal);
    expect(report).toMatchObject({ swappedForward: [], unresolved: [{ txId: plan.txId, code: 'CONTAINER_APPEARED' }] });
    await expect(scene.engine.assertMayStart(plan.workloadId, [], plan.operationId)).rejects.toMatchObject({
      code: 'VOLUME_IN_USE',
    });
    await scene.test.docker.removeContainer(foreign, { force: true });
    expect(await scene.engine.sweep(signal)).toMatchObject({ swappedForward: [plan.txId], unresolved: [] });
  });
});

describe('the way out for a person', () => {
  it('names every tree and the commands that put one generation back; the workload is held until it is checked', async () => {
    await scene.house.write('old');
    const container = await scene.house.startInstance();
    const snapshot = await scene.capture();
    await scene.house.write('newer');
    const plan = await scene.house.upToSafe(scene.engine, snapshot);
    await scene.engine.swap(plan, quietContext());
    // Somebody puts a directory of his own in place of one volume.
    await rename(scene.at('files'), scene.at('taken away'));
    await mkdir(scene.at('files'));
    await writeFile(path.join(scene.at('files'), 'mine'), 'foreign');
    await scene.engine.removeNew(plan, signal);
    const failed = scene.engine.swapBack(plan, signal);
    await expect(failed).rejects.toMatchObject({ code: 'ROLLBACK_FAILED', retryable: false });
    const guide = await scene.engine.needsOperator(plan, { code: 'ROLLBACK_FAILED', detail: '/files' });
    expect(guide.volumes).toEqual([
      expect.objectContaining({ target: '/data', live: 'new', other: 'old' }),
      expect.objectContaining({ target: '/files', live: 'unknown', other: 'old' }),
    ]);
    expect(await scene.engine.heldBy(plan.workloadId)).toBe(plan.operationId);
    await expect(scene.engine.assertMayStart(plan.workloadId, [], plan.operationId)).rejects.toMatchObject({
      code: 'WORKLOAD_HELD',
      params: { operationId: plan.operationId },
    });
    await expect(scene.engine.swap(plan, quietContext())).rejects.toMatchObject({ code: 'TX_STATE' });
    await expect(scene.engine.resume(plan, () => Promise.resolve(), signal)).rejects.toMatchObject({
      code: 'TX_STATE',
    });
    const before = await scene.picture();
    expect(await scene.engine.sweep(signal)).toMatchObject({ swappedForward: [], swappedBack: [], unresolved: [] });
    expect(await scene.picture()).toBe(before);
    expect((await scene.engine.examine(plan.operationId)).verdict).toBe('unclear');

    for (const { command } of guide.commands) if (/^(mv|sync) /.test(command)) await run('sh', ['-ec', command]);
    expect((await scene.engine.examine(plan.operationId)).verdict).toBe('all-old');
    await scene.engine.acceptVerdict(plan.operationId, 'all-old', 'admin');
    await scene.engine.acceptVerdict(plan.operationId, 'all-old', 'admin');
    expect(await scene.engine.heldBy(plan.workloadId)).toBeNull();
    expect((await scene.engine.status(plan.operationId))?.record).toBe('ROLLED_BACK');
    await scene.house.undo(scene.engine, plan);
    expect(await scene.house.generations()).toEqual(['newer', 'newer']);
    expect((await scene.test.docker.inspectContainer(container))?.state).toBe('running');
    // What was foreign is still there, under a name that says so.
    expect(await readFile(path.join(scene.at(`files.found-${plan.txId}`), 'mine'), 'utf8')).toBe('foreign');
  });

  it('goes forward where the old data is gone and the new is all there', async () => {
    await scene.house.write('old');
    const snapshot = await scene.capture();
    await scene.house.write('newer');
    const plan = await scene.house.upToSafe(scene.engine, snapshot);
    await scene.engine.swap(plan, quietContext());
    const old = scene.at((await scene.house.leftovers()).find((name) => name.startsWith('.data.'))!);
    await rm(old, { recursive: true });
    await scene.engine.removeNew(plan, signal);
    await expect(scene.engine.swapBack(plan, signal)).rejects.toMatchObject({ code: 'ROLLBACK_FAILED' });
    await scene.engine.needsOperator(plan, { code: 'ROLLBACK_FAILED', detail: '' });
    const { guide } = await scene.engine.examine(plan.operationId);
    for (const { command } of guide.commands) if (/^(mv|sync) /.test(command)) await run('sh', ['-ec', command]);
    expect((await scene.engine.examine(plan.operationId)).verdict).toBe('all-new');
    await scene.engine.acceptVerdict(plan.operationId, 'all-new', 'admin');
    expect(await scene.engine.assertMayRedeploy(plan, signal)).toEqual({ before: 'absent' });
    await scene.engine.finish(plan, [], quietContext());
    expect(await scene.house.generations()).toEqual(['old', 'old']);
    expect(await scene.house.leftovers()).toEqual([]);
  });
});
