import { isExclusive } from '@tiny-forge/contracts/domain';
import type { ConflictDetails, OperationInput, SubmitAnswer } from '@tiny-forge/workflows';
import { isRefused, type Refused } from './lane-client.ts';

type Answer = SubmitAnswer | Refused;

interface Waiting {
  readonly input: OperationInput;
  readonly go: () => void;
  readonly answer: (answer: Refused) => void;
}

/** Temporal takes ten updates of one workflow at a time; two processes may share a lane. */
const AT_ONCE = 4;

/**
 * At most a few submits of this process at one lane at a time. A refusal that names a running restore, or the acceptance of one, holds for every
 * restore that waited for its turn meanwhile: they are answered with it instead of asking the lane a hundred times.
 */
export class LaneTurns {
  readonly #lanes = new Map<string, { running: number; readonly waiting: Waiting[] }>();

  async run<T>(input: OperationInput, call: () => Promise<Answer | T>): Promise<Answer | T> {
    const refused = await this.#turn(input);
    if (refused !== null) return refused;
    try {
      const answer = await call();
      this.#share(input, answer);
      return answer;
    } finally {
      this.#next(input.workloadId);
    }
  }

  /** null: it is our turn. */
  #turn(input: OperationInput): Promise<Refused | null> | null {
    let lane = this.#lanes.get(input.workloadId);
    if (!lane) this.#lanes.set(input.workloadId, (lane = { running: 0, waiting: [] }));
    if (lane.running < AT_ONCE) {
      lane.running += 1;
      return null;
    }
    const { waiting } = lane;
    return new Promise((resolve) => waiting.push({ input, go: () => resolve(null), answer: resolve }));
  }

  #next(workloadId: string): void {
    const lane = this.#lanes.get(workloadId);
    if (!lane) return;
    const next = lane.waiting.shift();
    if (next) return next.go();
    lane.running -= 1;
    if (lane.running === 0) this.#lanes.delete(workloadId);
  }

  #share(input: OperationInput, answer: unknown): void {
    const conflict = conflictOf(input, answer);
    const lane = this.#lanes.get(input.workloadId);
    if (conflict === null || !lane) return;
    const refusal: Refused = { refused: 'OPERATION_IN_PROGRESS', details: conflict };
    for (const one of lane.waiting.splice(0)) {
      const { kind, operationId, options } = one.input;
      const holds =
        isExclusive(kind) && conflict.operationId !== operationId && conflict.operationId !== options.recovers;
      if (holds) one.answer(refusal);
      else lane.waiting.push(one);
    }
  }
}

/** The operation that an answer proves to be in the lane and to exclude others. */
function conflictOf(input: OperationInput, answer: unknown): ConflictDetails | null {
  if (isRefused(answer)) {
    return answer.refused === 'OPERATION_IN_PROGRESS' ? (answer.details as ConflictDetails) : null;
  }
  const accepted = typeof answer === 'object' && answer !== null && 'workflowId' in answer;
  return accepted && isExclusive(input.kind) ? { operationId: input.operationId, kind: input.kind } : null;
}
