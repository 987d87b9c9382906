import fs from 'node:fs';
import path from 'node:path';

/** Jest reporter: writes `reports/jest.json` = `{project, passed, failed, skipped, suites}` of the run, the source of CI's closing line. */
export default class JestReport {
  constructor(globalConfig, options) {
    this.rootDir = globalConfig.rootDir;
    this.project = options.project;
  }

  onRunComplete(_contexts, results) {
    const brokenSuites = results.testResults.filter(
      (suite) => suite.testExecError && suite.numFailingTests === 0,
    ).length;
    const report = {
      project: this.project,
      passed: results.numPassedTests,
      failed: results.numFailedTests + brokenSuites,
      skipped: results.numPendingTests + results.numTodoTests,
      suites: results.numTotalTestSuites,
    };
    const dir = path.join(this.rootDir, 'reports');
    fs.mkdirSync(dir, { recursive: true });
    fs.writeFileSync(path.join(dir, 'jest.json'), `${JSON.stringify(report)}\n`);
  }
}
