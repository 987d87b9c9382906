import type { OperationState, StepProgress } from '@tiny-forge/contracts';
import type { OperationInput } from '@tiny-forge/workflows';

/** What REST asks of the running side (Temporal). Implemented in `../temporal`. */
export interface OperationGateway {
  /**
   * The protocol of restore.md 6 after the row `QUEUED` was committed. On return the row has been accepted; on a thrown conflict (409) or
   * LANE_FULL (429) row and pins were deleted; on SERVICE_UNAVAILABLE or LANE_STUCK (503) the row is `CANCELLED` `SUBMIT_EXPIRED` and never runs.
   * @throws ForgeError OPERATION_IN_PROGRESS {operationId, kind}, LANE_FULL, SERVICE_UNAVAILABLE {part}, LANE_STUCK
   */
  submit(input: OperationInput): Promise<{ readonly queuedBehind: string | null }>;
  /** @throws NOT_WAITING, SERVICE_UNAVAILABLE */
  retryStep(operationId: string, options: { readonly safety?: 'keep-old-tree' }): Promise<void>;
  /** @throws NOT_WAITING when it has ended, PAST_DECISION, SERVICE_UNAVAILABLE */
  abort(operationId: string, who: string): Promise<void>;
  /** State and current step of open operations from Temporal visibility; null: Temporal is away. */
  liveStates(): Promise<ReadonlyMap<string, { readonly state: OperationState; readonly step: string | null }> | null>;
  /** Byte progress of the running step, from heartbeats; empty when none or Temporal is away. */
  progress(operationId: string): Promise<Readonly<Record<string, StepProgress>>>;
  /** The Temporal history as JSON: the stored one of an ended operation, else asked from Temporal. @throws NOT_FOUND, SERVICE_UNAVAILABLE */
  history(operationId: string): Promise<unknown>;
  /** Whether Temporal answers, and whether control and host workers poll. At most 1 s old. */
  health(): Promise<{ readonly temporal: PartHealth; readonly workers: PartHealth }>;
}

export interface PartHealth {
  readonly status: 'ok' | 'away' | 'starting' | 'failed';
  readonly detail: string | null;
}
