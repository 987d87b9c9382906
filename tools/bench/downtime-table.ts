export interface Downtime {
  readonly mib: number;
  /** Medians of how long the app did not answer, ms. */
  readonly rivalMs: number;
  readonly oursMs: number;
}

/** A restore may keep the app down so much longer than `docker stop` and `docker start` do: a factor, and ms. */
const FACTOR = 1.25;
const SLACK_MS = 500;
/** From the smallest to 1 GiB. */
const GROWTH_MS = 300;
const GIB_MIB = 1024;

export function isWithinAims(sizes: readonly Downtime[]): boolean {
  return sizes.every((size) => size.oursMs <= limitOf(size)) && growth(sizes) !== 'grows';
}

const limitOf = ({ rivalMs }: Downtime): number => FACTOR * rivalMs + SLACK_MS;

function growth(sizes: readonly Downtime[]): 'flat' | 'grows' | 'unknown' {
  const smallest = [...sizes].sort((a, b) => a.mib - b.mib)[0];
  const large = sizes.find(({ mib }) => mib === GIB_MIB);
  if (!smallest || !large || smallest === large) return 'unknown';
  return large.oursMs <= FACTOR * smallest.oursMs + GROWTH_MS ? 'flat' : 'grows';
}

export function formatDowntimes(sizes: readonly Downtime[]): string {
  const cell = (text: string): string => text.padStart(18);
  const row = (...texts: readonly string[]): string => texts.map(cell).join('');
  return [
    row('size', 'docker stop+start', 'restore', 'ratio', 'limit', ''),
    ...sizes.map((size) =>
      row(
        `${size.mib} MiB`,
        `${size.rivalMs.toFixed(0)} ms`,
        `${size.oursMs.toFixed(0)} ms`,
        (size.oursMs / size.rivalMs).toFixed(2),
        `${limitOf(size).toFixed(0)} ms`,
        size.oursMs <= limitOf(size) ? 'within' : 'TOO LONG',
      ),
    ),
    `  1 GiB beside the smallest: ${growth(sizes)}.`,
  ].join('\n');
}
