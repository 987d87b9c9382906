import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Layer } from './prove-layers.ts';
import { cellOf, formatCells, isGood } from './prove-report.ts';

let folder: string;
beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tf-prove-'));
});
afterEach(() => fs.rmSync(folder, { recursive: true }));

const layer: Layer = { cell: 'L9', folder: 'libs/x', files: ['x'] };
const report = (tests: Readonly<Record<string, string>>, message = ''): string => {
  const file = path.join(folder, 'report.json');
  const assertionResults = Object.entries(tests).map(([fullName, status]) => ({ fullName, status }));
  fs.writeFileSync(file, JSON.stringify({ testResults: [{ message, assertionResults }] }));
  return file;
};

describe('a cell of the table', () => {
  it.each([
    ['every test passed', {}, { a: 'passed', b: 'passed' }, 'green'],
    ['a test failed', {}, { a: 'passed', b: 'failed' }, 'red'],
    ['no test ran', {}, {}, 'red'],
    ['a test was skipped that must not be', {}, { a: 'passed', b: 'pending' }, 'red'],
    ['all were skipped that must not be', {}, { a: 'pending' }, 'red'],
    ['all were skipped that may be', { mayBeSkipped: true }, { a: 'pending' }, 'skipped'],
    ['none of the named tests ran', { only: /^x/ }, { a: 'passed' }, 'red'],
    ['others than the named ones failed', { only: /^x/ }, { a: 'failed', x: 'passed' }, 'green'],
  ] as const)('%s', (_, more, tests, colour) => {
    expect(cellOf({ ...layer, ...more }, report(tests), 1000).colour).toBe(colour);
  });

  it('is red where the program ended before its report, or a file did not load', () => {
    expect(cellOf(layer, path.join(folder, 'none.json'), 0)).toMatchObject({ colour: 'red' });
    expect(cellOf(layer, report({}, 'cannot find module'), 0)).toMatchObject({ colour: 'red' });
  });

  it('names what failed; one red cell makes the whole red', () => {
    const good = cellOf(layer, report({ a: 'passed' }), 65_000);
    const bad = cellOf(layer, report({ a: 'passed', 'b c': 'failed' }), 1000);
    expect(bad.failures).toEqual(['b c']);
    expect([isGood([good]), isGood([good, bad])]).toEqual([true, false]);
    expect(formatCells([good, bad]).split('\n')).toHaveLength(3);
  });
});
