import fs from 'node:fs';
import path from 'node:path';

/**
 * Jest reporter: writes `reports/jest.json` = `{project, passed, failed, skipped, suites, failures, unfinished}` of the run, the source of CI's
 * closing line. `failures` = `[{test, why}]`: file and name, and what the failure said.
 * It is written at every file of tests: when the process dies, `unfinished` = `{during, why}` says in which files and what of, `why` null
 * where nobody could say (a signal). Of a run that came to its end, `unfinished` is null.
 */
export default class JestReport {
  #running = new Set();
  #results = [];

  constructor(globalConfig, options) {
    this.rootDir = globalConfig.rootDir;
    this.project = options.project;
    // Between two files no test is there to fail of it, and Node ends the process.
    process.on('uncaughtExceptionMonitor', (error) => this.#write(this.#unfinished(String(error?.stack ?? error))));
  }

  onRunStart() {
    this.#write(this.#unfinished(null));
  }

  onTestFileStart(test) {
    this.#running.add(this.#fileOf(test.path));
    this.#write(this.#unfinished(null));
  }

  onTestFileResult(test, result) {
    this.#running.delete(this.#fileOf(test.path));
    this.#results.push(result);
    this.#write(this.#unfinished(null));
  }

  onRunComplete(_contexts, results) {
    this.#results = results.testResults;
    this.#write(null);
  }

  #unfinished(why) {
    return { during: [...this.#running], why };
  }

  #write(unfinished) {
    const sum = (count) => this.#results.reduce((total, suite) => total + count(suite), 0);
    const report = {
      project: this.project,
      passed: sum((suite) => suite.numPassingTests),
      failed: sum((suite) => suite.numFailingTests + (isBroken(suite) ? 1 : 0)),
      skipped: sum((suite) => suite.numPendingTests + suite.numTodoTests),
      suites: this.#results.length,
      failures: this.#results.flatMap((suite) => failuresOf(this.#fileOf(suite.testFilePath), suite)),
      unfinished,
    };
    const dir = path.join(this.rootDir, 'reports');
    fs.mkdirSync(dir, { recursive: true });
    fs.writeFileSync(path.join(dir, 'jest.json'), `${JSON.stringify(report)}\n`);
  }

  #fileOf(file) {
    return path.relative(this.rootDir, file);
  }
}

const isBroken = (suite) => Boolean(suite.testExecError) && suite.numFailingTests === 0;

function failuresOf(file, suite) {
  if (isBroken(suite)) return [{ test: file, why: String(suite.testExecError.message ?? suite.testExecError) }];
  return suite.testResults
    .filter((test) => test.status === 'failed')
    .map((test) => ({ test: `${file}: ${test.fullName}`, why: test.failureMessages.join('\n') }));
}
