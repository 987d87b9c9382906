import { isWhole } from './proof.ts';
import type { ChildEnd, KillOrder } from './run-child.ts';

export type Kill = NonNullable<KillOrder['kill']>;

const before = (at: number): Kill => ({ at, when: 'before' });
const after = (at: number): Kill => ({ at, when: 'after' });

/**
 * Before every call, and after the last one. Calls come one after the other, so a process that dies after a call leaves what one leaves that dies
 * before the next: the disk, and Docker, which may have been asked in between, are as they were. A whole proof kills after each effect all the same.
 */
export const everyCall = ({ calls, effects }: ChildEnd): Kill[] => [
  ...Array.from({ length: calls }, (_, i) => before(i + 1)),
  ...(isWhole ? effects : [calls]).map(after),
];

/** The same where only files matter: what is between two effects changes nothing. */
export const everyEffect = ({ effects }: ChildEnd): Kill[] => [
  ...effects.map(before),
  ...(isWhole ? effects : effects.slice(-1)).map(after),
];
