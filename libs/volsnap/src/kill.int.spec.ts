import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { testDocker, type TestDocker } from '@tiny-forge/docker/testing';
import type { CaptureResult, FrozenPlan, RestoreEngine } from './restore-engine.ts';
import { jsonArchivePort } from './testing/json-archive-port.ts';
import { everyCall, everyEffect, type Kill } from './testing/kills.ts';
import { fsWithout } from './testing/failing-fs-port.ts';
import { fakePlugins } from './testing/fake-plugins.ts';
import { quietContext, RestoreHouse } from './testing/restore-house.ts';
import { oneIn } from './testing/proof.ts';
import { proofNote } from './testing/proof-note.ts';
import { runChild } from './testing/run-child.ts';

let test: TestDocker;
let image: string;
const signal = new AbortController().signal;
/** Hundreds of restores here look at files only; who uses the directories is the matter of other tests. */
const nobody = () => Promise.resolve([]);
const archive = jsonArchivePort;

beforeAll(async () => {
  test = testDocker();
  image = (await test.image()).tag;
});
afterAll(() => test.cleanUp());

interface Scene {
  readonly house: RestoreHouse;
  readonly snapshot: CaptureResult;
  /** A restore that was undone: later ones find the same trees. */
  readonly like: FrozenPlan;
}

const build = async (): Promise<Scene> => {
  const house = await RestoreHouse.build(test.docker, { installation: test.installation, image, plugins: fakePlugins });
  await house.write('old');
  const snapshot = await house.capture({}, house.capturer({ archive }));
  await house.write('newer');
  const engine = house.engine({ archive, mountUsers: nobody });
  const like = await house.upToSafe(engine, snapshot);
  await house.undo(engine, like);
  return { house, snapshot, like };
};

/** Every engine is fresh, as after a start of the server. */
const fresh = ({ house }: Scene): RestoreEngine => house.engine({ archive, mountUsers: nobody });

const thin = (kills: readonly Kill[], n: number, proof = 1): Kill[] =>
  kills.filter((_, at) => at % oneIn(n, proof) === 0);

/** Two at a time: as many as the smallest machine has cores. */
const inLanes = async (kills: readonly Kill[], run: (scene: Scene, kill: Kill) => Promise<void>): Promise<void> => {
  const queue = [...kills];
  await Promise.all(
    [0, 1].map(async () => {
      const scene = await build();
      for (let kill = queue.shift(); kill; kill = queue.shift())
        await run(scene, kill).catch((error: unknown) => {
          queue.length = 0;
          throw new Error(`killed ${kill.when} call ${kill.at}`, { cause: error });
        });
      await scene.house.remove();
    }),
  );
};

const expectSame = async (scene: Scene, generations: readonly string[], plan: FrozenPlan): Promise<void> => {
  expect(await scene.house.generations()).toEqual(generations);
  const before = await fresh(scene).status(plan.operationId);
  const report = await fresh(scene).sweep(signal);
  expect(report).toMatchObject({ swappedForward: [], swappedBack: [], corrupt: [], unresolved: [] });
  expect(await scene.house.generations()).toEqual(generations);
  expect(await fresh(scene).status(plan.operationId)).toEqual(before);
};

