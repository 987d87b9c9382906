import fs from 'node:fs';
import path from 'node:path';
import type { Reporter, TestCase, TestResult } from '@playwright/test/reporter';
import { checkout } from '../src/harness/environment.ts';

interface Outcome {
  readonly file: string;
  readonly title: string;
  readonly status: TestResult['status'];
  readonly why: string;
}

/** Writes `reports/e2e.json`, of the same shape as the Jest reports: the closing line of CI is counted from both. */
export default class BrowserReport implements Reporter {
  readonly #outcomes = new Map<string, Outcome>();

  onTestEnd(test: TestCase, result: TestResult): void {
    const why = result.errors.map((error) => error.message ?? error.value ?? '').join('\n');
    this.#outcomes.set(test.id, { file: test.location.file, title: test.title, status: result.status, why });
  }

  onEnd(): void {
    const outcomes = [...this.#outcomes.values()];
    const count = (is: (status: TestResult['status']) => boolean): number =>
      outcomes.filter(({ status }) => is(status)).length;
    const report = {
      project: 'e2e',
      passed: count((status) => status === 'passed'),
      failed: count((status) => status !== 'passed' && status !== 'skipped'),
      skipped: count((status) => status === 'skipped'),
      suites: new Set(outcomes.map(({ file }) => file)).size,
      failures: outcomes
        .filter(({ status }) => status !== 'passed' && status !== 'skipped')
        .map(({ file, title, why }) => ({ test: `${path.basename(file)}: ${title}`, why })),
    };
    const folder = path.join(checkout, 'e2e', 'reports');
    fs.mkdirSync(folder, { recursive: true });
    fs.writeFileSync(path.join(folder, 'e2e.json'), `${JSON.stringify(report)}\n`);
  }
}
