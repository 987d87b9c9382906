import { randomUUID } from 'node:crypto';
import { readdir, readFile, rename, rm, stat, symlink, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { interceptFsPort } from './ports/fs-port.ts';
import { NodeFsPort } from './ports/node-fs-port.ts';
import type { FrozenPlan } from './restore-engine.ts';
import { jsonArchivePort as archive } from './testing/json-archive-port.ts';
import { quietContext } from './testing/restore-house.ts';
import { run, Scene, signal } from './testing/scene.ts';

const scene = new Scene();
const holders = (plan: FrozenPlan) => scene.test.docker.listContainers({ 'io.tiny-forge.operation': plan.operationId });
const blockersOf = (error: unknown): string[] =>
  (error as { blockers?: { code: string }[] }).blockers?.map((one) => one.code) ?? [];

describe('absent directories', () => {
  it('live: one rename forward, and away again on the way back', async () => {
    await scene.house.write('old');
    const snapshot = await scene.capture();
    await rm(scene.at('data'), { recursive: true });
    await scene.house.write('newer', ['files']);
    const plan = await scene.house.upToSafe(scene.engine, snapshot);
    expect(plan.targets.map((target) => target.live === null)).toEqual([true, false]);
    await scene.engine.swap(plan, quietContext());
    expect(await scene.house.generations()).toEqual(['old', 'old']);
    await scene.house.undo(scene.engine, plan);
    expect(await scene.house.generations()).toEqual(['absent', 'newer']);
    expect(await scene.house.leftovers()).toEqual([]);
  });

  it('in the snapshot: restoring makes the volume absent again, undoing brings it back', async () => {
    await scene.house.write('old', ['files']);
    const snapshot = await scene.capture();
    expect(snapshot.manifest.volumes).toMatchObject([{ absent: true }, { source: 'files' }]);
    await scene.house.write('newer');
    const undone = await scene.house.upToSafe(scene.engine, snapshot);
    await scene.engine.swap(undone, quietContext());
    expect(await scene.house.generations()).toEqual(['absent', 'old']);
    await scene.house.undo(scene.engine, undone);
    expect(await scene.house.generations()).toEqual(['newer', 'newer']);
    const plan = await scene.house.upToSafe(scene.engine, snapshot);
    await scene.engine.swap(plan, quietContext());
    await scene.engine.finish(plan, [], quietContext());
    expect(await scene.house.generations()).toEqual(['absent', 'old']);
    expect(await scene.house.leftovers()).toEqual([]);
  });

  it('of parents too: made, and removed on the way back when empty', async () => {
    await scene.house.write('old');
    const snapshot = await scene.capture();
    const nested = { ...scene.house.input(snapshot) };
    const plan = await scene.engine.preflight(
      { ...nested, operationId: randomUUID(), confirmedPlanHash: null },
      quietContext(),
    );
    await rm(scene.at('data'), { recursive: true });
    const deep = path.join(scene.house.volumes, 'a', 'b');
    const moved: FrozenPlan = {
      ...plan,
      targets: plan.targets.map((target) =>
        target.source === 'data' ? { ...target, hostPath: path.join(deep, 'data'), parent: deep, live: null } : target,
      ),
    };
    await scene.engine.extract(moved, quietContext());
    expect((await stat(deep)).mode & 0o777).toBe(0o755);
    await scene.house.undo(scene.engine, moved);
    expect(await readdir(scene.house.volumes)).toEqual(['files']);
  });
});

describe('pre-flight', () => {
  it('refuses with all blockers at once and changes nothing', async () => {
    await scene.house.write('old');
    const snapshot = await scene.capture();
    const before = await scene.picture();
    await truncate(snapshot.file, snapshot.bytes - 1);
    const { volumes } = scene.house.workload().config;
    const workload = scene.house.workload({ volumes: [volumes[0]!] });
    const refused = await scene.house.preflight(scene.engine, snapshot, { workload }).catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: 'RESTORE_BLOCKED', params: { count: 2 } });
    expect(blockersOf(refused)).toEqual(['VOLUME_NOT_IN_CONFIG', 'ARCHIVE_DAMAGED']);
    expect(await scene.picture()).toBe(before);
  });

  it('refuses an archive of the right size whose bytes differ, without a holder left', async () => {
    await scene.house.write('old');
    const snapshot = await scene.capture();
    const bytes = await readFile(snapshot.file);
    bytes[5]! ^= 1;
    await writeFile(snapshot.file, bytes);
    const refused = scene.house.preflight(scene.engine, snapshot);
    await expect(refused).rejects.toMatchObject({ code: 'ARCHIVE_DAMAGED' });
    expect(await scene.test.docker.listContainers({ 'io.tiny-forge.workload': scene.house.facts.workloadId })).toEqual(
      [],
    );
  });

  it('refuses a plan that changed, a manifest that is not the catalogued one, an image that nobody has', async () => {
    await scene.house.write('old');
    const snapshot = await scene.capture();
    const { planHash } = await scene.engine.plan(scene.house.input(snapshot), signal);
    await rename(scene.at('data'), scene.at('kept'));
    await scene.house.write('other', ['data']);
    const confirmed = { ...scene.house.input(snapshot), operationId: randomUUID(), confirmedPlanHash: planHash };
    await expect(scene.engine.preflight(confirmed, quietContext())).rejects.toMatchObject({ code: 'PLAN_CHANGED' });
    const quiesce = { ...snapshot.manifest, quiesce: 'stop' as const };
    const forged = scene.house.preflight(scene.engine, { ...snapshot, manifest: quiesce });
    await expect(forged).rejects.toMatchObject({ code: 'ARCHIVE_TAMPERED' });
    const gone = { reference: 'gone:1', imageId: `sha256:${'0'.repeat(64)}`, digest: null };
    const refused = await scene.house
      .preflight(scene.engine, snapshot, { lastGoodImage: gone })
      .catch((error: unknown) => error);
    expect(blockersOf(refused)).toEqual(['IMAGE_MISSING']);
    await rm(scene.at('kept'), { recursive: true });
  });

  it('names a running user of a directory, by Docker and by the kernel, also under its new name', async () => {
    await scene.house.write('old');
    const snapshot = await scene.capture();
    const mounts = [{ source: scene.at('files'), target: '/f', readOnly: false }];
    const { id } = await scene.test.docker.createContainer(scene.test.spec(scene.image, { mounts, network: 'none' }));
    const created = await scene.engine.plan(scene.house.input(snapshot), signal);
    expect(created.blockers).toEqual([]);
    expect(created.warnings.map((one) => one.code)).toContain('DIRECTORY_FOREIGN_USER');
    await scene.test.docker.startContainer(id);
    const running = await scene.engine.plan(scene.house.input(snapshot), signal);
    expect(running.blockers.map((one) => one.code)).toEqual(['DIRECTORY_FOREIGN_USER']);
    // `docker inspect` goes on naming the old path; the kernel does not.
    await rename(scene.at('files'), scene.at('moved'));
    await rename(scene.at('data'), scene.at('files'));
    await rename(scene.at('moved'), scene.at('data'));
    const swapped = await scene.engine.plan(scene.house.input(snapshot), signal);
    expect(swapped.blockers.map((one) => one.params['path']).sort()).toEqual([scene.at('data'), scene.at('files')]);
    await scene.test.docker.removeContainer(id, { force: true });
  });

  it('refuses a directory that has a mount point below it, or that became one', async () => {
    await scene.house.write('old');
    const snapshot = await scene.capture();
    const place = path.join(scene.at('data'), 'sub');
    await run('mount', ['--bind', scene.at('files'), place]);
    try {
      const refused = await scene.house.preflight(scene.engine, snapshot).catch((error: unknown) => error);
      expect(blockersOf(refused)).toContain('VOLUME_IS_MOUNT_POINT');
    } finally {
      await run('umount', [place]);
    }
    const plan = await scene.house.upToSafe(scene.engine, snapshot);
    await run('mount', ['--bind', scene.at('files'), path.join(scene.at('data'), 'sub')]);
    try {
      const refused = scene.engine.swap(plan, quietContext());
      await expect(refused).rejects.toMatchObject({ code: 'VOLUME_IS_MOUNT_POINT' });
    } finally {
      await run('umount', [path.join(scene.at('data'), 'sub')]);
    }
    await run('mount', ['--bind', scene.at('data'), scene.at('data')]);
    try {
      const refused = scene.engine.swap(plan, quietContext());
      await expect(refused).rejects.toMatchObject({ code: 'VOLUME_IS_MOUNT_POINT' });
    } finally {
      await run('umount', [scene.at('data')]);
    }
  });

  it('refuses where renames are refused, and says so', async () => {
    await scene.house.write('old');
    const snapshot = await scene.capture();
    await run('chattr', ['+i', scene.house.volumes]);
    try {
      const refused = await scene.house.preflight(scene.engine, snapshot).catch((error: unknown) => error);
      expect(blockersOf(refused)).toEqual(['DIRECTORY_IMMUTABLE', 'DIRECTORY_IMMUTABLE']);
    } finally {
      await run('chattr', ['-i', scene.house.volumes]);
    }
    const fs = interceptFsPort(new NodeFsPort(), async (call, proceed) => {
      if (call.name === 'rename' && String(call.args[0]).includes('probe'))
        throw Object.assign(new Error('injected'), { code: 'EPERM' });
      return proceed();
    });
    const before = await scene.picture();
    const refused = await scene.house
      .preflight(scene.house.engine({ archive, fs }), snapshot)
      .catch((error: unknown) => error);
    expect(blockersOf(refused)).toEqual(['RENAME_REFUSED']);
    // The probe writes beside the volumes, so only the time of that folder may differ.
    const withoutTimes = (picture: string): string => picture.replace(/ \d+\.\d+ /g, ' ');
    expect(withoutTimes(await scene.picture())).toBe(withoutTimes(before));
  });

  it('finds what a killed probe left, at the next sweep', async () => {
    await scene.house.write('old');
    const snapshot = await scene.capture();
    const fs = interceptFsPort(new NodeFsPort(), async (call, proceed) => {
      if (call.name === 'rename' && String(call.args[0]).includes('probe')) return new Promise(() => undefined);
      return proceed();
    });
    const stuck = new AbortController();
    void scene.house
      .engine({ archive, fs })
      .preflight(
        { ...scene.house.input(snapshot), operationId: randomUUID(), confirmedPlanHash: null },
        quietContext(stuck.signal),
      )
      .catch(() => undefined);
    while ((await scene.house.leftovers()).length < 2) await new Promise((resolve) => setTimeout(resolve, 20));
    expect(await scene.house.leftovers()).toEqual([
      expect.stringMatching(/^\.tiny-forge-probe-/),
      expect.stringMatching(/^\.tiny-forge-probe-/),
    ]);
    await scene.engine.sweep(signal);
    expect(await scene.house.leftovers()).toEqual([]);
  });
});

