import { DefaultLogger, makeTelemetryFilterString, Runtime, type LogEntry } from '@temporalio/worker';
import type { Logger } from 'pino';

/** The burst of speculative workflow tasks makes core warn of tasks that were completed elsewhere: no one can act on it. */
const NOISE =
  /Task not found when completing|No workflows registered|Workflow task not found|evicted|Network error while (polling|completing)/i;

let installed = false;

/** Once per process, before any connection: signals are ours, Temporal's own words go to the server's log. */
export function installRuntime(log: Logger): void {
  if (installed) return;
  installed = true;
  const logger = new DefaultLogger('WARN', (entry: LogEntry) => {
    const level = NOISE.test(entry.message) ? 'debug' : entry.level === 'ERROR' ? 'error' : 'warn';
    log[level]({ part: 'temporal', ...plain(entry.meta) }, entry.message);
  });
  Runtime.install({
    shutdownSignals: [],
    logger,
    telemetryOptions: { logging: { filter: makeTelemetryFilterString({ core: 'WARN', other: 'ERROR' }), forward: {} } },
  });
}

/** Only what is short: activity inputs and failures stay out of the log. */
function plain(
  meta: Readonly<Record<string | symbol, unknown>> | undefined,
): Record<string, string | number | boolean> {
  const kept: Record<string, string | number | boolean> = {};
  for (const [key, value] of Object.entries(meta ?? {})) {
    if (typeof value === 'string' && value.length <= 200) kept[key] = value;
    else if (typeof value === 'number' || typeof value === 'boolean') kept[key] = value;
    else if (key === 'error' && value instanceof Error) kept['error'] = value.message.slice(0, 500);
  }
  return kept;
}
