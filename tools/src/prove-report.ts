import fs from 'node:fs';
import { duration } from '../bootstrap.mjs';
import type { Layer } from './prove-layers.ts';

export interface Cell {
  readonly name: string;
  readonly colour: 'green' | 'red' | 'skipped';
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly tookMs: number;
  /** Names of the tests that failed. */
  readonly failures: readonly string[];
  readonly problem: string | null;
}

interface JestReport {
  readonly testResults: readonly {
    readonly message: string;
    readonly assertionResults: readonly { readonly fullName: string; readonly status: string }[];
  }[];
}

/** What Jest's own report says of one layer. A layer that ran no test is red, and so is one that lacks what it must not lack. */
export function cellOf(layer: Layer, reportFile: string, tookMs: number): Cell {
  const none = { name: layer.cell, passed: 0, failed: 0, skipped: 0, tookMs, failures: [] };
  let report: JestReport;
  try {
    report = JSON.parse(fs.readFileSync(reportFile, 'utf8')) as JestReport;
  } catch {
    return { ...none, colour: 'red', problem: 'it ended before its tests did' };
  }
  const broken = report.testResults.find(
    ({ message, assertionResults }) => message !== '' && assertionResults.length === 0,
  );
  if (broken) return { ...none, colour: 'red', problem: 'a file of it did not load' };
  const tests = report.testResults
    .flatMap(({ assertionResults }) => assertionResults)
    .filter(({ fullName }) => layer.only?.test(fullName) ?? true);
  const count = (status: string): number => tests.filter((test) => test.status === status).length;
  const failures = tests.filter(({ status }) => status === 'failed').map(({ fullName }) => fullName);
  const [passed, failed] = [count('passed'), failures.length];
  const skipped = tests.length - passed - failed;
  const counts = { ...none, passed, failed, skipped, failures };
  if (failed > 0) return { ...counts, colour: 'red', problem: null };
  if (skipped > 0 && passed === 0 && layer.mayBeSkipped === true)
    return { ...counts, colour: 'skipped', problem: 'this machine lacks what it needs' };
  if (passed === 0) return { ...counts, colour: 'red', problem: 'no test ran' };
  if (skipped > 0 && layer.mayBeSkipped !== true) return { ...counts, colour: 'red', problem: 'tests were skipped' };
  return { ...counts, colour: 'green', problem: null };
}

export function formatCells(cells: readonly Cell[]): string {
  const width = Math.max(...cells.map(({ name }) => name.length), 'layer'.length);
  const number = (value: number | string): string => String(value).padStart(8);
  return [
    `  ${'layer'.padEnd(width)}  ${'colour'.padEnd(7)}${number('passed')}${number('failed')}${number('skipped')}${'took'.padStart(14)}`,
    ...cells.map(
      ({ name, colour, passed, failed, skipped, tookMs, problem }) =>
        `  ${name.padEnd(width)}  ${colour.padEnd(7)}${number(passed)}${number(failed)}${number(skipped)}${duration(tookMs).padStart(14)}${problem === null ? '' : `   ${problem}`}`,
    ),
  ].join('\n');
}

export const isGood = (cells: readonly Cell[]): boolean => cells.every(({ colour }) => colour !== 'red');
