import { type Operation, type OperationStep, isEnded } from '@tiny-forge/contracts/domain';
import type { Messages } from '../i18n/en.ts';
import type { Format } from '../i18n/format.ts';
import { plain } from '../i18n/visible.ts';

/** What pages say about an operation, drawn from its fields alone. */

export const isRestoreLike = (operation: Operation): boolean =>
  operation.kind === 'restore' || operation.kind === 'undo-restore' || operation.kind === 'recover';

const ACTIVE = ['RUNNING', 'WAITING', 'UNDOING', 'FAILED'] as const;

/** The step the operation is at, counted from 1; the last one once it ended. */
export function currentStep(
  operation: Operation,
): { readonly step: OperationStep; readonly number: number } | undefined {
  const { steps } = operation;
  let index = steps.findIndex((step) => (ACTIVE as readonly string[]).includes(step.state));
  if (index < 0) index = steps.findIndex((step) => step.state === 'PENDING');
  if (index < 0) index = steps.length - 1;
  const step = steps[index];
  return step === undefined ? undefined : { step, number: index + 1 };
}

/** 0 to 1 of the bytes of the running step. */
export function stepShare(step: OperationStep): number | undefined {
  const progress = step.progress;
  if (progress === undefined || step.state !== 'RUNNING') return undefined;
  if (progress.totalBytes > 0) return Math.min(1, progress.doneBytes / progress.totalBytes);
  if (progress.totalEntries > 0) return Math.min(1, progress.doneEntries / progress.totalEntries);
  return undefined;
}

export function operationTitle(operation: Operation, m: Messages, f: Format, now: number): string {
  const name = operation.workload.name;
  const active = !isEnded(operation.state) && operation.state !== 'NEEDS_OPERATOR' && operation.state !== 'QUEUED';
  if (operation.kind === 'restore' && operation.snapshotCreatedAt !== undefined) {
    const when = f.moment(Date.parse(operation.snapshotCreatedAt), now);
    return active ? m.restoringTo(name, when) : m.restoreTitleTo(name, when);
  }
  return (active ? m.operationDoing : m.operationTitle)[operation.kind](name);
}

/** Title of the browser tab: `62% Restoring guestbook`. */
export function tabTitle(operation: Operation, m: Messages, f: Format): string {
  const at = currentStep(operation);
  const share = at === undefined || isEnded(operation.state) ? undefined : stepShare(at.step);
  const active = operation.state === 'RUNNING' || operation.state === 'COMPENSATING';
  const words = (active ? m.operationDoing : m.operationTitle)[operation.kind](operation.workload.name);
  const head = share !== undefined ? f.percent(share) : active ? '' : `${m.states[operation.state]}:`;
  return plain(`${head} ${words}`.trim());
}

/** `step 4 of 7, 62%` */
export function progressText(operation: Operation, m: Messages, f: Format): string {
  const at = currentStep(operation);
  if (at === undefined || operation.steps.length === 0) return '';
  const share = stepShare(at.step);
  return share === undefined
    ? m.workloads.step(at.number, operation.steps.length)
    : m.workloads.stepPercent(at.number, operation.steps.length, f.percent(share));
}

/** The sentence under the title. `undefined` while it simply runs. */
export function resultText(operation: Operation, m: Messages, f: Format, now: number): string | undefined {
  const { state } = operation;
  if (state === 'QUEUED' || state === 'RUNNING') return undefined;
  if (state === 'NEEDS_OPERATOR') return m.restore.result.NEEDS_OPERATOR;
  if (state === 'WAITING') {
    return operation.waitingUntil === undefined
      ? m.restore.result.WAITING_OPEN
      : m.restore.result.WAITING(f.soon(Date.parse(operation.waitingUntil), now));
  }
  if (operation.kind !== 'restore') return m.restore.other[state];
  if (state === 'SUCCEEDED') {
    const down = downtime(operation);
    return down === undefined
      ? m.restore.result.SUCCEEDED_PLAIN
      : m.restore.result.SUCCEEDED(f.duration(down, 'tenths'));
  }
  return m.restore.result[state];
}

/** Ms the app was down, once that is over. */
export function downtime(operation: Operation): number | undefined {
  const down = operation.downtime;
  return down?.to == null ? undefined : Date.parse(down.to) - Date.parse(down.from);
}
