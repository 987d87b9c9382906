import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, stat, symlink, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { testDocker, type TestDocker } from '@tiny-forge/docker/testing';
import { interceptFsPort } from './ports/fs-port.ts';
import { NodeFsPort } from './ports/node-fs-port.ts';
import type { FrozenPlan, RestoreEngine } from './restore-engine.ts';
import { fakePlugins } from './testing/fake-plugins.ts';
import { jsonArchivePort as archive } from './testing/json-archive-port.ts';
import { quietContext, RestoreHouse } from './testing/restore-house.ts';

const run = promisify(execFile);
let test: TestDocker;
let image: string;
let house: RestoreHouse;
let engine: RestoreEngine;
const { signal } = new AbortController();

beforeAll(async () => {
  test = testDocker();
  image = (await test.image()).tag;
});
afterAll(() => test.cleanUp());
beforeEach(async () => {
  house = await RestoreHouse.build(test.docker, { installation: test.installation, image, plugins: fakePlugins });
  engine = house.engine({ archive });
});
afterEach(async () => {
  await house.removeContainers();
  await house.remove();
});

const capture = () => house.capture({}, house.capturer({ archive }));
const at = (name: string): string => path.join(house.volumes, name);
const holders = (plan: FrozenPlan) => test.docker.listContainers({ 'io.tiny-forge.operation': plan.operationId });
/** Everything under the house but the catalogue of snapshots: what a refused restore must leave as it was. */
const picture = async (): Promise<string> =>
  (await run('find', [house.volumes, '-printf', '%p %i %T@ %m %y\n'])).stdout;
/** An engine whose first rename after COMMIT fails: the transaction is decided, nothing has moved. */
const stuckAtCommit = async (plan: FrozenPlan): Promise<void> => {
  const fs = interceptFsPort(new NodeFsPort(), async (call, proceed) => {
    if (call.name === 'rename') throw Object.assign(new Error('injected'), { code: 'EIO' });
    return proceed();
  });
  await expect(house.engine({ archive, fs }).swap(plan, quietContext())).rejects.toMatchObject({ code: 'IO_ERROR' });
  expect((await engine.status(plan.operationId))?.record).toBe('COMMIT');
};
const blockersOf = (error: unknown): string[] =>
  (error as { blockers?: { code: string }[] }).blockers?.map((one) => one.code) ?? [];

describe('absent directories', () => {
  it('live: one rename forward, and away again on the way back', async () => {
    await house.write('old');
    const snapshot = await capture();
    await rm(at('data'), { recursive: true });
    await house.write('newer', ['files']);
    const plan = await house.upToSafe(engine, snapshot);
    expect(plan.targets.map((target) => target.live === null)).toEqual([true, false]);
    await engine.swap(plan, quietContext());
    expect(await house.generations()).toEqual(['old', 'old']);
    await house.undo(engine, plan);
    expect(await house.generations()).toEqual(['absent', 'newer']);
    expect(await house.leftovers()).toEqual([]);
  });

  it('in the snapshot: restoring makes the volume absent again, undoing brings it back', async () => {
    await house.write('old', ['files']);
    const snapshot = await capture();
    expect(snapshot.manifest.volumes).toMatchObject([{ absent: true }, { source: 'files' }]);
    await house.write('newer');
    const undone = await house.upToSafe(engine, snapshot);
    await engine.swap(undone, quietContext());
    expect(await house.generations()).toEqual(['absent', 'old']);
    await house.undo(engine, undone);
    expect(await house.generations()).toEqual(['newer', 'newer']);
    const plan = await house.upToSafe(engine, snapshot);
    await engine.swap(plan, quietContext());
    await engine.finish(plan, [], quietContext());
    expect(await house.generations()).toEqual(['absent', 'old']);
    expect(await house.leftovers()).toEqual([]);
  });

  it('of parents too: made, and removed on the way back when empty', async () => {
    await house.write('old');
    const snapshot = await capture();
    const nested = { ...house.input(snapshot) };
    const plan = await engine.preflight(
      { ...nested, operationId: randomUUID(), confirmedPlanHash: null },
      quietContext(),
    );
    await rm(at('data'), { recursive: true });
    const deep = path.join(house.volumes, 'a', 'b');
    const moved: FrozenPlan = {
      ...plan,
      targets: plan.targets.map((target) =>
        target.source === 'data' ? { ...target, hostPath: path.join(deep, 'data'), parent: deep, live: null } : target,
      ),
    };
    await engine.extract(moved, quietContext());
    expect((await stat(deep)).mode & 0o777).toBe(0o755);
    await house.undo(engine, moved);
    expect(await readdir(house.volumes)).toEqual(['files']);
  });
});

