import { ActivityFailure, ApplicationFailure, CancelledFailure, TimeoutFailure, TimeoutType } from '@temporalio/common';
import { ERRORS, renderDetail, type ErrorCode, type ErrorParams } from '@tiny-forge/contracts/domain';
import type { FailureDetails } from './activity-types.ts';
import type { ErrorView, OperationView } from './operation-types.ts';

/** Reads what an activity threw. Our own errors carry FailureDetails; a silent host and a cancellation get details of their own. */
export function stepFailureOf(error: unknown, hostId: string): FailureDetails {
  const cause = error instanceof ActivityFailure ? error.cause : error;
  if (cause instanceof CancelledFailure) return failure('CANCELLED', {});
  if (cause instanceof TimeoutFailure && cause.timeoutType === TimeoutType.SCHEDULE_TO_START) {
    return failure('HOST_OFFLINE', { host: hostId });
  }
  if (cause instanceof ApplicationFailure) {
    const details = cause.details?.[0] as FailureDetails | undefined;
    if (details && typeof details.code === 'string') return details;
  }
  return { ...failure('INTERNAL', { reportId: 'workflow' }), message: String((cause as Error)?.message ?? cause) };
}

export function failure(code: ErrorCode, params: ErrorParams): FailureDetails {
  const entry = ERRORS[code];
  return { code, kind: entry.kind, retryable: entry.retryable ?? false, params, message: renderDetail(code, params) };
}

/** An outage ends by itself: it is sat out and not counted as an attempt. */
export const isOutage = (details: FailureDetails): boolean => details.retryable && details.kind === 'unavailable';

/** The journal forbids the step: only going back is left, nobody is asked. */
export const isJournalState = (details: FailureDetails): boolean =>
  details.code === 'TX_STATE' || details.code === 'TX_ROLLED_BACK' || details.code === 'TX_CORRUPT';

const APP = {
  running: 'The app is running',
  stopped: 'The app is stopped',
  unhealthy: 'The app runs but is not healthy',
  absent: 'The app is not deployed',
} as const;
const DATA = {
  current: 'its data is as it was before',
  staged: 'its data is as it was before, with the data of the snapshot ready beside it',
  restored: 'its data is that of the snapshot',
  unclear: 'its data is being replaced and must not be used',
} as const;

/** The error as people read it: what failed, what state app and data are in, what to do next (I11). */
export function errorView(details: FailureDetails, situation: OperationView['situation']): ErrorView {
  const next = details.code in ERRORS ? ERRORS[details.code as ErrorCode].next : 'Look into the server log.';
  return {
    code: details.code,
    params: details.params,
    detail: details.message,
    state: `${APP[situation.app]}; ${DATA[situation.data]}.`,
    next: fill(next, details.params),
    ...(details.blockers === undefined ? {} : { blockers: details.blockers }),
  };
}

function fill(template: string, params: ErrorParams): string {
  return template.replace(/\{(\w+)\}/g, (whole, name: string) => {
    const value = params[name];
    return value === undefined || value === null ? whole : String(value);
  });
}
