import { CrashDisk, type ContentChoice, type MetadataOp } from './crash-disk.ts';

/** Beyond so many changes at once not every subset is walked: prefixes, and each change missing alone. Only engines that forget to sync come here. */
const MOST_PENDING = 12;

/** How many changes were new at the last look; null: look at everything. */
export interface News {
  readonly metadata: number;
  readonly content: number;
}

/** Whether every subset of the pending changes is walked. */
export const isExhaustive = (disk: CrashDisk): boolean =>
  disk.model === 'ordered' || disk.pending.length <= MOST_PENDING;

/** Subsets of the pending changes that may be on disk. `withLast`: those only that hold the last one. */
export function keptSets(disk: CrashDisk, withLast: boolean): readonly (readonly MetadataOp[])[] {
  const { pending } = disk;
  if (pending.length === 0) return [[]];
  if (disk.model === 'ordered')
    return withLast ? [pending] : pending.map((_, at) => pending.slice(0, at)).concat([pending]);
  if (!isExhaustive(disk))
    return [
      ...pending.map((_, at) => pending.slice(0, at)),
      ...pending.map((_, at) => pending.toSpliced(at, 1)),
      pending,
    ];
  const free = withLast ? pending.slice(0, -1) : pending;
  const fixed = withLast ? pending.slice(-1) : [];
  return Array.from({ length: 2 ** free.length }, (_, bits) => [...free.filter((_, at) => (bits >> at) & 1), ...fixed]);
}

/**
 * Every disk that a power cut now may leave of `disk`. With `news`, those that the changes since the last look made possible: a disk without them
 * was among the earlier ones.
 */
export function* powerCuts(disk: CrashDisk, news: News | null): Generator<CrashDisk> {
  const kept = keptSets(disk, news?.metadata === 1 && news.content === 0);
  const contents: readonly ContentChoice[] = disk.contentChoices();
  for (const ops of kept) for (const content of contents) yield disk.after(ops, content);
}

/** Every combination of one disk of each: file systems lose independently of each other. */
export function* combinations(choices: readonly (readonly CrashDisk[])[]): Generator<CrashDisk[]> {
  const [first, ...rest] = choices;
  if (!first) {
    yield [];
    return;
  }
  for (const head of first) for (const tail of combinations(rest)) yield [head, ...tail];
}
