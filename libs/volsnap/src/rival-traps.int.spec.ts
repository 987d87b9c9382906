import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { chmod, chown, link, lstat, mkdtemp, rm, stat, statfs, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { testDocker, type TestDocker } from '@tiny-forge/docker/testing';
import { interceptFsPort } from './ports/fs-port.ts';
import { NodeFsPort } from './ports/node-fs-port.ts';
import type { RestoreEngine } from './restore-engine.ts';
import { fsWithout } from './testing/failing-fs-port.ts';
import { fakePlugins } from './testing/fake-plugins.ts';
import { quietContext, RestoreHouse } from './testing/restore-house.ts';

// What went wrong in other tools, each with the place where it was found. Those that show only in the whole product are in
// e2e/src/rival-traps.e2e.spec.ts; a mount point (kamal-backup #15) in inner-swap.int.spec.ts, data that cannot be copied (Immich #30062) in
// e2e/src/way-back/kept-trees.e2e.spec.ts. What needs Compose, dependencies between apps or a restore to another place has no test: there is none.
const MIB = 1024 ** 2;
let test: TestDocker;
let image: string;
let house: RestoreHouse;
let engine: RestoreEngine;
const signal = new AbortController().signal;

const build = (under?: string): Promise<RestoreHouse> =>
  RestoreHouse.build(test.docker, {
    installation: test.installation,
    image,
    plugins: fakePlugins,
    ...(under !== undefined && { under }),
  });

beforeAll(async () => {
  test = testDocker();
  image = (await test.image()).tag;
});
afterAll(() => test.cleanUp());

describe('traps that others fell into', () => {
  beforeEach(async () => {
    house = await build();
    engine = house.engine();
  });
  afterEach(async () => {
    await house.removeContainers();
    await house.remove();
  });

  it('wpmgr #538, the failure handler overwrites the state: after a failed swap and a failed undo the journal still names every tree', async () => {
    await house.write('old');
    const snapshot = await house.capture();
    await house.write('newer');
    const plan = await house.upToSafe(engine, snapshot);
    const broken = house.engine({ fs: fsWithout('rename', 1) });
    await expect(broken.swap(plan, quietContext())).rejects.toMatchObject({ code: 'IO_ERROR' });
    await expect(broken.swapBack(plan, signal)).rejects.toMatchObject({ code: 'ROLLBACK_FAILED' });

    expect((await house.engine().sweep(signal)).unresolved).toEqual([]);
    expect((await house.engine().status(plan.operationId))?.record).toBe('ROLLED_BACK');
    expect(await house.generations()).toEqual(['newer', 'newer']);
    await house.undo(house.engine(), plan);
    expect(await house.leftovers()).toEqual([]);
  });

  it('VolumeVault RunRestore.php, a queue delivers a job twice: two swaps at once and one after the end do it once', async () => {
    await house.write('old');
    const snapshot = await house.capture();
    await house.write('newer');
    const plan = await house.upToSafe(engine, snapshot);
    await Promise.allSettled([engine.swap(plan, quietContext()), engine.swap(plan, quietContext())]);
    await engine.swap(plan, quietContext());
    expect(await house.generations()).toEqual(['old', 'old']);
    const instance = await house.startInstance({ operation: plan.operationId, policy: 'no' });
    await engine.finish(plan, [instance], quietContext());

    await house.write('written after');
    await engine.stop(plan, quietContext());
    await engine.swap(plan, quietContext());
    await engine.swapBack(plan, signal).catch(() => undefined);
    await engine.removeNew(plan, signal).catch(() => undefined);
    expect(await house.generations()).toEqual(['written after', 'written after']);
    expect((await test.docker.inspectContainer(instance))?.state).toBe('running');
  });

  it('Dokploy #3436, the archive says where it goes: a manifest that names other places is refused, never followed', async () => {
    await house.write('old');
    const snapshot = await house.capture();
    const source = house.source(snapshot);
    const [first, ...rest] = source.manifest.volumes;
    const volumes = [{ ...first!, source: '../../etc' }, ...rest];
    const input = { ...house.input(snapshot), snapshot: { ...source, manifest: { ...source.manifest, volumes } } };
    const plan = await engine.plan(input, signal);
    expect(plan.blockers.map(({ code }) => code)).toEqual(
      expect.arrayContaining([expect.stringMatching(/^VOLUME_(CHANGED|NOT_IN_CONFIG)$/)]),
    );
    await expect(
      engine.preflight({ ...input, operationId: randomUUID(), confirmedPlanHash: null }, quietContext()),
    ).rejects.toMatchObject({ code: expect.any(String) });
    expect(await house.leftovers()).toEqual([]);
  });

  it('BombVault #125, the root folder keeps its owner: owner, mode and time of a volume’s own folder come back', async () => {
    await house.write('old');
    const root = path.join(house.volumes, 'data');
    const isRoot = process.getuid?.() === 0;
    if (isRoot) await chown(root, 1234, 2345);
    await chmod(root, 0o2751);
    const before = await stat(root);
    const snapshot = await house.capture();
    await house.write('newer');
    if (isRoot) await chown(root, 0, 0);
    await chmod(root, 0o700);
    const plan = await house.upToSafe(engine, snapshot);
    await engine.swap(plan, quietContext());
    const after = await stat(root);
    const asked = ({ uid, gid, mode, mtime }: typeof after): unknown => ({ uid, gid, mode, mtime });
    expect(asked(after)).toEqual(asked(before));
    await engine.finish(plan, [], quietContext());
  });

  it('BombVault 10.3.8, hard links upset the check of sizes: one file under three names comes back as one file', async () => {
    await house.write('old');
    const data = path.join(house.volumes, 'data');
    await writeFile(path.join(data, 'one'), Buffer.alloc(3 * MIB, 1));
    for (const name of ['two', 'sub/three']) await link(path.join(data, 'one'), path.join(data, name));
    const snapshot = await house.capture();
    await rm(path.join(data, 'two'));
    const plan = await house.upToSafe(engine, snapshot);
    await engine.swap(plan, quietContext());
    const found = await Promise.all(['one', 'two', 'sub/three'].map((name) => lstat(path.join(data, name))));
    expect(new Set(found.map(({ ino }) => ino)).size).toBe(1);
    expect(found[0]).toMatchObject({ nlink: 3, size: 3 * MIB });
    await engine.finish(plan, [], quietContext());
  });

  it('Dokploy #3995, a container is known by its id: one that was made anew since, and one that has exited, are found by label', async () => {
    await house.write('old');
    const first = await house.startInstance();
    const snapshot = await house.capture();
    const plan = await house.preflight(engine, snapshot);
    // A deploy between plan and stop: the old one has exited and still names the directories, a new id serves.
    await test.docker.stopContainer(first, 1);
    const second = await house.startInstance({ policy: 'always' });
    await house.write('newer');
    await engine.extract(plan, quietContext());
    await engine.stop(plan, quietContext());
    expect(await test.docker.inspectContainer(second)).toMatchObject({ state: 'exited', restartPolicy: 'no' });
    await engine.recordSafe(plan, randomUUID());
    await engine.swap(plan, quietContext());
    expect(await house.generations()).toEqual(['old', 'old']);
    await house.undo(engine, plan);
    expect(await house.generations()).toEqual(['newer', 'newer']);
    expect(await test.docker.inspectContainer(second)).toMatchObject({ state: 'running', restartPolicy: 'always' });
    expect((await test.docker.inspectContainer(first))?.state).toBe('exited');
  });
});

// A file system whose size a test may choose.
(process.getuid?.() === 0 ? describe : describe.skip)('traps that others fell into, on a small disk', () => {
  const SIZE = 40 * MIB;
  let mountPoint: string;

  beforeEach(async () => {
    mountPoint = await mkdtemp(path.join(tmpdir(), 'tf-small-'));
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${SIZE},mode=0755`, 'tmpfs', mountPoint]);
    house = await build(mountPoint);
    engine = house.engine();
  });
  afterEach(async () => {
    await house.remove();
    execFileSync('umount', [mountPoint]);
    await rm(mountPoint, { recursive: true });
  });

  const free = async (): Promise<number> => {
    const { bavail, bsize } = await statfs(mountPoint);
    return bavail * bsize;
  };
  const leaveFree = async (bytes: number): Promise<void> =>
    writeFile(path.join(mountPoint, 'ballast'), Buffer.alloc((await free()) - bytes));
  /** Zeros: the archive of them takes next to nothing of the same small disk. */
  const fill = (name: string, bytes: number): Promise<void> =>
    writeFile(path.join(house.volumes, 'data', name), Buffer.alloc(bytes));

  it('ODS #4978, a copy that failed counts as done: a disk that fills up while unpacking leaves no staged restore', async () => {
    await house.write('old');
    await fill('big', 8 * MIB);
    const snapshot = await house.capture();
    const plan = await house.preflight(engine, snapshot);
    await leaveFree(4 * MIB);
    await expect(engine.extract(plan, quietContext())).rejects.toMatchObject({ code: 'INSUFFICIENT_SPACE' });
    expect((await engine.status(plan.operationId))?.record).not.toBe('STAGED');
    await expect(engine.stop(plan, quietContext())).rejects.toMatchObject({ code: 'TX_STATE' });
    await house.undo(engine, plan);
    expect(await house.leftovers()).toEqual([]);
    expect(await house.generations()).toEqual(['old', 'old']);
  });

  it('dolos #1299, space is counted twice when work is taken up again: a second attempt fits where one does', async () => {
    await house.write('old');
    await fill('big', 9 * MIB);
    const snapshot = await house.capture();
    const plan = await house.preflight(engine, snapshot);
    await leaveFree(12 * MIB);
    let failing = true;
    const fs = interceptFsPort(new NodeFsPort(), async (call, proceed) => {
      if (failing && call.name === 'syncFileSystem') throw Object.assign(new Error('EIO: injected'), { code: 'EIO' });
      return proceed();
    });
    const flaky = house.engine({ fs });
    await expect(flaky.extract(plan, quietContext())).rejects.toMatchObject({ code: 'IO_ERROR' });
    // Everything lies there unpacked, and a second copy would not fit beside it.
    expect(await free()).toBeLessThan(9 * MIB);
    failing = false;
    await flaky.extract(plan, quietContext());
    expect((await engine.status(plan.operationId))?.record).toBe('STAGED');
    await house.undo(engine, plan);
  });
});