describe('between the stop and the swap', () => {
  it('a container that was started behind our back is found, nothing is renamed, and the next try goes on', async () => {
    await scene.house.write('old');
    const container = await scene.house.startInstance();
    const snapshot = await scene.capture();
    await scene.house.write('newer');
    const plan = await scene.house.upToSafe(scene.engine, snapshot);
    await scene.test.docker.startContainer(container);
    const before = await scene.picture();
    await expect(scene.engine.swap(plan, quietContext())).rejects.toMatchObject({
      code: 'CONTAINER_APPEARED',
      retryable: true,
    });
    expect(await scene.picture()).toBe(before);
    await scene.test.docker.stopContainer(container, 1);
    const foreign = await scene.startForeign('data');
    await expect(scene.engine.swap(plan, quietContext())).rejects.toMatchObject({ code: 'CONTAINER_APPEARED' });
    expect(await scene.picture()).toBe(before);
    await scene.test.docker.removeContainer(foreign, { force: true });
    await scene.engine.swap(plan, quietContext());
    expect(await scene.house.generations()).toEqual(['old', 'old']);
    await scene.house.undo(scene.engine, plan);
    expect((await scene.test.docker.inspectContainer(container))?.state).toBe('running');
  });

  it('a directory that was replaced, or a parent that became a symlink, stops the swap before its decision', async () => {
    await scene.house.write('old');
    const snapshot = await scene.capture();
    const plan = await scene.house.upToSafe(scene.engine, snapshot);
    await rename(scene.at('data'), scene.at('kept'));
    await scene.house.write('foreign', ['data']);
    await expect(scene.engine.swap(plan, quietContext())).rejects.toMatchObject({ code: 'DATA_CHANGED' });
    await rm(scene.at('data'), { recursive: true });
    await rename(scene.at('kept'), scene.at('data'));
    await rename(scene.house.volumes, `${scene.house.volumes}-real`);
    await symlink(`${scene.house.volumes}-real`, scene.house.volumes);
    await expect(scene.engine.swap(plan, quietContext())).rejects.toMatchObject({ code: 'DATA_CHANGED' });
    await rm(scene.house.volumes);
    await rename(`${scene.house.volumes}-real`, scene.house.volumes);
    expect((await scene.engine.status(plan.operationId))?.record).toBe('SAFE');
    await scene.engine.swap(plan, quietContext());
  });
});

