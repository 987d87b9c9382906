import { describe, it } from '@jest/globals';
import { isWhole } from './testing/proof.ts';
import { provesShape, SHAPES, type ShapeName } from './testing/crash/shapes.ts';

const HOUR = 3_600_000;

/** Crashed again in their recoveries, unless the proof is a whole one; the others once. */
const twice: readonly ShapeName[] = ['1 volume'];
/** Three volumes multiply what their recoveries can leave. */
const once: readonly ShapeName[] = ['3 volumes on 2 file systems'];
const depthOf = (name: ShapeName): 1 | 2 => ((isWhole && !once.includes(name)) || twice.includes(name) ? 2 : 1);

describe('every crash state, ordered model', () => {
  it.each(Object.keys(SHAPES) as ShapeName[])(
    'of a restore: %s',
    (name) => provesShape(name, 'ordered', { depth: depthOf(name) }),
    HOUR,
  );
});
