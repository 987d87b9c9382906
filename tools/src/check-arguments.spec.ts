import { describe, expect, it } from '@jest/globals';
import { parseArguments } from './check-arguments.ts';
import type { Project } from './workspace.ts';

const project = (short: string): Project => ({ name: `@tiny-forge/${short}`, folder: short, scripts: new Set() });
const [docker, e2e] = [project('docker'), project('e2e')];
const all = [docker, e2e];

describe('arguments of npm test', () => {
  it('nothing: everything', () => {
    expect(parseArguments([], all)).toEqual({ projects: all, jest: [] });
    expect(parseArguments(['--skip-nx-cache'], all)).toEqual({ projects: all, jest: [] });
  });

  it('names choose, what follows -- goes to Jest', () => {
    expect(parseArguments(['e2e'], all)).toEqual({ projects: [e2e], jest: [] });
    expect(parseArguments(['e2e', '--', 'crash', '-t', 'x'], all)).toEqual({
      projects: [e2e],
      jest: ['crash', '-t', 'x'],
    });
  });

  it.each([
    [['--fast'], '--fast'],
    [['dokcer'], 'dokcer'],
    [['--', 'crash'], 'exactly one project'],
    [['docker', 'e2e', '--', 'crash'], 'exactly one project'],
  ])('%j is refused', (args, said) => {
    expect(parseArguments(args, all)).toContain(said);
  });
});
