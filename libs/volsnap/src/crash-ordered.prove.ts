import { describe, it } from '@jest/globals';
import { provesShape, SHAPES, type ShapeName } from './testing/crash/shapes.ts';

const HOUR = 3_600_000;

/** Three volumes multiply what their recoveries can leave: these are crashed once. */
const once: readonly ShapeName[] = ['3 volumes on 2 file systems'];

describe('every crash state, ordered model', () => {
  it.each(Object.keys(SHAPES) as ShapeName[])(
    'of a restore: %s',
    (name) => provesShape(name, 'ordered', { depth: once.includes(name) ? 1 : 2 }),
    HOUR,
  );
});