describe('pre-flight', () => {
  it('refuses with all blockers at once and changes nothing', async () => {
    await house.write('old');
    const snapshot = await capture();
    const before = await picture();
    await truncate(snapshot.file, snapshot.bytes - 1);
    const { volumes } = house.workload().config;
    const workload = house.workload({ volumes: [volumes[0]!] });
    const refused = await house.preflight(engine, snapshot, { workload }).catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: 'RESTORE_BLOCKED', params: { count: 2 } });
    expect(blockersOf(refused)).toEqual(['VOLUME_NOT_IN_CONFIG', 'ARCHIVE_DAMAGED']);
    expect(await picture()).toBe(before);
  });

  it('refuses an archive of the right size whose bytes differ, without a holder left', async () => {
    await house.write('old');
    const snapshot = await capture();
    const bytes = await readFile(snapshot.file);
    bytes[5]! ^= 1;
    await writeFile(snapshot.file, bytes);
    const refused = house.preflight(engine, snapshot);
    await expect(refused).rejects.toMatchObject({ code: 'ARCHIVE_DAMAGED' });
    expect(await test.docker.listContainers({ 'io.tiny-forge.workload': house.facts.workloadId })).toEqual([]);
  });

  it('refuses a plan that changed, a manifest that is not the catalogued one, an image that nobody has', async () => {
    await house.write('old');
    const snapshot = await capture();
    const { planHash } = await engine.plan(house.input(snapshot), signal);
    await rename(at('data'), at('kept'));
    await house.write('other', ['data']);
    const confirmed = { ...house.input(snapshot), operationId: randomUUID(), confirmedPlanHash: planHash };
    await expect(engine.preflight(confirmed, quietContext())).rejects.toMatchObject({ code: 'PLAN_CHANGED' });
    const quiesce = { ...snapshot.manifest, quiesce: 'stop' as const };
    const forged = house.preflight(engine, { ...snapshot, manifest: quiesce });
    await expect(forged).rejects.toMatchObject({ code: 'ARCHIVE_TAMPERED' });
    const gone = { reference: 'gone:1', imageId: `sha256:${'0'.repeat(64)}`, digest: null };
    const refused = await house.preflight(engine, snapshot, { lastGoodImage: gone }).catch((error: unknown) => error);
    expect(blockersOf(refused)).toEqual(['IMAGE_MISSING']);
    await rm(at('kept'), { recursive: true });
  });

  it('names a running user of a directory, by Docker and by the kernel, also under its new name', async () => {
    await house.write('old');
    const snapshot = await capture();
    const mounts = [{ source: at('files'), target: '/f', readOnly: false }];
    const { id } = await test.docker.createContainer(test.spec(image, { mounts, network: 'none' }));
    const created = await engine.plan(house.input(snapshot), signal);
    expect(created.blockers).toEqual([]);
    expect(created.warnings.map((one) => one.code)).toContain('DIRECTORY_FOREIGN_USER');
    await test.docker.startContainer(id);
    const running = await engine.plan(house.input(snapshot), signal);
    expect(running.blockers.map((one) => one.code)).toEqual(['DIRECTORY_FOREIGN_USER']);
    // `docker inspect` goes on naming the old path; the kernel does not.
    await rename(at('files'), at('moved'));
    await rename(at('data'), at('files'));
    await rename(at('moved'), at('data'));
    const swapped = await engine.plan(house.input(snapshot), signal);
    expect(swapped.blockers.map((one) => one.params['path']).sort()).toEqual([at('data'), at('files')]);
    await test.docker.removeContainer(id, { force: true });
  });

  it('finds what a killed probe left, at the next sweep', async () => {
    await house.write('old');
    const snapshot = await capture();
    const fs = interceptFsPort(new NodeFsPort(), async (call, proceed) => {
      if (call.name === 'rename' && String(call.args[0]).includes('probe')) return new Promise(() => undefined);
      return proceed();
    });
    const stuck = new AbortController();
    void house
      .engine({ archive, fs })
      .preflight(
        { ...house.input(snapshot), operationId: randomUUID(), confirmedPlanHash: null },
        quietContext(stuck.signal),
      )
      .catch(() => undefined);
    while ((await house.leftovers()).length < 2) await new Promise((resolve) => setTimeout(resolve, 20));
    expect(await house.leftovers()).toEqual([
      expect.stringMatching(/^\.tiny-forge-probe-/),
      expect.stringMatching(/^\.tiny-forge-probe-/),
    ]);
    await engine.sweep(signal);
    expect(await house.leftovers()).toEqual([]);
  });
});

