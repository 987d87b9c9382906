import type { Operation, SituationApp, SituationData, Workload } from '@tiny-forge/contracts/domain';

export interface Situation {
  readonly app: SituationApp;
  readonly data: SituationData;
  readonly since: string | undefined;
  readonly snapshotAt: string | undefined;
}

const APP: Readonly<Record<Workload['status']['state'], SituationApp>> = {
  running: 'running',
  stopped: 'stopped',
  degraded: 'unhealthy',
  absent: 'absent',
};

/**
 * What a workload's page calls NOW. An open operation knows best; else the app is what Docker says, and the data is what the last
 * operation that could touch it left, as long as the data of before is kept.
 */
export function situationOf(
  workload: Workload,
  open: Operation | undefined,
  last: readonly Operation[],
  now: number,
): Situation {
  if (open !== undefined && open.state !== 'QUEUED') {
    return {
      app: open.situation.app,
      data: open.situation.data,
      since: open.situation.since,
      snapshotAt: open.snapshotCreatedAt,
    };
  }
  const app = APP[workload.status.state];
  const touching = last.find((operation) => operation.kind === 'restore' || operation.kind === 'undo-restore');
  const newest = last[0];
  const since = newest !== undefined && newest.situation.app === app ? newest.situation.since : undefined;
  const keptUntil = touching?.undo?.until ?? touching?.kept?.until;
  const isKept = keptUntil !== undefined && Date.parse(keptUntil) > now;
  return touching?.situation.data === 'restored' && isKept
    ? { app, data: 'restored', since, snapshotAt: touching.snapshotCreatedAt }
    : { app, data: 'current', since, snapshotAt: undefined };
}
