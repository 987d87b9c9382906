import type { SweepReport, TransactionStatus } from '../../restore-engine.ts';
import type { CrashWorld } from './crash-world.ts';

interface Moment {
  readonly status: TransactionStatus | null;
  readonly side: 'old' | 'new' | 'mixed';
}

/** What each record that decides makes of the volumes (restore.md 4). */
const DECIDED: Readonly<Partial<Record<TransactionStatus['record'], 'old' | 'new'>>> = {
  COMMIT: 'new',
  SWAPPED: 'new',
  DONE: 'new',
  ROLLBACK: 'old',
  ROLLED_BACK: 'old',
};

const recordOf = (status: TransactionStatus | null): TransactionStatus['record'] => status?.record ?? 'NONE';

/** The sweep made what the journal had decided, and touched nothing that it had not. */
export function sweepProblems(report: SweepReport, before: Moment, after: Moment): string[] {
  const found = recordOf(before.status);
  const wanted = DECIDED[found] ?? before.side;
  return [
    ...report.corrupt.map(({ file, detail }) => `${file} is corrupt: ${detail}`),
    ...report.unresolved.map(({ code, detail }) => `unresolved: ${code} ${detail}`),
    ...(after.side === wanted && after.side !== 'mixed' ? [] : [`I4: ${found} is ${after.side} after the sweep`]),
    ...(found === 'COMMIT' && recordOf(after.status) !== 'SWAPPED'
      ? [`I4: COMMIT became ${recordOf(after.status)}`]
      : []),
  ];
}

/** How the journal ended, given how it stood. */
export function recordProblem(
  before: TransactionStatus | null,
  end: TransactionStatus | null,
  history: 'forward' | 'back',
): string | null {
  const found = recordOf(before);
  // A run in which COMMIT could not be written has been taken back by itself.
  const wasBack = found === 'ROLLBACK' || found === 'ROLLED_BACK' || (found === 'CLOSED' && before?.done === false);
  if (wasBack && end?.done === true) return 'I4: ROLLBACK was not final';
  if (history === 'forward' && !wasBack && end?.done !== true)
    return 'the workflow went on, and nothing stood in its way, and the restore is not done';
  if (end !== null && end.record !== 'CLOSED') return `the journal is left at ${end.record}`;
  return null;
}

/** C7: the app is as it was, or as a restore makes it; nothing else of ours is left on the Engine. */
export function appProblem(world: CrashWorld, side: 'old' | 'new', record: string): string | null {
  const { app } = world.shape;
  const { instances, others } = world.containers();
  // Without a journal nobody knows of the holder: the sweep removes it after a day.
  if (others.length > 0 && record !== 'NONE') return `${others.join(', ')} is left`;
  const running = instances.filter((one) => one.running);
  const wanted = side === 'new' ? (app === 'stopped' ? 0 : 1) : app === 'running' ? 1 : 0;
  if (running.length !== wanted) return `${running.length} containers run instead of ${wanted}`;
  const policy = side === 'new' && wanted === 1 ? 'unless-stopped' : 'always';
  const wrong = instances.find((one) => one.restartPolicy !== policy);
  return wrong ? `${wrong.name} has the policy ${wrong.restartPolicy} instead of ${policy}` : null;
}
