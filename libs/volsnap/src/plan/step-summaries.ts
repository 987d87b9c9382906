import type { RestorePlan, RestoreStep } from '@tiny-forge/contracts/domain';

const count = (n: number, one: string, many: string): string => (n === 1 ? `1 ${one}` : `${n} ${many}`);

/** One English sentence a step, for clients that do not translate by step name. */
export function stepSummaries(what: {
  readonly volumes: number;
  readonly safety: 'snapshot' | 'keep-old-tree';
  readonly stops: number;
  readonly runsAfter: boolean;
}): RestorePlan['steps'] {
  const volumes = count(what.volumes, 'volume', 'volumes');
  const sentences: Record<RestoreStep, string> = {
    preflight: 'Check everything again; nothing is changed yet.',
    extract: `Unpack ${volumes} beside the live data while the app runs.`,
    stop: what.stops === 0 ? 'The app is stopped already.' : `Stop ${count(what.stops, 'container', 'containers')}.`,
    preRestoreSnapshot:
      what.safety === 'snapshot'
        ? "Keep a snapshot of today's data."
        : "No snapshot: today's directories themselves are kept.",
    swap: `Put the unpacked data in place, ${what.volumes === 1 ? 'at once' : 'all volumes or none'}.`,
    redeploy: what.runsAfter
      ? 'Start the same image and wait until it is healthy.'
      : 'The app stays stopped, as it was.',
    finish: what.safety === 'snapshot' ? 'Remove what was replaced.' : 'Keep what was replaced until its time is over.',
  };
  return Object.entries(sentences).map(([name, summary]) => ({ name, summary }));
}
