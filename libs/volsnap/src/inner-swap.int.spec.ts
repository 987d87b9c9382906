import { mkdir, readdir, readFile, rename, rm, stat, truncate, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import { NodeFsPort } from './ports/node-fs-port.ts';
import type { FrozenPlan, RestoreEngine } from './restore-engine.ts';
import { fsWithout } from './testing/failing-fs-port.ts';
import { jsonArchive } from './testing/json-archive-port.ts';
import type { ChildOrder } from './testing/killed-child.ts';
import { everyEffect } from './testing/kills.ts';
import { oneIn } from './testing/proof.ts';
import { proofNote } from './testing/proof-note.ts';
import { quietContext } from './testing/restore-house.ts';
import { runChild } from './testing/run-child.ts';
import { run, Scene, signal } from './testing/scene.ts';

const isRoot = process.getuid?.() === 0;
/** CI is root on a machine of its own; elsewhere these need the right to mount. */
const onlyRoot = isRoot || process.env['CI'] ? describe : describe.skip;
const mounted: string[] = [];
/** Knows devices for a moment, so each use is a new one: what was mounted a test ago is not what is now. */
const archive = () => jsonArchive(new NodeFsPort());
afterEach(async () => {
  for (const point of mounted.splice(0).reverse()) await run('umount', [point]);
});
// After that: its own clean-up finds plain directories.
const scene = new Scene();

const mount = async (...args: string[]): Promise<void> => {
  await run('mount', args);
  mounted.push(args.at(-1) as string);
};
const unmount = async (point: string): Promise<void> => {
  await run('umount', [point]);
  mounted.splice(mounted.indexOf(point), 1);
};

/** Makes `data` a mount point; `files` stays a plain directory. */
const kinds = {
  tmpfs: () => mount('-t', 'tmpfs', 'tmpfs', scene.at('data')),
  ext4: async () => {
    const image = path.join(scene.house.facts.root, 'data.img');
    if (!(await stat(image).catch(() => null))) {
      await writeFile(image, '');
      await truncate(image, 32 * 1024 ** 2);
      await run('mkfs.ext4', ['-q', '-I', '256', image]);
    }
    await mount('-o', 'loop', image, scene.at('data'));
  },
  'a bind mount of a directory': async () => {
    const source = path.join(scene.house.facts.root, 'source');
    await mkdir(source, { recursive: true });
    await mount('--bind', source, scene.at('data'));
  },
} as const;

const TIME = new Date('2020-02-03T04:05:06.789Z');
/** What the root of a mounted volume is known by, its own inode not included: that never changes. */
const rootOf = async (): Promise<object> => {
  const { mode, uid, gid, mtimeMs } = await stat(scene.at('data'));
  return { mode: mode & 0o7777, uid, gid, mtimeMs: Math.trunc(mtimeMs) };
};
const OLD_ROOT = { mode: 0o2750, uid: 7, gid: 8, mtimeMs: TIME.getTime() };
/** Mounts, captures `old`, writes `newer` and something that only it has. */
const prepare = async (kind: keyof typeof kinds) => {
  await mkdir(scene.at('data'));
  await kinds[kind]();
  await scene.house.write('old');
  const snapshot = await scene.capture();
  await scene.house.write('newer');
  await writeFile(path.join(scene.at('data'), 'only newer'), 'newer');
  await run('chown', ['7:8', scene.at('data')]);
  await run('chmod', ['2750', scene.at('data')]);
  await utimes(scene.at('data'), TIME, TIME);
  return snapshot;
};
/** Names in the mounted root that are ours. */
const ours = async (): Promise<string[]> =>
  (await readdir(scene.at('data'))).filter((name) => /^\.(re|tr|ti)/.test(name));
const clean = async (): Promise<void> => {
  expect(await ours()).toEqual([]);
  expect(await scene.house.leftovers()).toEqual([]);
};
const isThere = (name: string): Promise<boolean> =>
  stat(path.join(scene.at('data'), name)).then(
    () => true,
    () => false,
  );

onlyRoot.each(Object.keys(kinds) as (keyof typeof kinds)[])('a volume that is %s', (kind) => {
  it('kamal-backup #15, a mount point cannot be renamed: is restored inside it, which the plan names, and taken back with its root as it was', async () => {
    const snapshot = await prepare(kind);
    const { blockers, warnings } = await scene.engine.plan(scene.house.input(snapshot), signal);
    expect(blockers).toEqual([]);
    expect(warnings.map((one) => one.code)).toEqual(['VOLUME_SWAPPED_INSIDE']);
    const root = (await stat(scene.at('data'))).ino;
    const undone = await scene.house.upToSafe(scene.engine, snapshot);
    expect(await ours()).toEqual([`.restore-${undone.txId}-1.new`]);
    expect((await stat(path.join(scene.at('data'), `.restore-${undone.txId}-1.new`))).mode & 0o7777).toBe(0o755);
    expect(await rootOf()).toEqual(OLD_ROOT);
    await scene.engine.swap(undone, quietContext());
    expect(await scene.house.generations()).toEqual(['old', 'old']);
    expect(await isThere('only newer')).toBe(false);
    expect(await rootOf()).toMatchObject({ mode: 0o755, uid: 0 });
    await scene.house.undo(scene.engine, undone);
    expect(await scene.house.generations()).toEqual(['newer', 'newer']);
    expect(await isThere('only newer')).toBe(true);
    expect(await rootOf()).toEqual(OLD_ROOT);
    await clean();

    const plan = await scene.house.upToSafe(scene.engine, snapshot);
    await scene.engine.swap(plan, quietContext());
    expect((await scene.engine.finish(plan, [], quietContext())).warnings).toEqual([]);
    expect(await scene.house.generations()).toEqual(['old', 'old']);
    expect((await stat(scene.at('data'))).ino).toBe(root);
    expect((await scene.engine.status(plan.operationId))?.record).toBe('CLOSED');
    await clean();
  });

  it('killed before and after every effect of a swap and of an undo: all old or all new, and then taken back', async () => {
    const nobody = () => Promise.resolve([]);
    const fresh = (): RestoreEngine => scene.house.engine({ archive: archive(), mountUsers: nobody });
    const snapshot = await prepare(kind);
    const like = await scene.house.upToSafe(fresh(), snapshot);
    await scene.house.undo(fresh(), like);
    const begin = async (action: ChildOrder['action']): Promise<FrozenPlan> => {
      const plan = await scene.house.upToSafe(fresh(), snapshot, like);
      if (action === 'undo') await fresh().swap(plan, quietContext());
      return plan;
    };
    let kills = 0;
    for (const action of ['swap', 'undo'] as const) {
      const first = await begin(action);
      const { effects } = await runChild({ facts: scene.house.facts, plan: first, action, kill: null });
      expect(effects.length).toBeGreaterThan(15);
      await scene.house.undo(fresh(), first);
      const ends = new Set<string>();
      const all = everyEffect({ killed: false, calls: 0, effects });
      for (const kill of all.filter((_, n) => n % oneIn(6, 6) === 0)) {
        await utimes(scene.at('data'), TIME, TIME);
        const plan = await begin(action);
        const { facts } = scene.house;
        expect((await runChild({ facts, plan, action, kill })).killed).toBe(true);
        expect(await fresh().sweep(signal)).toMatchObject({ corrupt: [], unresolved: [] });
        const record = (await fresh().status(plan.operationId))?.record ?? 'none';
        const end = record === 'SWAPPED' ? 'old' : 'newer';
        ends.add(end);
        expect(await scene.house.generations()).toEqual([end, end]);
        expect(await isThere('only newer')).toBe(end === 'newer');
        expect(await fresh().sweep(signal)).toMatchObject({ swappedForward: [], swappedBack: [], unresolved: [] });
        await scene.house.undo(fresh(), plan);
        expect(await scene.house.generations()).toEqual(['newer', 'newer']);
        // Before COMMIT a kill between the making of the old tree and the putting back of the time loses the latter, and nothing else.
        const { mtimeMs, ...rest } = OLD_ROOT;
        expect(await rootOf()).toMatchObject(action === 'undo' || record === 'SWAPPED' ? { mtimeMs, ...rest } : rest);
        await clean();
        kills++;
      }
      expect(ends).toEqual(new Set(['old', 'newer']));
    }
    proofNote(`inside a mount point (${kind}): killed at ${kills} places of swap and undo: all old or all new`);
  }, 900_000);
});

onlyRoot('inside a mount point', () => {
  /** The first volume is half swapped: one entry of before has moved. */
  const halfSwapped = (plan: FrozenPlan): Promise<void> => scene.stuckAtCommit(plan, 1);

  it('what the app made on the new side goes with it, and what it had before comes back as the very files', async () => {
    const snapshot = await prepare('ext4');
    const before = (await stat(path.join(scene.at('data'), 'token'))).ino;
    const plan = await scene.house.upToSafe(scene.engine, snapshot);
    await scene.engine.swap(plan, quietContext());
    // As an app that starts: replaces a file, makes one, deletes one, changes the owner of all it finds.
    await writeFile(path.join(scene.at('data'), 'token.new'), 'changed');
    await rename(path.join(scene.at('data'), 'token.new'), path.join(scene.at('data'), 'token'));
    await writeFile(path.join(scene.at('data'), 'made'), 'made');
    await rm(path.join(scene.at('data'), 'sub'), { recursive: true });
    await run('chown', ['9:9', scene.at('data')]);
    expect(await scene.engine.assertMayRedeploy(plan, signal)).toEqual({ before: 'absent' });
    await scene.house.undo(scene.engine, plan);
    expect(await scene.house.generations()).toEqual(['newer', 'newer']);
    expect((await stat(path.join(scene.at('data'), 'token'))).ino).toBe(before);
    expect(await isThere('made')).toBe(false);
    expect(await rootOf()).toEqual(OLD_ROOT);
    await clean();
  });

  it('no archive takes what is ours, and no measure counts it', async () => {
    const snapshot = await prepare('tmpfs');
    const plan = await scene.house.upToSafe(scene.engine, snapshot);
    await scene.engine.swap(plan, quietContext());
    expect(await ours()).toHaveLength(2);
    for (const engine of [scene.house.capturer({ archive: archive() }), scene.house.capturer()]) {
      const { volumes } = await scene.house.capture({}, engine);
      const counts = snapshot.volumes.map(({ contentBytes }) => contentBytes);
      expect(volumes.map(({ contentBytes }) => contentBytes)).toEqual(counts);
    }
    const taken = await scene.house.capture({}, scene.house.capturer({ archive: archive() }));
    expect(await readFile(taken.file, 'utf8')).not.toContain('restore-');
    await scene.house.undo(scene.engine, plan);
    await clean();
  });

  it('with real archives the root gets owner, mode and time of the captured one, of a directory with setgid too', async () => {
    await prepare('ext4');
    const real = scene.house.engine();
    const snapshot = await scene.house.capture();
    await scene.house.write('newest');
    await run('chown', ['0:0', scene.at('data')]);
    await run('chmod', ['700', scene.at('data')]);
    const plan = await scene.house.upToSafe(real, snapshot);
    await real.swap(plan, quietContext());
    expect((await real.finish(plan, [], quietContext())).warnings).toEqual([]);
    expect(await scene.house.generations()).toEqual(['newer', 'newer']);
    expect(await isThere('only newer')).toBe(true);
    expect(await rootOf()).toEqual(OLD_ROOT);
    await clean();
  });

  it('an old tree that is kept stays in the mount with owner and mode of the root, through another restore, until its time', async () => {
    const snapshot = await prepare('ext4');
    const keeping = await scene.house.preflight(scene.engine, snapshot, { safety: 'keep-old-tree', safetyDays: 0 });
    await scene.engine.extract(keeping, quietContext());
    await scene.engine.stop(keeping, quietContext());
    await scene.engine.recordOldTreesKept(keeping);
    await scene.engine.swap(keeping, quietContext());
    expect((await scene.engine.finish(keeping, [], quietContext())).warnings).toEqual([]);
    const kept = path.join(scene.at('data'), `.restore-${keeping.txId}.old`);
    const { mode, uid, gid } = await stat(kept);
    expect({ mode: mode & 0o7777, uid, gid }).toEqual({ mode: 0o2750, uid: 7, gid: 8 });
    expect(await readdir(kept)).toEqual(expect.arrayContaining(['only newer', 'sub', 'token']));

    await scene.house.write('later');
    const again = await scene.house.upToSafe(scene.engine, snapshot);
    await scene.engine.swap(again, quietContext());
    expect((await scene.engine.finish(again, [], quietContext())).warnings).toEqual([]);
    expect(await ours()).toEqual([path.basename(kept)]);
    expect(await readFile(path.join(kept, 'token'), 'utf8')).toBe('newer');
    expect(await scene.engine.collectKept(signal)).toEqual({ collected: [keeping.txId], problems: [] });
    expect(await scene.house.generations()).toEqual(['old', 'old']);
    await clean();
  });

  it('a file system that is not mounted yet is waited for: nothing is touched below its mount point', async () => {
    const snapshot = await prepare('ext4');
    const plan = await scene.house.upToSafe(scene.engine, snapshot);
    await halfSwapped(plan);
    await unmount(scene.at('data'));
    const report = await scene.engine.sweep(signal);
    expect(report).toMatchObject({ swappedForward: [], swappedBack: [], unresolved: [{ code: 'IO_ERROR' }] });
    expect(await readdir(scene.at('data'))).toEqual([]);
    expect((await scene.engine.status(plan.operationId))?.record).toBe('COMMIT');
    await kinds.ext4();
    expect(await scene.engine.sweep(signal)).toMatchObject({ swappedForward: [plan.txId], unresolved: [] });
    expect(await scene.house.generations()).toEqual(['old', 'old']);
    await scene.house.undo(scene.engine, plan);
    await clean();
  });

  it('a corrupt journal that lost the list of entries is never taken as all old once the swap may have begun', async () => {
    const snapshot = await prepare('ext4');
    const plan = await scene.house.upToSafe(scene.engine, snapshot);
    const undamaged = await readFile(await scene.journal());
    await scene.damageJournal('QUIESCED');
    expect((await scene.engine.examine(plan.operationId)).verdict).toBe('all-old');
    await writeFile(await scene.journal(), undamaged);

    await halfSwapped(plan);
    const whole = await readFile(await scene.journal());
    await scene.damageJournal('QUIESCED');
    const { verdict, guide } = await scene.engine.examine(plan.operationId);
    expect(verdict).toBe('unclear');
    const { command } = guide.commands.at(-1) as { command: string };
    expect((await run('sh', ['-c', command])).stdout).toMatch(/ (lost\+found|only newer|sub|token)\n/);
    await writeFile(await scene.journal(), whole);

    // All new, and the old tree is gone: nothing shows that it was ever there.
    expect(await scene.engine.sweep(signal)).toMatchObject({ swappedForward: [plan.txId] });
    const stuck = scene.house.engine({
      archive: archive(),
      fs: fsWithout('link'),
    });
    expect((await stuck.finish(plan, [], quietContext())).warnings).not.toEqual([]);
    expect(await ours()).toEqual([]);
    await scene.damageJournal('QUIESCED');
    expect((await scene.engine.examine(plan.operationId)).verdict).toBe('unclear');
  });

  it("somebody's file in the way of the new data stays, and everything goes back around it", async () => {
    const snapshot = await prepare('tmpfs');
    // In the snapshot and not in the live root, so that nothing of before has this name.
    await rm(path.join(scene.at('data'), 'token'));
    const plan = await scene.house.upToSafe(scene.engine, snapshot);
    await halfSwapped(plan);
    await writeFile(path.join(scene.at('data'), 'token'), 'mine');
    expect(await scene.engine.sweep(signal)).toMatchObject({ swappedBack: [plan.txId], unresolved: [] });
    expect(await readFile(path.join(scene.at('data'), 'token'), 'utf8')).toBe('mine');
    expect(await isThere('only newer')).toBe(true);
    await scene.house.undo(scene.engine, plan);
    expect(await readFile(path.join(scene.at('data'), 'token'), 'utf8')).toBe('mine');
    await clean();
  });

  it('a running user of the mount is a blocker, one that has a copy of all mounts is none', async () => {
    const snapshot = await prepare('tmpfs');
    const foreign = await scene.startForeign('data');
    const { blockers } = await scene.engine.plan(scene.house.input(snapshot), signal);
    expect(blockers.map((one) => one.code)).toEqual(['DIRECTORY_FOREIGN_USER']);
    await scene.test.docker.removeContainer(foreign, { force: true });
  });

  it('what cannot be moved is found before: a mount below, and an entry that is immutable', async () => {
    const snapshot = await prepare('ext4');
    const blockers = async (): Promise<string[]> =>
      (await scene.engine.plan(scene.house.input(snapshot), signal)).blockers.map((one) => one.code);
    await mount('-t', 'tmpfs', 'tmpfs', path.join(scene.at('data'), 'sub'));
    expect(await blockers()).toEqual(['VOLUME_IS_MOUNT_POINT']);
    await unmount(path.join(scene.at('data'), 'sub'));
    await run('chattr', ['+i', path.join(scene.at('data'), 'token')]);
    expect(await blockers()).toEqual(['DIRECTORY_IMMUTABLE']);
    await run('chattr', ['-i', path.join(scene.at('data'), 'token')]);
    const plan = await scene.house.upToSafe(scene.engine, snapshot);
    await mount('-t', 'tmpfs', 'tmpfs', path.join(scene.at('data'), 'sub'));
    await expect(scene.engine.swap(plan, quietContext())).rejects.toMatchObject({ code: 'VOLUME_IS_MOUNT_POINT' });
    await unmount(path.join(scene.at('data'), 'sub'));
    // Set after the plan: the swap finds out half way, and all goes back.
    await run('chattr', ['+i', path.join(scene.at('data'), 'token')]);
    await expect(scene.engine.swap(plan, quietContext())).rejects.toMatchObject({ code: 'IO_ERROR' });
    expect((await scene.engine.status(plan.operationId))?.record).toBe('COMMIT');
    await scene.house.undo(scene.engine, plan);
    await run('chattr', ['-i', path.join(scene.at('data'), 'token')]);
    expect(await scene.house.generations()).toEqual(['newer', 'newer']);
    await clean();
  });

  it('garbage is not collected across a mount', async () => {
    const snapshot = await prepare('ext4');
    await mkdir(path.join(scene.at('data'), 'sub', 'deep'));
    const plan = await scene.house.upToSafe(scene.engine, snapshot);
    await scene.engine.swap(plan, quietContext());
    const point = path.join(scene.at('data'), `.restore-${plan.txId}.old`, 'sub', 'deep');
    await mount('-t', 'tmpfs', 'tmpfs', point);
    await writeFile(path.join(point, 'precious'), 'kept');
    const { warnings } = await scene.engine.finish(plan, [], quietContext());
    expect(warnings).toEqual([expect.objectContaining({ code: 'VOLUME_IS_MOUNT_POINT' })]);
    expect(await readFile(path.join(point, 'precious'), 'utf8')).toBe('kept');
    await unmount(point);
    expect(await scene.engine.sweep(signal)).toMatchObject({ collected: [plan.txId] });
    await clean();
  });

  it('a person is told the very renames that put one generation back, with owner and mode of the root', async () => {
    const snapshot = await prepare('ext4');
    const plan = await scene.house.upToSafe(scene.engine, snapshot);
    await halfSwapped(plan);
    await scene.engine.needsOperator(plan, { code: 'UNDO_FAILED', detail: '' });
    const { verdict, guide } = await scene.engine.examine(plan.operationId);
    expect(verdict).toBe('unclear');
    expect(guide.commands.map((one) => one.command).join('\n')).not.toMatch(/\brm\b|rmdir|-delete/);
    for (const { command } of guide.commands) if (/^(mv|chown|sync) /.test(command)) await run('sh', ['-ec', command]);
    expect((await scene.engine.examine(plan.operationId)).verdict).toBe('all-old');
    expect(await scene.house.generations()).toEqual(['newer', 'newer']);
    expect(await rootOf()).toMatchObject({ mode: 0o2750, uid: 7, gid: 8 });
    await scene.engine.acceptVerdict(plan.operationId, 'all-old', 'admin');
    await scene.house.undo(scene.engine, plan);
    await clean();
  });
});
