import { defineQuery, defineUpdate } from '@temporalio/workflow';
import type { OperationInput, OperationView } from './operation-types.ts';

/** Names of the workflow types as Temporal knows them. */
export const workflowTypes = { lane: 'lane', operation: 'operation' } as const;

export interface SubmitRequest {
  readonly input: OperationInput;
  /** RFC 3339; the lane's validator refuses later. */
  readonly notAfter: string;
}

export interface SubmitAnswer {
  readonly workflowId: string;
  /** How many are before it in the lane, the running one included. */
  readonly position: number;
  /** The operation directly before it. */
  readonly queuedBehind: string | null;
}

export interface AbortRequest {
  readonly operationId: string;
  readonly who: string;
}

/** `details[0]` of the ApplicationFailure `OPERATION_IN_PROGRESS`. */
export interface ConflictDetails {
  readonly operationId: string;
  readonly kind: string;
}

export interface LaneState {
  readonly current: string | null;
  readonly queue: readonly string[];
  /** Open operations of an earlier lane that this one still waits for. */
  readonly held: readonly string[];
}

/**
 * Puts an operation into the lane. The same operation again answers with its place.
 * Failure types: SUBMIT_EXPIRED, OPERATION_IN_PROGRESS (details: ConflictDetails), LANE_FULL.
 */
export const submitOp = defineUpdate<SubmitAnswer, [SubmitRequest]>('submitOp');
/** Takes a queued operation out of the lane and writes its outcome. `not-queued`: the lane runs it or does not know it. */
export const abortQueued = defineUpdate<'aborted' | 'not-queued', [AbortRequest]>('abortQueued');
export const laneState = defineQuery<LaneState>('laneState');

export interface RetryStepRequest {
  /** Only where the step that waits takes the safety snapshot. */
  readonly safety?: 'keep-old-tree';
}
/** Failure types: NOT_WAITING, SAFETY_NOT_SUPPORTED (another step waits). */
export const retryStep = defineUpdate<void, [RetryStepRequest]>('retryStep');
/** Failure types: NOT_WAITING (ended or already undoing), PAST_DECISION. Returns when taken, not when done. */
export const abortRun = defineUpdate<void, [{ readonly who: string }]>('abortRun');
export const operationView = defineQuery<OperationView>('operationView');
