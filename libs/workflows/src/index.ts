export type * from './activity-types.ts';
export type { LaneInput } from './lane.workflow.ts';
export {
  abortQueued,
  abortRun,
  laneState,
  operationView,
  retryStep,
  submitOp,
  workflowTypes,
  type AbortRequest,
  type ConflictDetails,
  type LaneState,
  type RetryStepRequest,
  type SubmitAnswer,
  type SubmitRequest,
} from './messages.ts';
export type { OperationResult } from './operation.workflow.ts';
export type { ErrorView, KeptView, OperationInput, OperationView, SafetyWish, StepView } from './operation-types.ts';
export { searchAttributes } from './search-attributes.ts';
export { errorView } from './step-failure.ts';
export { DEFAULT_TIMINGS, type Timings } from './timings.ts';