describe('between the stop and the swap', () => {
  it('a container that was started behind our back is found, nothing is renamed, and the next try goes on', async () => {
    await house.write('old');
    const container = await house.startInstance();
    const snapshot = await capture();
    await house.write('newer');
    const plan = await house.upToSafe(engine, snapshot);
    await test.docker.startContainer(container);
    const before = await picture();
    await expect(engine.swap(plan, quietContext())).rejects.toMatchObject({
      code: 'CONTAINER_APPEARED',
      retryable: true,
    });
    expect(await picture()).toBe(before);
    await test.docker.stopContainer(container, 1);
    const foreign = await test.docker.createContainer(
      test.spec(image, { mounts: [{ source: at('data'), target: '/d', readOnly: false }], network: 'none' }),
    );
    await test.docker.startContainer(foreign.id);
    await expect(engine.swap(plan, quietContext())).rejects.toMatchObject({ code: 'CONTAINER_APPEARED' });
    expect(await picture()).toBe(before);
    await test.docker.removeContainer(foreign.id, { force: true });
    await engine.swap(plan, quietContext());
    expect(await house.generations()).toEqual(['old', 'old']);
    await house.undo(engine, plan);
    expect((await test.docker.inspectContainer(container))?.state).toBe('running');
  });

  it('a directory that was replaced, or a parent that became a symlink, stops the swap before its decision', async () => {
    await house.write('old');
    const snapshot = await capture();
    const plan = await house.upToSafe(engine, snapshot);
    await rename(at('data'), at('kept'));
    await house.write('foreign', ['data']);
    await expect(engine.swap(plan, quietContext())).rejects.toMatchObject({ code: 'DATA_CHANGED' });
    await rm(at('data'), { recursive: true });
    await rename(at('kept'), at('data'));
    await rename(house.volumes, `${house.volumes}-real`);
    await symlink(`${house.volumes}-real`, house.volumes);
    await expect(engine.swap(plan, quietContext())).rejects.toMatchObject({ code: 'DATA_CHANGED' });
    await rm(house.volumes);
    await rename(`${house.volumes}-real`, house.volumes);
    expect((await engine.status(plan.operationId))?.record).toBe('SAFE');
    await engine.swap(plan, quietContext());
  });
});

