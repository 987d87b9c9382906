/** Times of the lane and of the operations, in milliseconds. Arguments, so that tests need not wait. */
export interface Timings {
  /** First pause before an own error of a retryable kind is tried again; doubles up to `maxBackoffMs`. */
  readonly backoffMs: number;
  readonly maxBackoffMs: number;
  /** Attempts at one step (or one undo) that end in an own error of a retryable kind. */
  readonly maxAttempts: number;
  /** How long an outage (Docker away) is sat out in one step before a person is asked. */
  readonly outageMs: number;
  /** A step that no host worker took for so long shows as HOST_OFFLINE. */
  readonly hostSilentMs: number;
  /** `preflight` only: with nothing at stake a silent host fails the operation. */
  readonly preflightQueueMs: number;
  readonly heartbeatTimeoutMs: number;
  /** A lane with nothing to do ends after this. */
  readonly laneIdleMs: number;
}

export const DEFAULT_TIMINGS: Timings = {
  backoffMs: 1_000,
  maxBackoffMs: 30_000,
  maxAttempts: 3,
  outageMs: 60_000,
  hostSilentMs: 30_000,
  preflightQueueMs: 300_000,
  heartbeatTimeoutMs: 30_000,
  laneIdleMs: 600_000,
};
