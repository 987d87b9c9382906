import fs from 'node:fs';
import path from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import type { Project } from './workspace.ts';

const LINES_OF_A_FAILURE = 8;

export interface Failure {
  /** File and name. */
  readonly test: string;
  readonly why: string;
}

/** What one kind of tests of one project came to. */
export interface ReportRow {
  readonly project: string;
  /** Below the checkout. */
  readonly file: string;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** Why this row makes the run fail although it counts no failed test, null when it does not. */
  readonly problem: string | null;
  readonly failures: readonly Failure[];
}

export interface Summary {
  readonly rows: readonly ReportRow[];
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** Whether the run may be called good. */
  readonly good: boolean;
}

/** A script of a project's package.json and the report that it has to leave behind. */
const KINDS = [
  { script: 'test', report: path.join('reports', 'jest.json') },
  { script: 'e2e', report: path.join('reports', 'e2e.json') },
] as const;

/** Reports that must be there after a run of all tests. */
export function expectedReports(projects: readonly Project[]): { readonly project: string; readonly file: string }[] {
  return projects.flatMap(({ name, folder, scripts }) =>
    KINDS.filter(({ script }) => scripts.has(script)).map(({ report }) => ({
      project: name,
      file: path.join(folder, report),
    })),
  );
}

/** Removes reports of earlier runs: a project that dies before it writes one must not be counted by its last success. */
export function deleteReports(root: string, projects: readonly Project[]): void {
  for (const { file } of expectedReports(projects)) fs.rmSync(path.join(root, file), { force: true });
}

/** Reads every expected report. One that is missing, unreadable or counts nothing makes the run fail. */
export function summarize(root: string, projects: readonly Project[]): Summary {
  const rows = expectedReports(projects).map(({ project, file }) => readRow(root, project, file));
  const sum = (of: (row: ReportRow) => number): number => rows.reduce((total, row) => total + of(row), 0);
  const [passed, failed, skipped] = [sum((row) => row.passed), sum((row) => row.failed), sum((row) => row.skipped)];
  return {
    rows,
    passed,
    failed,
    skipped,
    good: failed === 0 && passed > 0 && rows.every((row) => row.problem === null),
  };
}

function readRow(root: string, project: string, file: string): ReportRow {
  const none = { project, file, passed: 0, failed: 0, skipped: 0, failures: [] };
  let report: Partial<Record<'passed' | 'failed' | 'skipped' | 'failures' | 'unfinished', unknown>>;
  try {
    report = JSON.parse(fs.readFileSync(path.join(root, file), 'utf8')) as typeof report;
  } catch (error) {
    const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    return { ...none, problem: isMissing ? 'no report: it ended before its tests did' : 'the report cannot be read' };
  }
  const { passed, failed, skipped, unfinished } = report;
  if (!isCount(passed) || !isCount(failed) || !isCount(skipped))
    return { ...none, problem: 'the report cannot be read' };
  const failures = failuresIn(report.failures);
  const row = { project, file, passed, failed, skipped };
  if (isDeath(unfinished)) {
    const where = unfinished.during.join(', ') || 'between two files of tests';
    const death = { test: where, why: unfinished.why ?? 'the process died, and nothing says what of (a signal?)' };
    return { ...row, problem: 'it ended before its tests did', failures: [...failures, ...failuresIn([death])] };
  }
  return { ...row, problem: passed + failed === 0 ? 'no test ran' : null, failures };
}

/** How a run ended that did not come to its end; `tools/jest-report.mjs` writes it. */
interface Death {
  readonly during: readonly string[];
  readonly why: string | null;
}

const isDeath = (value: unknown): value is Death =>
  typeof value === 'object' && value !== null && Array.isArray((value as Partial<Death>).during);

function failuresIn(value: unknown): readonly Failure[] {
  return (Array.isArray(value) ? (value as Partial<Failure>[]) : []).map(({ test, why }) => ({
    test: String(test),
    why: stripVTControlCharacters(String(why)),
  }));
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

const labelOf = ({ project, file }: ReportRow): string =>
  project.replace(/^@tiny-forge\//, '') + (file.endsWith('e2e.json') ? ' (browser)' : '');

/** The table of all projects, one line each. */
export function formatSummary({ rows }: Summary): string {
  const width = Math.max(...rows.map((row) => labelOf(row).length), 8);
  const cell = (value: number | string): string => String(value).padStart(8);
  return [
    `  ${'project'.padEnd(width)}${cell('passed')}${cell('failed')}${cell('skipped')}`,
    ...rows.map(
      (row) =>
        `  ${labelOf(row).padEnd(width)}${cell(row.passed)}${cell(row.failed)}${cell(row.skipped)}${row.problem === null ? '' : `   ${row.problem}`}`,
    ),
  ].join('\n');
}

/** Every failed test once more, with the first lines of what it said: the end of a long log is what one reads. Empty when none failed. */
export function formatFailures({ rows }: Summary): string {
  return rows
    .flatMap((row) => row.failures.map((failure) => ({ project: labelOf(row), ...failure })))
    .map(({ project, test, why }) => {
      const lines = why.split('\n').filter((line) => line.trim() !== '');
      return [`  FAILED ${project} ${test}`, ...lines.slice(0, LINES_OF_A_FAILURE).map((line) => `    ${line}`)].join(
        '\n',
      );
    })
    .join('\n');
}

/** The closing line. */
export function closingLine({ passed, failed, skipped }: Summary): string {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}