describe('recovery', () => {
  it('knows trees by identity when their names were exchanged', async () => {
    await house.write('old');
    const snapshot = await capture();
    await house.write('newer');
    const plan = await house.upToSafe(engine, snapshot);
    await stuckAtCommit(plan);
    const staging = at((await house.leftovers()).find((name) => name.startsWith('.data.'))!);
    await rename(at('data'), at('between'));
    await rename(staging, at('data'));
    await rename(at('between'), staging);
    expect(await engine.sweep(signal)).toMatchObject({ swappedForward: [plan.txId], unresolved: [] });
    expect(await house.generations()).toEqual(['old', 'old']);
    await engine.finish(plan, [], quietContext());
    expect(await house.leftovers()).toEqual([]);
    expect(await house.generations()).toEqual(['old', 'old']);
  });

  it('finds a tree under any name in the parent', async () => {
    await house.write('old');
    const snapshot = await capture();
    await house.write('newer');
    const plan = await house.upToSafe(engine, snapshot);
    await engine.swap(plan, quietContext());
    const old = at((await house.leftovers()).find((name) => name.startsWith('.data.'))!);
    await rename(old, at('somebody moved it here'));
    await house.undo(engine, plan);
    expect(await house.generations()).toEqual(['newer', 'newer']);
    expect(await house.leftovers()).toEqual([]);
  });

  it('goes back where going forward cannot work, and never touches a tree it does not know', async () => {
    await house.write('old');
    const snapshot = await capture();
    await house.write('newer');
    const plan = await house.upToSafe(engine, snapshot);
    await stuckAtCommit(plan);
    // The second volume's staging tree is gone: forward is impossible once the first has moved.
    const staging = at((await house.leftovers()).find((name) => name.startsWith('.files.'))!);
    await rm(staging, { recursive: true });
    expect(await engine.sweep(signal)).toMatchObject({ swappedBack: [plan.txId], unresolved: [] });
    expect(await house.generations()).toEqual(['newer', 'newer']);
    await mkdir(staging);
    await house.undo(engine, plan);
    expect(await house.leftovers()).toEqual([path.basename(staging)]);
  });

  it('holds restart policies from QUIESCING on, whatever somebody set', async () => {
    await house.write('old');
    const container = await house.startInstance({ policy: 'always' });
    const snapshot = await capture();
    const plan = await house.upToSafe(engine, snapshot);
    await test.docker.setRestartPolicy(container, 'always');
    expect(await engine.sweep(signal)).toMatchObject({ policiesHeld: [plan.txId] });
    expect((await test.docker.inspectContainer(container))?.restartPolicy).toBe('no');
    expect(await engine.sweep(signal)).toMatchObject({ policiesHeld: [] });
    await house.undo(engine, plan);
    expect(await test.docker.inspectContainer(container)).toMatchObject({ restartPolicy: 'always', state: 'running' });
  });

  it('stops what started on data that is about to move', async () => {
    await house.write('old');
    const container = await house.startInstance();
    const snapshot = await capture();
    const plan = await house.upToSafe(engine, snapshot);
    await stuckAtCommit(plan);
    await test.docker.startContainer(container);
    expect(await engine.sweep(signal)).toMatchObject({ swappedForward: [plan.txId] });
    expect((await test.docker.inspectContainer(container))?.state).toBe('exited');
  });

  it('leaves a decided swap alone while a foreign container uses the data, and holds the workload', async () => {
    await house.write('old');
    const snapshot = await capture();
    const plan = await house.upToSafe(engine, snapshot);
    await stuckAtCommit(plan);
    const foreign = await test.docker.createContainer(
      test.spec(image, { mounts: [{ source: at('data'), target: '/d', readOnly: false }], network: 'none' }),
    );
    await test.docker.startContainer(foreign.id);
    const report = await engine.sweep(signal);
    expect(report).toMatchObject({ swappedForward: [], unresolved: [{ txId: plan.txId, code: 'CONTAINER_APPEARED' }] });
    await expect(engine.assertMayStart(plan.workloadId, [], plan.operationId)).rejects.toMatchObject({
      code: 'VOLUME_IN_USE',
    });
    await test.docker.removeContainer(foreign.id, { force: true });
    expect(await engine.sweep(signal)).toMatchObject({ swappedForward: [plan.txId], unresolved: [] });
  });
});