describe('containers', () => {
  it('that are gone are replaced by a deploy of the recorded image', async () => {
    await scene.house.write('old');
    const container = await scene.house.startInstance();
    const snapshot = await scene.capture();
    const plan = await scene.house.upToSafe(scene.engine, snapshot);
    await scene.test.docker.removeContainer(container, { force: true });
    await scene.engine.removeNew(plan, signal);
    await scene.engine.swapBack(plan, signal);
    const asked: unknown[] = [];
    const redeploy = async (ref: unknown): Promise<void> => {
      asked.push(ref);
      await scene.engine.assertMayStart(plan.workloadId, [scene.at('data')], plan.operationId);
      await scene.house.startInstance();
    };
    expect(await scene.engine.resume(plan, redeploy, signal)).toEqual({ app: 'running' });
    expect(asked).toEqual([plan.image]);
    expect(plan.image?.imageId).toMatch(/^sha256:/);
  });

  it('that a person had stopped stay stopped with their policy back, forward and backward', async () => {
    await scene.house.write('old');
    const container = await scene.house.startInstance({ policy: 'always' });
    await scene.test.docker.stopContainer(container, 1);
    const snapshot = await scene.capture();
    const back = await scene.house.upToSafe(scene.engine, snapshot);
    expect((await scene.engine.status(back.operationId))?.before).toBe('stopped');
    await scene.house.undo(scene.engine, back);
    expect(await scene.test.docker.inspectContainer(container)).toMatchObject({
      state: 'exited',
      restartPolicy: 'always',
    });
    const plan = await scene.house.upToSafe(scene.engine, snapshot);
    await scene.engine.swap(plan, quietContext());
    await scene.engine.finish(plan, [], quietContext());
    expect(await scene.test.docker.inspectContainer(container)).toMatchObject({
      state: 'exited',
      restartPolicy: 'always',
    });
    expect(await holders(plan)).toEqual([]);
  });
});

