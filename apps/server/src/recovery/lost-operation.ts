import { ERRORS, renderDetail, type SituationApp } from '@tiny-forge/contracts/domain';
import type { TransactionStatus } from '@tiny-forge/volsnap';
import type { OperationView } from '@tiny-forge/workflows';
import { recoveredView } from '../activities/recovered-view.ts';
import { keptView } from '../activities/restore-activities.ts';
import type { OperationRecord } from '../state/index.ts';

/**
 * How an operation ends that has begun, whose workflow is gone and that left no open journal.
 * @param journal its closed journal; null: it never had one
 */
export const viewOfLost = (row: OperationRecord, journal: TransactionStatus | null, at: string): OperationView =>
  journal === null ? lostView(row) : closedView(row, journal, at);

/** Its journal was closed: everything was done, or everything was undone, and only the end was lost. */
function closedView(row: OperationRecord, journal: TransactionStatus, at: string): OperationView {
  const app: SituationApp = journal.before === 'stopped' || journal.before === 'absent' ? journal.before : 'running';
  const end = { operationId: row.id, app };
  if (journal.done) {
    const kept = keptView(journal);
    return recoveredView(row.view, { ...end, state: 'SUCCEEDED', data: 'restored', ...(kept && { kept }) }, at);
  }
  const detail = renderDetail('LOST_BY_TEMPORAL', {});
  const state = journal.before === null ? 'FAILED' : 'ROLLED_BACK';
  const error = { code: 'LOST_BY_TEMPORAL', params: {}, detail };
  return recoveredView(row.view, { ...end, state, data: 'current', error }, at);
}

/** No journal is open: whatever the operation had begun, no volume is in motion. */
function lostView(row: OperationRecord): OperationView {
  const { view } = row;
  const stopped = ['stop', 'stopApp', 'deploy', 'delete'].some((name) =>
    view.steps.some((step) => step.name === name && step.state !== 'PENDING'),
  );
  return {
    ...view,
    state: 'FAILED',
    steps: view.steps.map((step) =>
      step.state === 'RUNNING' || step.state === 'WAITING' || step.state === 'UNDOING'
        ? { ...step, state: 'FAILED' as const, detail: renderDetail('LOST_BY_TEMPORAL', {}) }
        : step,
    ),
    error: {
      code: 'LOST_BY_TEMPORAL',
      params: {},
      detail: renderDetail('LOST_BY_TEMPORAL', {}),
      state: stopped ? 'No restore is under way; look whether the app runs.' : 'All is as before.',
      next: ERRORS.LOST_BY_TEMPORAL.next,
    },
  };
}