describe('the way out for a person', () => {
  it('names every tree and the commands that put one generation back; the workload is held until it is checked', async () => {
    await house.write('old');
    const container = await house.startInstance();
    const snapshot = await capture();
    await house.write('newer');
    const plan = await house.upToSafe(engine, snapshot);
    await engine.swap(plan, quietContext());
    // Somebody puts a directory of his own in place of one volume.
    await rename(at('files'), at('taken away'));
    await mkdir(at('files'));
    await writeFile(path.join(at('files'), 'mine'), 'foreign');
    await engine.removeNew(plan, signal);
    const failed = engine.swapBack(plan, signal);
    await expect(failed).rejects.toMatchObject({ code: 'ROLLBACK_FAILED', retryable: false });
    const guide = await engine.needsOperator(plan, { code: 'ROLLBACK_FAILED', detail: '/files' });
    expect(guide.volumes).toEqual([
      expect.objectContaining({ target: '/data', live: 'new', other: 'old' }),
      expect.objectContaining({ target: '/files', live: 'unknown', other: 'old' }),
    ]);
    expect(await engine.heldBy(plan.workloadId)).toBe(plan.operationId);
    await expect(engine.assertMayStart(plan.workloadId, [], plan.operationId)).rejects.toMatchObject({
      code: 'WORKLOAD_HELD',
      params: { operationId: plan.operationId },
    });
    await expect(engine.swap(plan, quietContext())).rejects.toMatchObject({ code: 'TX_STATE' });
    await expect(engine.resume(plan, () => Promise.resolve(), signal)).rejects.toMatchObject({ code: 'TX_STATE' });
    const before = await picture();
    expect(await engine.sweep(signal)).toMatchObject({ swappedForward: [], swappedBack: [], unresolved: [] });
    expect(await picture()).toBe(before);
    expect((await engine.examine(plan.operationId)).verdict).toBe('unclear');

    for (const { command } of guide.commands) if (/^(mv|sync) /.test(command)) await run('sh', ['-ec', command]);
    expect((await engine.examine(plan.operationId)).verdict).toBe('all-old');
    await engine.acceptVerdict(plan.operationId, 'all-old', 'admin');
    await engine.acceptVerdict(plan.operationId, 'all-old', 'admin');
    expect(await engine.heldBy(plan.workloadId)).toBeNull();
    expect((await engine.status(plan.operationId))?.record).toBe('ROLLED_BACK');
    await house.undo(engine, plan);
    expect(await house.generations()).toEqual(['newer', 'newer']);
    expect((await test.docker.inspectContainer(container))?.state).toBe('running');
    // What was foreign is still there, under a name that says so.
    expect(await readFile(path.join(at(`files.found-${plan.txId}`), 'mine'), 'utf8')).toBe('foreign');
  });

  it('goes forward where the old data is gone and the new is all there', async () => {
    await house.write('old');
    const snapshot = await capture();
    await house.write('newer');
    const plan = await house.upToSafe(engine, snapshot);
    await engine.swap(plan, quietContext());
    const old = at((await house.leftovers()).find((name) => name.startsWith('.data.'))!);
    await rm(old, { recursive: true });
    await engine.removeNew(plan, signal);
    await expect(engine.swapBack(plan, signal)).rejects.toMatchObject({ code: 'ROLLBACK_FAILED' });
    await engine.needsOperator(plan, { code: 'ROLLBACK_FAILED', detail: '' });
    const { guide } = await engine.examine(plan.operationId);
    for (const { command } of guide.commands) if (/^(mv|sync) /.test(command)) await run('sh', ['-ec', command]);
    expect((await engine.examine(plan.operationId)).verdict).toBe('all-new');
    await engine.acceptVerdict(plan.operationId, 'all-new', 'admin');
    expect(await engine.assertMayRedeploy(plan, signal)).toEqual({ before: 'absent' });
    await engine.finish(plan, [], quietContext());
    expect(await house.generations()).toEqual(['old', 'old']);
    expect(await house.leftovers()).toEqual([]);
  });
});

