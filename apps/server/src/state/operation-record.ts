import {
  ERRORS,
  renderDetail,
  STEPS_OF_KIND,
  type ErrorCode,
  type ErrorParams,
  type OperationKind,
  type OperationState,
} from '@tiny-forge/contracts/domain';
import type { ErrorView, OperationInput, OperationView } from '@tiny-forge/workflows';
import type { OperationTable } from './schema.ts';

export interface OperationRecord {
  readonly id: string;
  readonly workloadId: string;
  readonly kind: OperationKind;
  readonly state: OperationState;
  readonly snapshotId: string | null;
  readonly input: OperationInput;
  readonly seq: number;
  readonly revision: number;
  readonly view: OperationView;
  readonly requestedBy: string;
  readonly retryOf: string | null;
  readonly undoOf: string | null;
  readonly recovers: string | null;
  readonly queuedBehind: string | null;
  readonly createdAt: string;
  readonly notAfter: string;
  readonly acceptedAt: string | null;
  readonly begunAt: string | null;
  readonly endedAt: string | null;
  readonly runId: string | null;
}

export interface NewOperation {
  readonly input: OperationInput;
  /** The lane refuses the submit after this instant. */
  readonly notAfter: string;
  readonly situation: OperationView['situation'];
  readonly retryOf?: string | null;
  readonly undoOf?: string | null;
  readonly recovers?: string | null;
}

export const MAX_ATTEMPTS = 3;

/** What a row says before its workflow has said anything. */
export function queuedView(kind: OperationKind, situation: OperationView['situation']): OperationView {
  return {
    state: 'QUEUED',
    steps: STEPS_OF_KIND[kind].map((name) => ({
      name,
      state: 'PENDING',
      startedAt: null,
      endedAt: null,
      attempts: 0,
      maxAttempts: MAX_ATTEMPTS,
      detail: null,
    })),
    situation,
    pastDecision: false,
    hadEffect: false,
  };
}

/** Error of an operation from the catalogue. `state`: what the app and the data are in, an English sentence. */
export function errorView(code: ErrorCode, params: ErrorParams, state: string): ErrorView {
  return { code, params, detail: renderDetail(code, params), state, next: ERRORS[code].next };
}

export const toOperation = (row: OperationTable): OperationRecord => ({
  id: row.id,
  workloadId: row.workload_id,
  kind: row.kind as OperationKind,
  state: row.state as OperationState,
  snapshotId: row.snapshot_id,
  input: JSON.parse(row.input) as OperationInput,
  seq: row.seq,
  revision: row.revision,
  view: JSON.parse(row.view) as OperationView,
  requestedBy: row.requested_by,
  retryOf: row.retry_of,
  undoOf: row.undo_of,
  recovers: row.recovers,
  queuedBehind: row.queued_behind,
  createdAt: row.created_at,
  notAfter: row.not_after,
  acceptedAt: row.accepted_at,
  begunAt: row.begun_at,
  endedAt: row.ended_at,
  runId: row.run_id,
});
