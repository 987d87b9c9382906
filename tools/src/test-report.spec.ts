import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { temporaryFolders } from '../testing/temporary.ts';
import { closingLine, deleteReports, formatFailures, formatSummary, summarize } from './test-report.ts';
import { listProjects, type Project } from './workspace.ts';

const temporaryFolder = temporaryFolders();

const lib: Project = { name: '@tiny-forge/one', folder: 'libs/one', scripts: new Set(['test', 'build']) };
const app: Project = { name: '@tiny-forge/web', folder: 'apps/web', scripts: new Set(['test', 'e2e']) };
const untested: Project = { name: '@tiny-forge/two', folder: 'libs/two', scripts: new Set(['build']) };
const projects = [app, lib, untested];

function room(reports: Record<string, unknown>): string {
  const root = temporaryFolder();
  for (const [file, report] of Object.entries(reports)) {
    fs.mkdirSync(path.dirname(path.join(root, file)), { recursive: true });
    fs.writeFileSync(path.join(root, file), typeof report === 'string' ? report : JSON.stringify(report));
  }
  return root;
}

const all = {
  'libs/one/reports/jest.json': { project: 'one', passed: 5, failed: 0, skipped: 1, suites: 2 },
  'apps/web/reports/jest.json': { project: 'web', passed: 3, failed: 0, skipped: 0, suites: 1 },
  'apps/web/reports/e2e.json': { project: 'web', passed: 2, failed: 0, skipped: 0, suites: 1 },
};

describe('summarize', () => {
  it('adds up every report of every project that has tests', () => {
    const summary = summarize(room(all), projects);
    expect(closingLine(summary)).toBe('10 passed, 0 failed, 1 skipped');
    expect(summary.good).toBe(true);
  });

  it.each<[string, Record<string, unknown>, string]>([
    [
      'a failed test',
      { ...all, 'libs/one/reports/jest.json': { passed: 4, failed: 1, skipped: 1 } },
      '9 passed, 1 failed, 1 skipped',
    ],
    [
      'a missing report',
      {
        'libs/one/reports/jest.json': all['libs/one/reports/jest.json'],
        'apps/web/reports/jest.json': all['apps/web/reports/jest.json'],
      },
      '8 passed, 0 failed, 1 skipped',
    ],
    [
      'a report of half a file',
      { ...all, 'apps/web/reports/e2e.json': '{"passed": 1' },
      '8 passed, 0 failed, 1 skipped',
    ],
    [
      'a report without counts',
      { ...all, 'apps/web/reports/e2e.json': { passed: '2', failed: 0, skipped: 0 } },
      '8 passed, 0 failed, 1 skipped',
    ],
    [
      'a project in which no test ran',
      { ...all, 'apps/web/reports/e2e.json': { passed: 0, failed: 0, skipped: 2 } },
      '8 passed, 0 failed, 3 skipped',
    ],
    ['no test at all', {}, '0 passed, 0 failed, 0 skipped'],
  ])('is not good with %s', (_name, reports, closing) => {
    const summary = summarize(room(reports), projects);
    expect(closingLine(summary)).toBe(closing);
    expect(summary.good).toBe(false);
  });

  it('is not good without projects', () => {
    expect(summarize(room({}), []).good).toBe(false);
  });
});

it('deletes reports of earlier runs and nothing else', () => {
  const root = room({ ...all, 'libs/one/reports/other.txt': 'kept' });
  deleteReports(root, projects);
  expect(summarize(root, projects).rows.map((row) => row.problem)).toEqual(
    Array(3).fill('no report: it ended before its tests did'),
  );
  expect(fs.existsSync(path.join(root, 'libs/one/reports/other.txt'))).toBe(true);
});

it('prints one aligned line a report', () => {
  const { 'apps/web/reports/e2e.json': _e2e, ...some } = all;
  expect(formatSummary(summarize(room(some), projects))).toBe(
    [
      '  project        passed  failed skipped',
      '  web                 3       0       0',
      '  web (browser)       0       0       0   no report: it ended before its tests did',
      '  one                 5       0       1',
    ].join('\n'),
  );
});

it('names every failed test with the first lines of what it said', () => {
  const why = ['\u001b[31mexpected 1\u001b[39m', '', 'received 2', ...Array(20).fill('at somewhere')].join('\n');
  const failures = [{ test: 'src/a.spec.ts: adds', why }];
  const report = { passed: 4, failed: 1, skipped: 0, failures };
  const lines = formatFailures(summarize(room({ ...all, 'libs/one/reports/jest.json': report }), projects)).split('\n');
  expect(lines.slice(0, 3)).toEqual(['  FAILED one src/a.spec.ts: adds', '    expected 1', '    received 2']);
  expect(lines).toHaveLength(9);
  expect(formatFailures(summarize(room(all), projects))).toBe('');
});

it.each([
  ['src/b.spec.ts', { during: ['src/b.spec.ts'], why: 'Error: nobody waited' }, 'Error: nobody waited'],
  ['between two files of tests', { during: [], why: null }, 'the process died, and nothing says what of (a signal?)'],
])('says that a process of tests died, and where: %s', (where, unfinished, why) => {
  const report = { passed: 4, failed: 0, skipped: 0, failures: [], unfinished };
  const summary = summarize(room({ ...all, 'libs/one/reports/jest.json': report }), projects);
  expect(summary.good).toBe(false);
  expect(closingLine(summary)).toBe('9 passed, 0 failed, 0 skipped');
  expect(summary.rows.at(-1)?.problem).toBe('it ended before its tests did');
  expect(formatFailures(summary)).toBe(`  FAILED one ${where}\n    ${why}`);
});

it('counts a process of tests that dies between two files up to there, with what it died of', () => {
  const root = room({
    'package.json': '{"type": "module"}',
    'src/a.spec.mjs':
      "it('passes', () => { setImmediate(() => setTimeout(() => { throw new Error('nobody waited'); }, 20)); });",
    'src/b.spec.mjs': "it('never starts', () => {});",
    'jest.config.mjs': `export default ${JSON.stringify({
      testMatch: ['**/*.spec.mjs'],
      reporters: [[path.resolve(import.meta.dirname, '..', 'jest-report.mjs'), { project: 'one' }]],
      transform: {},
    })}`,
  });
  const jest = path.resolve(import.meta.dirname, '..', '..', 'node_modules', 'jest', 'bin', 'jest.js');
  const { status } = spawnSync(process.execPath, [jest, '--rootDir', root, '--runInBand'], {
    encoding: 'utf8',
    cwd: root,
  });
  expect(status).not.toBe(0);
  const report: unknown = JSON.parse(fs.readFileSync(path.join(root, 'reports', 'jest.json'), 'utf8'));
  expect(report).toMatchObject({ unfinished: { why: expect.stringContaining('nobody waited') } });
});

it('lists the projects of this repository', () => {
  const names = listProjects(path.resolve(import.meta.dirname, '..', '..')).map(({ name }) => name);
  expect(names).toEqual(
    expect.arrayContaining([
      '@tiny-forge/server',
      '@tiny-forge/contracts',
      '@tiny-forge/scope-host',
      '@tiny-forge/tools',
    ]),
  );
});
