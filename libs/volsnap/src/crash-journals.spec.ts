import { beforeAll, describe, expect, it } from '@jest/globals';
import { interceptFsPort } from './ports/fs-port.ts';
import { CrashWorld, OPERATION } from './testing/crash/crash-world.ts';
import { explore, recoverFrom } from './testing/crash/explore.ts';
import { SHAPES } from './testing/crash/shapes.ts';
import { engineOn, realEngine } from './testing/crash/simulated-engine.ts';
import { appendsOf, tornAt, type Append } from './testing/crash/torn-journals.ts';
import { AFTER_CRASH, goForward, goToSwapped, takeBack } from './testing/crash/walks.ts';
import type { FrozenPlan } from './restore-engine.ts';
import { proofNote } from './testing/proof-note.ts';
import { oneIn } from './testing/proof.ts';

const shape = SHAPES['2 volumes on 2 file systems'];
/** Of every so many bytes or faults one in the cut of every commit, all in the proof. */
const stride = oneIn(23, 1);
const MINUTES = 60_000;

describe('a journal torn in the middle of an append, at every byte', () => {
  let plan: FrozenPlan;
  let appends: readonly Append[];
  beforeAll(async () => {
    ({ plan, appends } = await appendsOf(shape));
  });

  it(
    'is the journal without that record, and recovery goes on from it',
    async () => {
      let cuts = 0;
      for (const append of appends)
        for (let length = 0; length < append.record.length; length += stride) {
          const walk = AFTER_CRASH[cuts++ % AFTER_CRASH.length]!;
          const type = /"type":"([A-Z_]+)"/.exec(append.record.toString())?.[1] ?? 'blocks';
          const story = `${type} torn at byte ${length}`;
          const machines = [{ world: tornAt(append, length), story }];
          expect((await recoverFrom(shape, plan, machines, { walks: [walk] })).failures).toEqual([]);
        }
      expect(appends.length).toBeGreaterThan(8);
      proofNote(`journal torn at ${cuts} places of ${appends.length} appends: all old or all new`);
    },
    10 * MINUTES,
  );
});

describe('each append of the journal refused once, then a crash after every effect', () => {
  /** `lose`: the fsync fails, what it was to write is called clean and is not on disk. `full`: the write finds no room. */
  it.each(['lose', 'full'] as const)(
    '%s',
    async (how) => {
      let faults = 0;
      for (let at = 1; ; at += oneIn(4, 1)) {
        let hit = false;
        const found = await explore(SHAPES['1 volume'], {
          depth: 1,
          fault: (world) => {
            let count = 0;
            const journals = new Set<number>();
            return interceptFsPort(world.fs, async (call, proceed) => {
              const isDue =
                call.name === (how === 'lose' ? 'sync' : 'write') &&
                journals.has(call.args[0] as number) &&
                ++count === at;
              if (isDue) {
                hit = true;
                if (how === 'lose') world.fs.loseContentOf(call.args[0] as number);
                throw Object.assign(new Error('injected'), { code: how === 'lose' ? 'EIO' : 'ENOSPC' });
              }
              const answer = await proceed();
              if ((call.name === 'open' || call.name === 'create') && String(call.args[0]).includes('/journal/'))
                journals.add(answer as number);
              if (call.name === 'close') journals.delete(call.args[0] as number);
              return answer;
            });
          },
        });
        expect(found.failures).toEqual([]);
        if (!hit) break;
        faults++;
      }
      expect(faults).toBeGreaterThan(2);
      proofNote(`${how} at ${faults} appends of the journal, each with every crash: all old or all new`);
    },
    10 * MINUTES,
  );
});

describe('an operation id that comes again', () => {
  it('after its restore is done changes nothing, after it was taken back is refused', async () => {
    for (const end of ['done', 'taken back'] as const) {
      const { world, plan } = await CrashWorld.build(shape);
      const engine = engineOn(world, { fs: world.fs, docker: world.docker, make: realEngine });
      if (end === 'done') await goForward(engine, world, plan, 'forward');
      else {
        await goToSwapped(engine, plan);
        await takeBack(engine, world, plan);
      }
      const before = world.key();
      const again = goToSwapped(engine, plan);
      if (end === 'done') await again;
      else await expect(again).rejects.toMatchObject({ code: 'TX_STATE' });
      expect(world.key()).toBe(before);
      expect((await engine.status(OPERATION))?.done).toBe(end === 'done');
    }
  });
});