describe('attempts', () => {
  it('a newer one ends the older one and begins only after it has returned', async () => {
    await scene.house.write('old');
    const snapshot = await scene.capture();
    const plan = await scene.house.preflight(scene.engine, snapshot);
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
    const both = scene.house.engine({ archive: slow });
    const older = both.extract(plan, quietContext()).then(
      () => 'done',
      (error: unknown) => (error as { code: string }).code,
    );
    while (events.length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
    await both.extract(plan, quietContext());
    expect(await older).toBe('CANCELLED');
    expect(events).toEqual(['begin', 'end', 'begin', 'end']);
    expect((await scene.house.leftovers()).filter((name) => name.endsWith('.new'))).toHaveLength(2);
    await scene.house.undo(scene.engine, plan);
    expect(await scene.house.leftovers()).toEqual([]);
  });

  it('of a second restore of the workload is refused while a journal is open', async () => {
    await scene.house.write('old');
    const snapshot = await scene.capture();
    const plan = await scene.house.preflight(scene.engine, snapshot);
    await scene.engine.extract(plan, quietContext());
    const second = await scene.house.preflight(scene.engine, snapshot);
    await expect(scene.engine.extract(second, quietContext())).rejects.toMatchObject({
      code: 'TX_OPEN',
      params: { operationId: plan.operationId },
    });
    await scene.house.undo(scene.engine, second);
    await scene.house.undo(scene.engine, plan);
    expect(await scene.test.docker.listContainers({ 'io.tiny-forge.workload': scene.house.facts.workloadId })).toEqual(
      [],
    );
  });
});
