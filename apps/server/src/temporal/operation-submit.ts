import type { Logger } from 'pino';
import { ForgeError } from '@tiny-forge/contracts/domain';
import type { ConflictDetails, OperationInput, SubmitAnswer } from '@tiny-forge/workflows';
import type { Clock, State } from '../state/index.ts';
import { isRefused, type LaneClient, type Refused } from './lane-client.ts';
import type { LaneTurns } from './lane-turns.ts';

export interface SubmitTimes {
  /** How long one submit may be taken by the lane, ms (restore.md 6: 5 s). */
  readonly acceptMs: number;
  /** How long a conflict with an operation that has ended is tried again, ms, and how often. */
  readonly stuckMs: number;
  readonly againMs: number;
  /**
   * How long a lane that does not answer is asked anew while nothing is away, ms. A task that a worker took right before its end blocks the
   * lane until Temporal gives it up, 10 s later.
   */
  readonly silentMs: number;
}

export const SUBMIT_TIMES: SubmitTimes = { acceptMs: 5_000, stuckMs: 10_000, againMs: 100, silentMs: 11_000 };

export interface SubmitParts {
  readonly state: State;
  readonly clock: Clock;
  /** null while Temporal is away. */
  readonly lane: () => LaneClient | null;
  /** Which part is away; null: all are there. */
  readonly awayPart: () => Promise<'temporal' | 'workers' | null>;
  readonly turns: LaneTurns;
  readonly log: Pick<Logger, 'warn'>;
  readonly times: SubmitTimes;
}

/**
 * The protocol of restore.md 6 for a row QUEUED: what is answered 503 never runs, and an operation that has ended is no conflict.
 * @throws ForgeError OPERATION_IN_PROGRESS, LANE_FULL (row and pins are gone), SERVICE_UNAVAILABLE, LANE_STUCK (the row is CANCELLED)
 */
export async function submit(parts: SubmitParts, input: OperationInput): Promise<{ queuedBehind: string | null }> {
  const { state, clock, times } = parts;
  const until = clock.now().getTime() + times.stuckMs;
  const silentUntil = clock.now().getTime() + times.silentMs;
  for (;;) {
    const answer = await parts.turns.run(input, () => ask(parts, input));
    if (answer === 'raced') return afterRace(parts, input.operationId);
    if (answer === 'no-answer') {
      if (clock.now().getTime() < silentUntil && (await parts.awayPart()) === null) continue;
      return expire(parts, input.operationId);
    }
    if (!isRefused(answer)) {
      if (await state.operations.accept(input.operationId, answer.queuedBehind)) {
        return { queuedBehind: answer.queuedBehind };
      }
      return afterRace(parts, input.operationId);
    }
    if (answer.refused === 'OPERATION_IN_PROGRESS') {
      const conflict = answer.details as ConflictDetails;
      const other = await state.operations.get(conflict.operationId);
      if (other?.endedAt == null) {
        await refuse(state, input.operationId);
        throw new ForgeError({
          code: 'OPERATION_IN_PROGRESS',
          params: { operationId: conflict.operationId, kind: conflict.kind },
        });
      }
      if (clock.now().getTime() >= until) {
        await state.transaction((stores) => stores.operations.expire(input.operationId));
        throw new ForgeError({ code: 'LANE_STUCK', params: { operationId: conflict.operationId } });
      }
      await new Promise((resolve) => setTimeout(resolve, times.againMs));
      continue;
    }
    if (answer.refused === 'LANE_FULL') {
      await refuse(state, input.operationId);
      throw new ForgeError({ code: 'LANE_FULL', params: { limit: (answer.details as { limit: number }).limit } });
    }
    return expire(parts, input.operationId);
  }
}

/** Temporal's client tells little in its own message and more in the cause. */
function reasonOf(error: unknown): string {
  const reasons: string[] = [];
  for (let each = error; each instanceof Error && reasons.length < 4; each = each.cause) {
    reasons.push(`${each.name}: ${each.message}`);
  }
  return reasons.join('; ').slice(0, 400);
}

/** One try at the lane, with a deadline of its own. */
async function ask(parts: SubmitParts, input: OperationInput): Promise<SubmitAnswer | Refused | 'raced' | 'no-answer'> {
  const { state, clock, times, log } = parts;
  const notAfter = new Date(clock.now().getTime() + times.acceptMs);
  if (!(await state.operations.renewDeadline(input.operationId, notAfter.toISOString()))) return 'raced';
  try {
    const lane = parts.lane();
    return lane === null ? 'no-answer' : await lane.submit(input, notAfter, await openOf(state, input));
  } catch (error) {
    log.warn({ part: 'workers', operationId: input.operationId, why: reasonOf(error) }, 'a lane did not answer');
    return 'no-answer';
  }
}

/** What a new lane has to wait for: everything the table calls accepted or begun, but the operation itself. */
export async function openOf(state: State, input: OperationInput): Promise<readonly ConflictDetails[]> {
  const rows = await state.operations.openInLane(input.workloadId);
  return rows.filter((row) => row.id !== input.operationId).map((row) => ({ operationId: row.id, kind: row.kind }));
}

const refuse = (state: State, operationId: string): Promise<boolean> =>
  state.transaction((stores) => stores.operations.refuse(operationId));

/** No answer in time: the row ends by compare-and-set, or the operation has begun and the request was accepted after all. */
async function expire(parts: SubmitParts, operationId: string): Promise<{ queuedBehind: string | null }> {
  await parts.state.transaction((stores) => stores.operations.expire(operationId));
  return afterRace(parts, operationId);
}

async function afterRace(parts: SubmitParts, operationId: string): Promise<{ queuedBehind: string | null }> {
  const row = await parts.state.operations.get(operationId);
  if (row !== null && (row.begunAt !== null || (row.acceptedAt !== null && row.endedAt === null))) {
    return { queuedBehind: row.queuedBehind };
  }
  throw new ForgeError({ code: 'SERVICE_UNAVAILABLE', params: { part: (await parts.awayPart()) ?? 'workers' } });
}
