import fs from 'node:fs';
import path from 'node:path';

/**
 * Jest reporter: writes `reports/jest.json` = `{project, passed, failed, skipped, suites, failures}` of the run, the source of CI's closing
 * line. `failures` = `[{test, why}]`: file and name, and what the failure said.
 */
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
      failures: results.testResults.flatMap((suite) =>
        failuresOf(path.relative(this.rootDir, suite.testFilePath), suite),
      ),
    };
    const dir = path.join(this.rootDir, 'reports');
    fs.mkdirSync(dir, { recursive: true });
    fs.writeFileSync(path.join(dir, 'jest.json'), `${JSON.stringify(report)}\n`);
  }
}

function failuresOf(file, suite) {
  const failed = suite.testResults.filter((test) => test.status === 'failed');
  if (failed.length === 0 && suite.testExecError)
    return [{ test: file, why: String(suite.testExecError.message ?? suite.testExecError) }];
  return failed.map((test) => ({ test: `${file}: ${test.fullName}`, why: test.failureMessages.join('\n') }));
}
