import { describe, it } from '@jest/globals';
import { isWhole } from './testing/proof.ts';
import { provesShape, SHAPES, type ShapeName } from './testing/crash/shapes.ts';

const HOUR = 3_600_000;

/** Crashed again in their recoveries; the others once. */
const twice: readonly ShapeName[] = isWhole
  ? [
      '1 volume',
      '1 volume, deeper trees',
      '1 volume on another file system than the journal',
      '2 volumes on 2 file systems',
      'a volume absent in the snapshot',
      'a mount point',
    ]
  : ['1 volume'];

describe('every crash state, weak model', () => {
  it.each(Object.keys(SHAPES) as ShapeName[])(
    'of a restore: %s',
    (name) => provesShape(name, 'weak', { depth: twice.includes(name) ? 2 : 1 }),
    HOUR,
  );
  // Of an absent directory everything may be in the way: ten times as many recoveries.
  it.each([
    '2 volumes on 2 file systems',
    'a mount point',
    ...(isWhole ? (['a live directory absent'] as const) : []),
  ] as const)(
    'among directories of somebody else: %s',
    (name) => provesShape(name, 'weak', { depth: 1, strangers: true }),
    HOUR,
  );
});
