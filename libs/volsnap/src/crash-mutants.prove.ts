import { beforeAll, describe, expect, it } from '@jest/globals';
import { explore } from './testing/crash/explore.ts';
import { notingSyncs, withoutSync } from './testing/crash/forgetful.ts';
import { SHAPES, type ShapeName } from './testing/crash/shapes.ts';
import { proofNote } from './testing/proof-note.ts';

const HOUR = 3_600_000;

interface Hunt {
  readonly shape: ShapeName;
  readonly model: 'ordered' | 'weak';
  readonly depth: 1 | 2;
}
const ordered: Hunt = { shape: '1 volume', model: 'ordered', depth: 1 };
const weak: Hunt = { ...ordered, model: 'weak' };
const inside: Hunt = { shape: 'a mount point', model: 'weak', depth: 1 };
/** What the first crash leaves is still in memory; a second one, of the recovery, loses it. */
const twice: Hunt = { ...weak, depth: 2 };

/**
 * Every place of the engine that syncs, and the cheapest world that misses it. A new one fails here until it is listed, and each listed one must be
 * missed when it is gone.
 */
const SITES: Readonly<Record<string, Hunt>> = {
  'sync writeJournalFile': ordered,
  'syncDirectory writeJournalFile': weak,
  'sync append': ordered,
  'sync overwriteSame': twice,
  'syncDirectory trust': twice,
  'syncDirectory #retire': weak,
  'syncDirectory makeStaging': twice,
  'syncFileSystem makeDurable': ordered,
  'syncDirectory putLive': weak,
  'syncDirectory swapForward': ordered,
  'syncDirectory swapBack': ordered,
  'syncDirectory prepareOne': inside,
  'syncDirectory moveAll': inside,
  'syncDirectory discardTree': twice,
  'syncDirectory closeJournal': ordered,
};

describe('an engine that forgets one fsync is found out:', () => {
  const seen = new Set<string>();
  beforeAll(async () => {
    for (const shape of ['1 volume', 'its parents absent too', '2 volumes on 2 file systems', 'a mount point'] as const)
      await explore(SHAPES[shape], { depth: 1, fs: (inner) => notingSyncs(inner, seen) });
  }, HOUR);

  it('and no place that syncs is left out of the list', () => {
    expect([...seen].sort()).toEqual(Object.keys(SITES).sort());
  });

  it.each(Object.entries(SITES))(
    '%s',
    async (site, { shape, model, depth }) => {
      const { failures, states } = await explore(
        { ...SHAPES[shape], model },
        { depth, fs: (inner) => withoutSync(inner, site) },
      );
      if (failures[0] === undefined) throw new Error(`nothing misses ${site} in ${states} states`);
      proofNote(`without ${site}: red after ${states} states (${failures[0].slice(0, 150)})`);
    },
    HOUR,
  );
});
