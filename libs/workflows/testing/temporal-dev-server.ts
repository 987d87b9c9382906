import { TestWorkflowEnvironment } from '@temporalio/testing';
import { DefaultLogger, Runtime } from '@temporalio/worker';
import { searchAttributes } from '../src/index.ts';

let installed = false;

/** A Temporal dev server of this test file's own, on a free port, in memory. @throws when TEMPORAL_CLI is not set */
export async function startTemporal(): Promise<TestWorkflowEnvironment> {
  const cli = process.env['TEMPORAL_CLI'];
  if (!cli)
    throw new Error('TEMPORAL_CLI is not set: run these tests with `npm test`, which provides a Temporal server');
  if (!installed) {
    installed = true;
    Runtime.install({
      shutdownSignals: [],
      logger: new DefaultLogger('ERROR'),
      telemetryOptions: { logging: { filter: 'off', forward: {} } },
    });
  }
  return TestWorkflowEnvironment.createLocal({
    server: {
      executable: { type: 'existing-path', path: cli },
      searchAttributes: Object.values(searchAttributes),
      log: { format: 'pretty', level: 'never' },
    },
  });
}