describe('SIGKILL', () => {
  it('before and after every call of a swap: the sweep makes it all old or all new, and a second sweep changes nothing', async () => {
    const first = await build();
    const plan = await first.house.upToSafe(fresh(first), first.snapshot, first.like);
    const whole = await runChild({ facts: first.house.facts, plan, action: 'swap', kill: null });
    await first.house.remove();
    expect(whole.effects.length).toBeGreaterThan(8);
    const seen = new Set<string>();

    await inLanes(thin(everyCall(whole), 3), async (scene, kill) => {
      const plan = await scene.house.upToSafe(fresh(scene), scene.snapshot, scene.like);
      const end = await runChild({ facts: scene.house.facts, plan, action: 'swap', kill });
      expect(end.killed).toBe(true);
      const engine = fresh(scene);
      const report = await engine.sweep(signal);
      expect(report).toMatchObject({ corrupt: [], unresolved: [] });
      const status = await engine.status(plan.operationId);
      const committed = status?.record === 'SWAPPED';
      seen.add(status?.record ?? 'none');
      if (!committed) expect(status?.record).toBe('SAFE');
      await expectSame(scene, committed ? ['old', 'old'] : ['newer', 'newer'], plan);
      if (kill.at % 2 === 0) {
        // The workflow goes on where it was.
        await fresh(scene).swap(plan, quietContext());
        expect(await scene.house.generations()).toEqual(['old', 'old']);
      }
      await scene.house.undo(fresh(scene), plan);
      expect(await scene.house.generations()).toEqual(['newer', 'newer']);
      expect(await scene.house.leftovers()).toEqual([]);
    });
    expect(seen).toEqual(new Set(['SAFE', 'SWAPPED']));
  }, 600_000);

  it('after every effect of the undo of a swap: the next try ends it, all old', async () => {
    const first = await build();
    const plan = await first.house.upToSafe(fresh(first), first.snapshot, first.like);
    await fresh(first).swap(plan, quietContext());
    const undoing = await runChild({ facts: first.house.facts, plan, action: 'undo', kill: null });
    await first.house.remove();

    await inLanes(thin(everyEffect(undoing), 4, 3), async (scene, kill) => {
      const plan = await scene.house.upToSafe(fresh(scene), scene.snapshot, scene.like);
      await fresh(scene).swap(plan, quietContext());
      expect((await runChild({ facts: scene.house.facts, plan, action: 'undo', kill })).killed).toBe(true);
      const report = await fresh(scene).sweep(signal);
      expect(report).toMatchObject({ corrupt: [], unresolved: [], swappedForward: [] });
      // ROLLBACK is final: all old from the sweep on. Before it was durable the journal still said SWAPPED.
      const rolled = (await fresh(scene).status(plan.operationId))?.record !== 'SWAPPED';
      await expectSame(scene, rolled ? ['newer', 'newer'] : ['old', 'old'], plan);
      await scene.house.undo(fresh(scene), plan);
      expect(await scene.house.generations()).toEqual(['newer', 'newer']);
      expect(await scene.house.leftovers()).toEqual([]);
    });
  }, 600_000);

  it('after every effect of the sweep of a half done swap: the next sweep ends it, all new', async () => {
    /** The first volume has no live tree, the second one has its old one. */
    const half = async (scene: Scene): Promise<FrozenPlan> => {
      const plan = await scene.house.upToSafe(fresh(scene), scene.snapshot, scene.like);
      const dying = scene.house.engine({ archive, mountUsers: nobody, fs: fsWithout('rename', 1) });
      await expect(dying.swap(plan, quietContext())).rejects.toMatchObject({ code: 'IO_ERROR' });
      expect(await scene.house.generations()).toEqual(['absent', 'newer']);
      return plan;
    };
    const first = await build();
    const plan = await half(first);
    const sweeping = await runChild({ facts: first.house.facts, plan, action: 'sweep', kill: null });
    expect(await first.house.generations()).toEqual(['old', 'old']);
    await first.house.remove();
    expect(sweeping.effects.length).toBeGreaterThan(5);

    await inLanes(thin(everyEffect(sweeping), 3), async (scene, kill) => {
      const plan = await half(scene);
      expect((await runChild({ facts: scene.house.facts, plan, action: 'sweep', kill })).killed).toBe(true);
      const report = await fresh(scene).sweep(signal);
      expect(report).toMatchObject({ corrupt: [], unresolved: [] });
      await expectSame(scene, ['old', 'old'], plan);
      await scene.house.undo(fresh(scene), plan);
      expect(await scene.house.leftovers()).toEqual([]);
    });
  }, 600_000);

  it('after every effect of extract and of finish: the next try ends it', async () => {
    const first = await build();
    const plan = await first.house.preflight(fresh(first), first.snapshot);
    const extracting = await runChild({ facts: first.house.facts, plan, action: 'extract', kill: null });
    await fresh(first).stop(plan, quietContext());
    await fresh(first).recordSafe(plan, 's');
    await fresh(first).swap(plan, quietContext());
    const finishing = await runChild({ facts: first.house.facts, plan, action: 'finish', kill: null });
    await first.house.remove();

    await inLanes(thin(everyEffect(extracting), 5, 3), async (scene, kill) => {
      await scene.house.write('newer');
      const plan = await scene.house.preflight(fresh(scene), scene.snapshot);
      expect((await runChild({ facts: scene.house.facts, plan, action: 'extract', kill })).killed).toBe(true);
      expect(await fresh(scene).sweep(signal)).toMatchObject({ corrupt: [], unresolved: [] });
      expect(await scene.house.generations()).toEqual(['newer', 'newer']);
      if (kill.at % 2 === 0) await fresh(scene).extract(plan, quietContext());
      await scene.house.undo(fresh(scene), plan);
      expect(await scene.house.leftovers()).toEqual([]);
      expect(await scene.house.generations()).toEqual(['newer', 'newer']);
    });
    await inLanes(thin(everyEffect(finishing), 5, 3), async (scene, kill) => {
      await scene.house.write('newer');
      const plan = await scene.house.upToSafe(fresh(scene), scene.snapshot);
      await fresh(scene).swap(plan, quietContext());
      expect((await runChild({ facts: scene.house.facts, plan, action: 'finish', kill })).killed).toBe(true);
      expect(await fresh(scene).sweep(signal)).toMatchObject({ corrupt: [], unresolved: [] });
      await fresh(scene).finish(plan, [], quietContext());
      expect(await scene.house.generations()).toEqual(['old', 'old']);
      expect(await scene.house.leftovers()).toEqual([]);
      expect((await fresh(scene).status(plan.operationId))?.record).toBe('CLOSED');
    });
  }, 600_000);

  it('before and after every call of a whole restore: a fresh process ends it, all old or all new', async () => {
    const first = await build();
    const plan = await first.house.preflight(fresh(first), first.snapshot);
    const whole = await runChild({ facts: first.house.facts, plan, action: 'whole', kill: null });
    await first.house.remove();
    const ends = new Set<string>();
    const kills = thin(everyCall(whole), 14, 8);

    await inLanes(kills, async (scene, kill) => {
      await scene.house.write('newer');
      const plan = await scene.house.preflight(fresh(scene), scene.snapshot);
      const { facts } = scene.house;
      expect((await runChild({ facts, plan, action: 'whole', kill })).killed).toBe(true);
      expect((await runChild({ facts, plan, action: 'recover', kill: null })).killed).toBe(false);
      const status = await fresh(scene).status(plan.operationId);
      if (status) expect(status.record).toBe('CLOSED');
      const end = status?.done === true ? 'old' : 'newer';
      ends.add(end);
      await expectSame(scene, [end, end], plan);
      expect(await scene.house.leftovers()).toEqual([]);
      await scene.house.removeContainers();
    });
    expect(ends).toEqual(new Set(['old', 'newer']));
    proofNote(`a whole restore killed at ${kills.length} places of ${whole.calls} calls: all old or all new`);
  }, 1_800_000);

  it('before and after every effect of the stop of a running app: it stands or runs as before', async () => {
    const first = await build();
    const prepared = async (scene: Scene): Promise<{ plan: FrozenPlan; container: string }> => {
      await scene.house.write('newer');
      const container = await scene.house.startInstance({ policy: 'always' });
      const plan = await scene.house.preflight(fresh(scene), scene.snapshot);
      await fresh(scene).extract(plan, quietContext());
      return { plan, container };
    };
    const { plan } = await prepared(first);
    const stopping = await runChild({ facts: first.house.facts, plan, action: 'stop', kill: null });
    await first.house.removeContainers();
    await first.house.remove();

    await inLanes(thin(everyEffect(stopping), 3), async (scene, kill) => {
      const { plan, container } = await prepared(scene);
      expect((await runChild({ facts: scene.house.facts, plan, action: 'stop', kill })).killed).toBe(true);
      await fresh(scene).sweep(signal);
      await fresh(scene).stop(plan, quietContext());
      expect(await test.docker.inspectContainer(container)).toMatchObject({ state: 'exited', restartPolicy: 'no' });
      expect((await fresh(scene).status(plan.operationId))?.before).toBe('running-healthy');
      await scene.house.undo(fresh(scene), plan);
      expect(await test.docker.inspectContainer(container)).toMatchObject({
        state: 'running',
        restartPolicy: 'always',
      });
      expect(await scene.house.leftovers()).toEqual([]);
      await scene.house.removeContainers();
    });
  }, 1_800_000);
});
