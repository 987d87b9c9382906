import fs from 'node:fs';
import path from 'node:path';
import type { Reporter, TestCase, TestResult } from '@playwright/test/reporter';
import { checkout } from '../src/harness/environment.ts';

/** Writes `reports/e2e.json`, of the same shape as the Jest reports: the closing line of CI is counted from both. */
export default class BrowserReport implements Reporter {
  readonly #outcomes = new Map<string, { readonly file: string; readonly status: TestResult['status'] }>();

  onTestEnd(test: TestCase, result: TestResult): void {
    this.#outcomes.set(test.id, { file: test.location.file, status: result.status });
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
    };
    const folder = path.join(checkout, 'e2e', 'reports');
    fs.mkdirSync(folder, { recursive: true });
    fs.writeFileSync(path.join(folder, 'e2e.json'), `${JSON.stringify(report)}\n`);
  }
}
