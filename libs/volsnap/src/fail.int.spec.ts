import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { testDocker, type TestDocker } from '@tiny-forge/docker/testing';
import { NodeFsPort } from './ports/node-fs-port.ts';
import type { CaptureResult, FrozenPlan, RestoreEngine } from './restore-engine.ts';
import { FailingFsPort, type FsFault } from './testing/failing-fs-port.ts';
import { jsonArchivePort as archive } from './testing/json-archive-port.ts';
import { fakePlugins } from './testing/fake-plugins.ts';
import { oneIn } from './testing/proof.ts';
import { quietContext, RestoreHouse } from './testing/restore-house.ts';

let test: TestDocker;
let house: RestoreHouse;
let snapshot: CaptureResult;
/** A restore that was undone: later ones find the same trees. */
let like: FrozenPlan;
const signal = new AbortController().signal;
/** Hundreds of restores here look at files only; who uses the directories is the matter of other tests. */
const nobody = () => Promise.resolve([]);

beforeAll(async () => {
  test = testDocker();
  const image = (await test.image()).tag;
  house = await RestoreHouse.build(test.docker, { installation: test.installation, image, plugins: fakePlugins });
  await house.write('old');
  snapshot = await house.capture({}, house.capturer({ archive }));
  await house.write('newer');
  like = await house.upToSafe(healthy(), snapshot);
  await house.undo(healthy(), like);
});
afterAll(async () => {
  await house.remove();
  await test.cleanUp();
});

const healthy = (): RestoreEngine => house.engine({ archive, mountUsers: nobody });
const codeOf = async (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'ok',
    (error: unknown) => (error as { code: string }).code,
  );

const stride = oneIn(3, 1);

/** Runs `check` with one fault at call 1, 2, ... of what `check` does (in `npm test` at one in three), until no call is left to fail. */
const atEveryCall = async (
  fault: Omit<FsFault, 'at'>,
  check: (failing: FailingFsPort, at: number) => Promise<void>,
): Promise<number> => {
  for (let at = 1; ; at += stride) {
    const failing = new FailingFsPort(new NodeFsPort(), { ...fault, at });
    await check(failing, at).catch((error: unknown) => {
      throw new Error(`${fault.code} ${fault.how} call ${at}: ${JSON.stringify(failing.failed[0] ?? null)}`, {
        cause: error,
      });
    });
    if (failing.failed.length === 0) return at - stride;
  }
};

describe.each([
  ['EIO', 'before'],
  ['EIO', 'after'],
  ['ENOSPC', 'before'],
] as const)('%s %s a call', (code, how) => {
  it('of a swap: it goes on in the same process, or the restore is rolled back for good, and then all is old', async () => {
    const outcomes = new Set<string>();
    const calls = await atEveryCall({ code, how }, async (failing) => {
      const plan = await house.upToSafe(healthy(), snapshot, like);
      const engine = house.engine({ archive, mountUsers: nobody, fs: failing.port });
      const first = await codeOf(engine.swap(plan, quietContext()));
      const second = first === 'ok' ? 'ok' : await codeOf(engine.swap(plan, quietContext()));
      outcomes.add(`${first} ${second}`);
      expect(['ok', 'TX_ROLLED_BACK']).toContain(second);
      expect(await house.generations()).toEqual(second === 'ok' ? ['old', 'old'] : ['newer', 'newer']);
      failing.disarm();
      await house.undo(engine, plan);
      expect(await house.generations()).toEqual(['newer', 'newer']);
      expect(await house.leftovers()).toEqual([]);
    });
    expect(calls).toBeGreaterThan(20);
    const broken = code === 'EIO' ? 'IO_ERROR' : 'INSUFFICIENT_SPACE';
    expect([...outcomes]).toEqual(expect.arrayContaining(['ok ok', `${broken} ok`, `${broken} TX_ROLLED_BACK`]));
  }, 300_000);

  it('of an undo: the next try in the same process ends it', async () => {
    const calls = await atEveryCall({ code, how }, async (failing) => {
      const plan = await house.upToSafe(healthy(), snapshot, like);
      await healthy().swap(plan, quietContext());
      const engine = house.engine({ archive, mountUsers: nobody, fs: failing.port });
      for (let tries = 0; tries < 3; tries++) if ((await codeOf(house.undo(engine, plan))) === 'ok') break;
      expect(await house.generations()).toEqual(['newer', 'newer']);
      expect(await house.leftovers()).toEqual([]);
      expect((await healthy().status(plan.operationId))?.record).toBe('CLOSED');
    });
    expect(calls).toBeGreaterThan(30);
  }, 300_000);
});

describe('a disk that stays dead', () => {
  it('from any call of a swap on: nothing more is tried, and the start after it finds all old or all new', async () => {
    await atEveryCall({ code: 'EIO', how: 'before', span: 'from' }, async (failing, at) => {
      const plan = await house.upToSafe(healthy(), snapshot, like);
      const engine = house.engine({ archive, mountUsers: nobody, fs: failing.port });
      const swapped = await codeOf(engine.swap(plan, quietContext()));
      if (swapped !== 'ok') {
        expect(swapped).toBe('IO_ERROR');
        expect(await codeOf(house.undo(engine, plan))).not.toBe('ok');
      }
      const report = await healthy().sweep(signal);
      expect(report.unresolved).toEqual([]);
      const [data, files] = await house.generations();
      expect(data).toBe(files);
      expect(['old', 'newer']).toContain(data);
      await house.undo(healthy(), plan);
      expect(await house.generations()).toEqual(['newer', 'newer']);
      expect(at).toBeLessThan(500);
    });
  }, 300_000);
});
