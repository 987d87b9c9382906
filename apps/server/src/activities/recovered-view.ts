import { ERRORS, type ErrorCode, type StepState } from '@tiny-forge/contracts/domain';
import type { OperationView, RecoveredEnd, StepView } from '@tiny-forge/workflows';

/** What a recovered operation says of itself: what it had done, and how its recovery ended it. */
export function recoveredView(was: OperationView, request: RecoveredEnd, at: string): OperationView {
  const { waitingUntil: _waiting, error: lastError, operatorGuide: _guide, ...kept } = was;
  const error =
    request.error === undefined
      ? request.state === 'SUCCEEDED'
        ? undefined
        : lastError
      : {
          code: request.error.code,
          params: request.error.params,
          detail: request.error.detail,
          state: SITUATIONS[request.state] ?? '',
          next: request.error.code in ERRORS ? ERRORS[request.error.code as ErrorCode].next : '',
        };
  return {
    ...kept,
    state: request.state,
    steps: was.steps.map((step) => recoveredStep(step, request.state, at)),
    situation: { app: request.app, data: request.data, since: at },
    ...(was.downtime?.to === null && request.app === 'running'
      ? { downtime: { from: was.downtime.from, to: at } }
      : {}),
    ...(error === undefined ? {} : { error }),
    ...(request.kept === undefined ? {} : { kept: request.kept }),
    ...(request.operatorGuide === undefined ? {} : { operatorGuide: request.operatorGuide }),
  };
}

const SITUATIONS: Partial<Record<OperationView['state'], string>> = {
  ROLLED_BACK: 'The data is as it was before.',
  FAILED: 'Nothing was changed.',
  NEEDS_OPERATOR: 'The app is held; its data must not be used.',
};

/** Steps whose effect is kept, whatever is undone. */
const KEPT = new Set(['preRestoreSnapshot']);

function recoveredStep(step: StepView, outcome: OperationView['state'], at: string): StepView {
  const state = KEPT.has(step.name) && step.state === 'DONE' ? 'DONE' : stateAfter(step.state, outcome);
  const { nextAttemptAt: _next, progress: _progress, ...kept } = step;
  return { ...kept, state, endedAt: step.endedAt ?? (state === 'PENDING' ? null : at) };
}

function stateAfter(was: StepState, outcome: OperationView['state']): StepState {
  const underWay = was === 'RUNNING' || was === 'WAITING' || was === 'UNDOING';
  switch (outcome) {
    case 'SUCCEEDED':
      return was === 'SKIPPED' ? was : 'DONE';
    case 'ROLLED_BACK':
      return was === 'DONE' ? 'UNDONE' : underWay ? 'FAILED' : was;
    default:
      return underWay ? 'FAILED' : was;
  }
}
