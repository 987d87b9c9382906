import { describe, expect, it } from '@jest/globals';
import { examplePlan } from '../examples/data.ts';
import { changedParts, missingFor, sameWord, warningKey } from './restore-gate.ts';

const ticked = new Set(examplePlan.warnings.map(warningKey));

describe('what a restore still needs', () => {
  it.each([
    ['plan', undefined, ticked, 'guestbook'],
    ['blockers', { ...examplePlan, blockers: examplePlan.warnings }, ticked, 'guestbook'],
    ['warnings', examplePlan, new Set<string>(), 'guestbook'],
    ['word', examplePlan, ticked, 'guest'],
    [undefined, examplePlan, ticked, ' GUESTBOOK\n'],
  ] as const)('%s', (missing, plan, set, typed) => {
    expect(missingFor(plan, set, typed)).toBe(missing);
  });

  it('a warning with other values is another warning', () => {
    const [warning] = examplePlan.warnings;
    if (warning === undefined) throw new Error('no warning');
    const other = { ...examplePlan, warnings: [{ ...warning, params: { was: 'a', is: 'b' } }] };
    expect(missingFor(other, ticked, 'guestbook')).toBe('warnings');
  });

  it('an empty word confirms nothing', () => {
    expect(sameWord('', '')).toBe(false);
    expect(sameWord('prod/guestbook', 'prod/guestbook')).toBe(true);
  });
});

describe('what changed between two plans', () => {
  it('names the part', () => {
    const after = {
      ...examplePlan,
      planHash: 'x',
      stops: [{ containerId: 'c', name: 'other-1' }],
      untouchedVolumes: [],
    };
    expect([...changedParts(examplePlan, after)].sort()).toEqual(['stops', 'volumes']);
  });

  it('what a page cannot show is still a change', () => {
    expect([...changedParts(examplePlan, { ...examplePlan, planHash: 'x' })]).toEqual(['live']);
  });

  it('estimates and free space are no change', () => {
    const after = { ...examplePlan, estimates: { ...examplePlan.estimates, stagingSeconds: 1 }, space: [] };
    expect([...changedParts(examplePlan, after)]).toEqual([]);
  });
});
