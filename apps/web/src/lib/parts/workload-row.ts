import type { Operation, Workload } from '@tiny-forge/contracts/domain';
import type { Messages } from '../i18n/en.ts';
import type { Format } from '../i18n/format.ts';
import { APP_MARKS, type Mark, OPERATION_MARKS } from '../ui/mark.ts';
import { isRestoreLike, progressText } from './operation-view.ts';

export interface RowView {
  readonly mark: Mark;
  readonly word: string;
  /** Facts after the name, in order; the first is the most telling. */
  readonly facts: readonly string[];
  readonly warning: string | undefined;
  readonly group: 'needs-you' | 'busy' | 'fine';
}

/** One line of the list of apps. */
export function workloadRow(
  workload: Workload,
  open: Operation | undefined,
  m: Messages,
  f: Format,
  now: number,
): RowView {
  const snapshot = workload.lastSnapshot;
  const snapshotFact =
    snapshot === null ? undefined : m.workloads.snapshot(f.relative(Date.parse(snapshot.createdAt), now));
  const warning =
    snapshot === null && workload.volumes.length > 0
      ? m.workloads.noSnapshot
      : snapshot?.state === 'FAILED'
        ? m.workloads.snapshotFailed
        : undefined;
  const tail = snapshotFact === undefined || warning !== undefined ? [] : [snapshotFact];
  if (open !== undefined && open.state !== 'QUEUED') {
    const needsYou = open.state === 'NEEDS_OPERATOR' || open.state === 'WAITING';
    const facts = needsYou
      ? open.situation.app === 'stopped'
        ? [m.workloads.stoppedFor(f.span(now - Date.parse(open.situation.since)))]
        : []
      : [progressText(open, m, f)].filter((text) => text !== '');
    return {
      mark: OPERATION_MARKS[open.state],
      word: open.state === 'RUNNING' ? m.kinds[open.kind] : m.states[open.state],
      facts: [...facts, ...(needsYou && isRestoreLike(open) ? [m.kinds[open.kind]] : []), ...tail],
      warning,
      group: needsYou ? 'needs-you' : 'busy',
    };
  }
  const { state } = workload.status;
  const healthy = state === 'running' && workload.status.instances.some((instance) => instance.health === 'healthy');
  const waits = open === undefined ? [] : [`${m.kinds[open.kind]}: ${m.states.QUEUED.toLocaleLowerCase()}`];
  return {
    mark: APP_MARKS[state],
    word: m.app[state],
    facts: [...waits, ...(healthy ? [m.workloads.healthy] : []), ...tail],
    warning,
    group: state === 'degraded' ? 'needs-you' : open === undefined ? 'fine' : 'busy',
  };
}
