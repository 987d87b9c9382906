import { beforeAll, describe, expect, it } from '@jest/globals';
import { explore } from './testing/crash/explore.ts';
import { notingSyncs, withoutSync } from './testing/crash/forgetful.ts';
import { SHAPES, type ShapeName } from './testing/crash/shapes.ts';
import { proofNote } from './testing/proof-note.ts';

const HOUR = 3_600_000;

/** The quickest that finds out most first. */
const HUNTS: readonly { readonly shape: ShapeName; readonly model: 'ordered' | 'weak'; readonly depth: 1 | 2 }[] = [
  { shape: '1 volume', model: 'ordered', depth: 1 },
  { shape: '1 volume', model: 'weak', depth: 1 },
  { shape: 'its parents absent too', model: 'weak', depth: 1 },
  { shape: '2 volumes on 2 file systems', model: 'weak', depth: 1 },
  { shape: 'a mount point', model: 'weak', depth: 1 },
  { shape: '1 volume', model: 'weak', depth: 2 },
];

/** Every place of the engine that syncs. A new one fails here until it is listed, and each listed one must be missed when it is gone. */
const SITES = [
  'sync writeJournalFile',
  'syncDirectory writeJournalFile',
  'sync append',
  'sync overwriteSame',
  'syncDirectory trust',
  'syncDirectory #retire',
  'syncDirectory makeStaging',
  'syncFileSystem makeDurable',
  'syncDirectory putLive',
  'syncDirectory swapForward',
  'syncDirectory swapBack',
  'syncDirectory prepareOne',
  'syncDirectory moveAll',
  'syncDirectory discardTree',
  'syncDirectory closeJournal',
];

describe('an engine that forgets one fsync is found out:', () => {
  const seen = new Set<string>();
  beforeAll(async () => {
    for (const shape of ['1 volume', 'its parents absent too', '2 volumes on 2 file systems', 'a mount point'] as const)
      await explore(SHAPES[shape], { depth: 1, fs: (inner) => notingSyncs(inner, seen) });
  }, HOUR);

  it('and no place that syncs is left out of the list', () => {
    expect([...seen].sort()).toEqual(SITES.toSorted());
  });

  it.each(SITES)(
    '%s',
    async (site) => {
      for (const { shape, model, depth } of HUNTS) {
        const { failures, states } = await explore(
          { ...SHAPES[shape], model },
          { depth, fs: (inner) => withoutSync(inner, site) },
        );
        if (failures[0] === undefined) continue;
        proofNote(`without ${site}: red after ${states} states (${failures[0].slice(0, 150)})`);
        return;
      }
      throw new Error(`nothing misses ${site}`);
    },
    HOUR,
  );
});
