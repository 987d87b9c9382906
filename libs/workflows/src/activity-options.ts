import { ActivityCancellationType, proxyActivities, type ActivityInterfaceFor } from '@temporalio/workflow';
import { taskQueues } from '@tiny-forge/contracts/domain';
import type { ControlActivities, HostActivities } from './activity-types.ts';
import type { OperationInput } from './operation-types.ts';
import type { Timings } from './timings.ts';

/** Lost workers and outages are repeated for ever: our own errors arrive as non-retryable and are counted in the workflow. */
const forEver = { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '30s' } as const;
/** Bounds one attempt that hangs while its process lives; the longest are those that read or write whole archives. */
const LONG = '7 days';
const SHORT = '2 hours';

export function controlActivities(timings: Timings): ActivityInterfaceFor<ControlActivities> {
  return proxyActivities<ControlActivities>({
    startToCloseTimeout: '60s',
    heartbeatTimeout: timings.heartbeatTimeoutMs,
    retry: forEver,
  });
}

/** A record that cannot be written is given up: the next one carries the whole view. */
export function recordActivity(timings: Timings): ActivityInterfaceFor<ControlActivities>['record'] {
  return proxyActivities<ControlActivities>({
    startToCloseTimeout: '20s',
    heartbeatTimeout: timings.heartbeatTimeoutMs,
    retry: { initialInterval: '1s', maximumAttempts: 3 },
  }).record;
}

/** Waits that may last as long as an operation does. */
export function waitActivities(
  timings: Timings,
): Pick<ActivityInterfaceFor<ControlActivities>, 'awaitClosed' | 'watchHost'> {
  return proxyActivities<ControlActivities>({
    startToCloseTimeout: '30 days',
    heartbeatTimeout: timings.heartbeatTimeoutMs,
    retry: forEver,
    // Nobody waits for the end of a watch.
    cancellationType: ActivityCancellationType.TRY_CANCEL,
  });
}

export function hostActivities(input: OperationInput, timings: Timings): ActivityInterfaceFor<HostActivities> {
  const common = {
    taskQueue: taskQueues.host(input.installation, input.hostId),
    heartbeatTimeout: timings.heartbeatTimeoutMs,
    retry: forEver,
    // The default (TRY_CANCEL) would start undo while the step still runs on the host.
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  };
  const long = proxyActivities<HostActivities>({ ...common, startToCloseTimeout: LONG });
  const short = proxyActivities<HostActivities>({ ...common, startToCloseTimeout: SHORT });
  const first = proxyActivities<HostActivities>({
    ...common,
    startToCloseTimeout: LONG,
    scheduleToStartTimeout: timings.preflightQueueMs,
  });
  return {
    preflight: first.preflight,
    extract: long.extract,
    stop: short.stop,
    preRestoreSnapshot: long.preRestoreSnapshot,
    swap: short.swap,
    redeploy: short.redeploy,
    finish: short.finish,
    removeNew: short.removeNew,
    swapBack: short.swapBack,
    resume: short.resume,
    dropStaging: short.dropStaging,
    close: short.close,
    needsOperator: short.needsOperator,
    deploy: short.deploy,
    undoDeploy: short.undoDeploy,
    stopApp: short.stopApp,
    startApp: short.startApp,
    capture: long.capture,
    importSnapshot: long.importSnapshot,
    discardImport: short.discardImport,
    deleteWorkload: short.deleteWorkload,
    recoverStatus: short.recoverStatus,
  };
}
