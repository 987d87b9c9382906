/** Stable names of what the two commands can fail at, before the product itself runs. */
export type ProvisionCode =
  | 'DOCKER_MISSING'
  | 'DOCKER_NOT_ANSWERING'
  | 'DOCKER_FAILED'
  | 'TEMPORAL_MISSING'
  | 'TEMPORAL_NOT_RUNNING'
  | 'TEMPORAL_FAILED'
  | 'BUSYBOX_MISSING'
  | 'CHROMIUM_MISSING'
  | 'PROGRAM_MISSING'
  | 'PORT_TAKEN'
  | 'BUILD_FAILED'
  | 'DATA_NOT_WRITABLE'
  | 'SERVER_ENDED';

/** An expected failure. It is shown to a person as these lines, never as a stack trace. */
export interface Failure {
  readonly code: ProvisionCode;
  /** One sentence without full stop: what is missing or failed. */
  readonly what: string;
  /** What was looked at, and why it does not do. */
  readonly why: string;
  /** Commands or settings that cure it, one each. */
  readonly getIt: readonly string[];
  /** Last lines of the log of the part that failed. */
  readonly log?: readonly string[];
}

export class ProvisionError extends Error {
  readonly code: ProvisionCode;
  readonly failure: Failure;

  constructor(failure: Failure, cause?: unknown) {
    super(failure.what, cause === undefined ? undefined : { cause });
    this.name = 'ProvisionError';
    this.code = failure.code;
    this.failure = failure;
  }
}

export function isProvisionError(error: unknown): error is ProvisionError {
  return error instanceof ProvisionError;
}
