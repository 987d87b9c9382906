import type { OperationState, StepState } from '@tiny-forge/contracts/domain';

/** Shape + word + colour. Each tone has its own shape, so that grey tells them apart too. */
export type Tone = 'neutral' | 'run' | 'ask' | 'ok' | 'bad' | 'act';
export type Shape =
  | 'queued'
  | 'turning'
  | 'waiting'
  | 'back'
  | 'done'
  | 'failed'
  | 'cancelled'
  | 'needs-you'
  | 'stopped'
  | 'absent'
  | 'warning'
  | 'undone'
  | 'skipped';

export interface Mark {
  readonly tone: Tone;
  readonly shape: Shape;
}

export const OPERATION_MARKS: Readonly<Record<OperationState, Mark>> = {
  QUEUED: { tone: 'neutral', shape: 'queued' },
  RUNNING: { tone: 'run', shape: 'turning' },
  WAITING: { tone: 'ask', shape: 'waiting' },
  COMPENSATING: { tone: 'run', shape: 'back' },
  SUCCEEDED: { tone: 'ok', shape: 'done' },
  ROLLED_BACK: { tone: 'ask', shape: 'back' },
  FAILED: { tone: 'bad', shape: 'failed' },
  CANCELLED: { tone: 'neutral', shape: 'cancelled' },
  NEEDS_OPERATOR: { tone: 'act', shape: 'needs-you' },
};

export const STEP_MARKS: Readonly<Record<StepState, Mark>> = {
  PENDING: { tone: 'neutral', shape: 'queued' },
  RUNNING: { tone: 'run', shape: 'turning' },
  WAITING: { tone: 'ask', shape: 'waiting' },
  DONE: { tone: 'ok', shape: 'done' },
  FAILED: { tone: 'bad', shape: 'failed' },
  UNDOING: { tone: 'run', shape: 'back' },
  UNDONE: { tone: 'ask', shape: 'undone' },
  SKIPPED: { tone: 'neutral', shape: 'skipped' },
};

export const APP_MARKS: Readonly<Record<'running' | 'stopped' | 'degraded' | 'absent', Mark>> = {
  running: { tone: 'ok', shape: 'done' },
  stopped: { tone: 'neutral', shape: 'stopped' },
  degraded: { tone: 'bad', shape: 'warning' },
  absent: { tone: 'neutral', shape: 'absent' },
};

export const PART_MARKS: Readonly<Record<'ok' | 'away' | 'starting' | 'failed', Mark>> = {
  ok: { tone: 'ok', shape: 'done' },
  away: { tone: 'bad', shape: 'failed' },
  starting: { tone: 'run', shape: 'turning' },
  failed: { tone: 'bad', shape: 'failed' },
};

export const SNAPSHOT_MARKS: Readonly<Record<'CREATING' | 'READY' | 'FAILED', Mark>> = {
  CREATING: { tone: 'run', shape: 'turning' },
  READY: { tone: 'ok', shape: 'done' },
  FAILED: { tone: 'bad', shape: 'failed' },
};
