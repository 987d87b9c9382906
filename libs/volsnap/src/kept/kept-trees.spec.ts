import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { FrozenPlan, RestoreEngine } from '../restore-engine.ts';
import { CrashWorld, TX } from '../testing/crash/crash-world.ts';
import { SHAPES } from '../testing/crash/shapes.ts';
import { engineOn, realEngine } from '../testing/crash/simulated-engine.ts';
import { goForward, goToSwapped, takeBack } from '../testing/crash/walks.ts';

const never = new AbortController().signal;
const DAY_MS = 86_400_000;
const NOW = Date.UTC(2026, 0, 1);
const KEPT = ['/a/volumes/.v0', '/b/volumes/.v1'].map((path) => `${path}.restore-${TX}.old`);

let world: CrashWorld;
let plan: FrozenPlan;
const engineAfter = (days: number): RestoreEngine =>
  engineOn(world, {
    fs: world.fs,
    docker: world.docker,
    make: realEngine,
    now: () => new Date(NOW + days * DAY_MS),
  });

beforeEach(async () => {
  const built = await CrashWorld.build(SHAPES['old trees kept instead of a snapshot']);
  world = built.world;
  plan = { ...built.plan, safetyDays: 7 };
});

describe('old trees kept instead of a safety snapshot', () => {
  it('trap: a mandatory safety backup blocks the restore exactly when the data is corrupt: this way through takes no copy', async () => {
    await goForward(engineAfter(0), world, plan, 'forward');
    expect(world.side()).toBe('new');
    expect(await engineAfter(0).keptTrees()).toEqual([
      expect.objectContaining({
        txId: TX,
        keptUntil: '2026-01-08T00:00:00.000Z',
        trees: KEPT.map((path) => expect.objectContaining({ path })),
      }),
    ]);
    for (const path of KEPT) expect(world.isWholeBefore(path)).toBe(true);
  });

  it('are collected after their time, not before, and a second time nothing happens', async () => {
    await goForward(engineAfter(0), world, plan, 'forward');
    expect(await engineAfter(6.9).collectKept(never)).toEqual({ collected: [], problems: [] });
    for (const path of KEPT) expect(world.isWholeBefore(path)).toBe(true);
    expect(await engineAfter(7).collectKept(never)).toEqual({ collected: [TX], problems: [] });
    expect(world.leftovers()).toEqual([]);
    expect(await engineAfter(8).collectKept(never)).toEqual({ collected: [], problems: [] });
    expect(world.side()).toBe('new');
  });

  it('on a file system that is not mounted now wait for it, and do not keep the janitor from others', async () => {
    await goForward(engineAfter(0), world, plan, 'forward');
    const mounted = world.fs.fileSystemNames;
    const away = jest
      .spyOn(world.fs, 'fileSystemNames')
      .mockImplementation(async (path) => (path.startsWith('/b') ? ['uuid:other'] : mounted(path)));
    const report = await engineAfter(9).collectKept(never);
    away.mockRestore();
    expect(report).toMatchObject({ collected: [], problems: [{ code: 'IO_ERROR', params: { path: '/b/volumes' } }] });
    expect([world.fs.look(KEPT[0]!), world.isWholeBefore(KEPT[1]!)]).toEqual([null, true]);
    expect(await engineAfter(9).collectKept(never)).toEqual({ collected: [TX], problems: [] });
    expect(world.leftovers()).toEqual([]);
  });

  it('of a workload that is spared stay, whatever their time', async () => {
    await goForward(engineAfter(0), world, plan, 'forward');
    const spared = new Set([plan.workloadId]);
    expect(await engineAfter(9).collectKept(never, spared)).toEqual({ collected: [], problems: [] });
    for (const path of KEPT) expect(world.isWholeBefore(path)).toBe(true);
  });

  it('that somebody moved, or put back in place, are theirs; what stands in the place of one is not deleted by its name', async () => {
    await goForward(engineAfter(0), world, plan, 'forward');
    await world.fs.rename(KEPT[0]!, '/a/volumes/mine-now');
    await world.fs.rename(KEPT[1]!, '/b/moved');
    await world.fs.mkdir(KEPT[1]!, 0o755);
    expect(await engineAfter(9).collectKept(never)).toEqual({ collected: [TX], problems: [] });
    expect(world.isWholeBefore('/a/volumes/mine-now')).toBe(true);
    expect(world.isWholeBefore('/b/moved')).toBe(true);
    expect(world.fs.look(KEPT[1]!)).not.toBeNull();
  });

  it('need SAFE that says so, durable, before COMMIT; a restore that is taken back keeps none', async () => {
    const engine = engineAfter(0);
    await engine.extract(plan, { signal: never, onProgress: () => undefined });
    await engine.stop(plan, { signal: never, onProgress: () => undefined });
    await expect(engine.swap(plan, { signal: never, onProgress: () => undefined })).rejects.toMatchObject({
      code: 'TX_STATE',
      params: { needs: 'SAFE' },
    });
    await goToSwapped(engine, plan);
    expect(await engine.status(plan.operationId)).toMatchObject({ keepsOldTrees: true, safetySnapshotId: null });
    await takeBack(engine, world, plan);
    expect(world.side()).toBe('old');
    expect(await engine.keptTrees()).toEqual([]);
    expect(world.leftovers()).toEqual([]);
  });

  it('whose note cannot be read stay, and are told of', async () => {
    await goForward(engineAfter(0), world, plan, 'forward');
    const fd = await world.fs.open(`/a/data/journal/kept/${TX}.json`);
    await world.fs.truncate(fd, 20);
    await world.fs.close(fd);
    const report = await engineAfter(30).collectKept(never);
    expect(report).toMatchObject({ collected: [], problems: [{ code: 'IO_ERROR' }] });
    for (const path of KEPT) expect(world.isWholeBefore(path)).toBe(true);
  });
});