describe('containers', () => {
  it('that are gone are replaced by a deploy of the recorded image', async () => {
    await house.write('old');
    const container = await house.startInstance();
    const snapshot = await capture();
    const plan = await house.upToSafe(engine, snapshot);
    await test.docker.removeContainer(container, { force: true });
    await engine.removeNew(plan, signal);
    await engine.swapBack(plan, signal);
    const asked: unknown[] = [];
    const redeploy = async (ref: unknown): Promise<void> => {
      asked.push(ref);
      await engine.assertMayStart(plan.workloadId, [at('data')], plan.operationId);
      await house.startInstance();
    };
    expect(await engine.resume(plan, redeploy, signal)).toEqual({ app: 'running' });
    expect(asked).toEqual([plan.image]);
    expect(plan.image?.imageId).toMatch(/^sha256:/);
  });

  it('that a person had stopped stay stopped with their policy back, forward and backward', async () => {
    await house.write('old');
    const container = await house.startInstance({ policy: 'always' });
    await test.docker.stopContainer(container, 1);
    const snapshot = await capture();
    const back = await house.upToSafe(engine, snapshot);
    expect((await engine.status(back.operationId))?.before).toBe('stopped');
    await house.undo(engine, back);
    expect(await test.docker.inspectContainer(container)).toMatchObject({ state: 'exited', restartPolicy: 'always' });
    const plan = await house.upToSafe(engine, snapshot);
    await engine.swap(plan, quietContext());
    await engine.finish(plan, [], quietContext());
    expect(await test.docker.inspectContainer(container)).toMatchObject({ state: 'exited', restartPolicy: 'always' });
    expect(await holders(plan)).toEqual([]);
  });
});

describe('attempts', () => {
  it('a newer one ends the older one and begins only after it has returned', async () => {
    await house.write('old');
    const snapshot = await capture();
    const plan = await house.preflight(engine, snapshot);
    const events: string[] = [];
    const slow: typeof archive = {
      ...archive,
      extract: async (input) => {
        events.push('begin');
        if (events.length === 1)
          await new Promise<void>((resolve) =>
            input.signal.addEventListener('abort', () => setTimeout(resolve, 200), { once: true }),
          );
        events.push('end');
        return archive.extract(input);
      },
    };
    const both = house.engine({ archive: slow });
    const older = both.extract(plan, quietContext()).then(
      () => 'done',
      (error: unknown) => (error as { code: string }).code,
    );
    while (events.length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
    await both.extract(plan, quietContext());
    expect(await older).toBe('CANCELLED');
    expect(events).toEqual(['begin', 'end', 'begin', 'end']);
    expect((await house.leftovers()).filter((name) => name.endsWith('.new'))).toHaveLength(2);
    await house.undo(engine, plan);
    expect(await house.leftovers()).toEqual([]);
  });

  it('of a second restore of the workload is refused while a journal is open', async () => {
    await house.write('old');
    const snapshot = await capture();
    const plan = await house.preflight(engine, snapshot);
    await engine.extract(plan, quietContext());
    const second = await house.preflight(engine, snapshot);
    await expect(engine.extract(second, quietContext())).rejects.toMatchObject({
      code: 'TX_OPEN',
      params: { operationId: plan.operationId },
    });
    await house.undo(engine, second);
    await house.undo(engine, plan);
    expect(await test.docker.listContainers({ 'io.tiny-forge.workload': house.facts.workloadId })).toEqual([]);
  });
});
