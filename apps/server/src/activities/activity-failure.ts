import { ApplicationFailure, ApplicationFailureCategory, CancelledFailure } from '@temporalio/common';
import { isForgeError, type ErrorKind, type ForgeError } from '@tiny-forge/contracts/domain';
import type { FailureDetails } from '@tiny-forge/workflows';

/**
 * How each kind reaches Temporal: all as non-retryable failures, because the workflow counts attempts itself. `expected` ones are answers about
 * the workload and no news for the log. Total: a new kind does not compile until it has a row.
 */
const CATEGORY: Readonly<Record<ErrorKind, 'expected' | 'alarming' | 'cancellation'>> = {
  malformed: 'alarming',
  unauthenticated: 'alarming',
  forbidden: 'alarming',
  'not-found': 'expected',
  conflict: 'expected',
  precondition: 'expected',
  'too-large': 'expected',
  unsupported: 'expected',
  unsatisfiable: 'alarming',
  misdirected: 'alarming',
  invalid: 'expected',
  blocked: 'expected',
  'precondition-required': 'alarming',
  throttled: 'expected',
  unavailable: 'expected',
  exhausted: 'expected',
  damaged: 'expected',
  tampered: 'expected',
  timeout: 'expected',
  state: 'expected',
  cancelled: 'cancellation',
  internal: 'alarming',
};

/** What a failed step adds to its error: where it left the data. */
export type FailureExtras = Pick<FailureDetails, 'data' | 'done' | 'kept' | 'untouched'>;

/** The one failure shape that activities throw on purpose (`FailureDetails` in `details[0]`, `type` = code). */
export function applicationFailure(error: ForgeError, extras: FailureExtras = {}): ApplicationFailure {
  const { blockers } = error as { blockers?: FailureDetails['blockers'] };
  const details: FailureDetails = {
    code: error.code,
    kind: error.kind,
    retryable: error.retryable,
    params: error.params,
    message: error.message,
    ...(blockers === undefined ? {} : { blockers }),
    ...extras,
  };
  return ApplicationFailure.create({
    type: error.code,
    message: error.message,
    nonRetryable: true,
    details: [details],
    ...(CATEGORY[error.kind] === 'alarming' ? {} : { category: ApplicationFailureCategory.BENIGN }),
  });
}

/** Whether an error only says that the work was told to end. */
export function isCancellation(error: unknown): boolean {
  if (error instanceof CancelledFailure) return true;
  if (isForgeError(error)) return CATEGORY[error.kind] === 'cancellation';
  return (error as { name?: unknown } | null)?.name === 'AbortError';
}
