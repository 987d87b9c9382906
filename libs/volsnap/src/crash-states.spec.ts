import { describe, expect, it } from '@jest/globals';
import { KILLED_BY_CRASHES, KILLED_BY_STRANGERS, KILLED_INSIDE } from './testing/crash/broken-engines.ts';
import { explore } from './testing/crash/explore.ts';
import { withoutRecord } from './testing/crash/forgetful.ts';
import { provesShape, SHAPES, type ShapeName } from './testing/crash/shapes.ts';
import { realEngine } from './testing/crash/simulated-engine.ts';
import { proofNote } from './testing/proof-note.ts';

/** The cut of every commit; crash-states.prove.ts has the rest. */
const MINUTES = 60_000;
const special: ShapeName[] = [
  'the app stopped before',
  'a live directory absent',
  'its parents absent too',
  'a volume absent in the snapshot',
  'a volume absent on both sides',
  'old trees kept instead of a snapshot',
  'a mount point and a plain directory',
  'the old tree kept in a mount point',
  'a mount point, the app stopped before',
];

describe.each(['ordered', 'weak'] as const)('every crash state, %s model', (model) => {
  it(
    'of a restore of one volume, and of every recovery from it',
    () => provesShape('1 volume', model, { depth: 2 }),
    5 * MINUTES,
  );
  it(
    'of a restore of two volumes on two file systems',
    () => provesShape('2 volumes on 2 file systems', model, { depth: 1 }),
    5 * MINUTES,
  );
  it('of a restore inside a mount point', () => provesShape('a mount point', model, { depth: 1 }), 5 * MINUTES);
});

describe('every crash state, ordered model', () => {
  it.each(special)('of a restore with %s', (name) => provesShape(name, 'ordered', { depth: 1 }), 5 * MINUTES);

  it(
    'with a directory of somebody else at any of our names: it is never touched, and never started on',
    () => provesShape('1 volume', 'ordered', { depth: 1, strangers: true }),
    5 * MINUTES,
  );

  it(
    'the same inside a mount point',
    () => provesShape('a mount point', 'ordered', { depth: 1, strangers: true }),
    5 * MINUTES,
  );

  it(
    'with a clock that goes backwards',
    () => {
      let minutes = 0;
      const now = (): Date => new Date(Date.UTC(2026, 0, 1) - 60_000 * minutes++);
      return provesShape('1 volume', 'ordered', { depth: 1, now });
    },
    5 * MINUTES,
  );
});

describe('an engine that is broken on purpose is found out:', () => {
  it.each(KILLED_BY_CRASHES)(
    '$mistake',
    async ({ mistake, engine }) => {
      const { failures } = await explore(SHAPES['1 volume'], { depth: 1, engine });
      expect(failures).toHaveLength(1);
      proofNote(`broken engine, ${mistake}: red (${failures[0]?.slice(0, 150)})`);
    },
    5 * MINUTES,
  );

  it.each(KILLED_INSIDE)(
    '$mistake',
    async ({ mistake, engine }) => {
      const { failures } = await explore(SHAPES['a mount point'], { depth: 1, engine });
      expect(failures).toHaveLength(1);
      proofNote(`broken engine, ${mistake}: red (${failures[0]?.slice(0, 150)})`);
    },
    5 * MINUTES,
  );

  it.each(KILLED_BY_STRANGERS)(
    '$mistake',
    async ({ mistake, engine }) => {
      const { failures } = await explore(SHAPES['1 volume'], { depth: 1, engine, strangers: true });
      expect(failures).toEqual([expect.stringContaining("a stranger's directory is gone")]);
      proofNote(`broken engine, ${mistake}: red (${failures[0]?.slice(0, 150)})`);
    },
    5 * MINUTES,
  );
});

describe('a journal that forgets every record of one type is found out:', () => {
  it.each([
    'BEGIN',
    'STAGING',
    'STAGED',
    'QUIESCING',
    'QUIESCED',
    'SAFE',
    'COMMIT',
    'SWAPPED',
    'ROLLBACK',
    'ROLLED_BACK',
    'DONE',
    'CLOSED',
  ] as const)(
    '%s',
    async (type) => {
      const engine = (parts: Parameters<typeof realEngine>[0]) => realEngine(withoutRecord(parts, type));
      const { failures } = await explore(SHAPES['1 volume'], { depth: 1, engine });
      expect(failures).toHaveLength(1);
      proofNote(`no ${type}: red (${failures[0]?.slice(0, 150)})`);
    },
    5 * MINUTES,
  );
});
