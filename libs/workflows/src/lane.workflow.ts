import { ApplicationFailure, WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import {
  allHandlersFinished,
  ChildWorkflowCancellationType,
  condition,
  continueAsNew,
  ParentClosePolicy,
  setHandler,
  startChild,
  workflowInfo,
  type ChildWorkflowHandle,
} from '@temporalio/workflow';
import { isExclusive, LANE_CAPACITY, workflowIds } from '@tiny-forge/contracts/domain';
import { controlActivities, waitActivities } from './activity-options.ts';
import {
  abortQueued,
  laneState,
  submitOp,
  workflowTypes,
  type ConflictDetails,
  type SubmitAnswer,
  type SubmitRequest,
} from './messages.ts';
import type { OperationInput } from './operation-types.ts';
import type { operation } from './operation.workflow.ts';
import { searchAttributes } from './search-attributes.ts';
import { DEFAULT_TIMINGS, type Timings } from './timings.ts';

export interface LaneInput {
  readonly installation: string;
  readonly workloadId: string;
  /** Accepted or begun operations of this workload that the table calls open: an earlier lane may have started them. */
  readonly open: readonly ConflictDetails[];
  readonly timings?: Partial<Timings>;
  /** Carried over by continue-as-new. */
  readonly queue?: readonly OperationInput[];
}

/** After so many operations a lane continues as new, whatever Temporal suggests. */
const OPERATIONS_PER_RUN = 200;

/** The queue of one workload: one operation at a time, in order (restore.md 5.3). Its memory is not proof, hence `open`. */
export async function lane(input: LaneInput): Promise<void> {
  const timings: Timings = { ...DEFAULT_TIMINGS, ...input.timings };
  const control = controlActivities(timings);
  const waits = waitActivities(timings);
  const queue: OperationInput[] = [...(input.queue ?? [])];
  let held: readonly ConflictDetails[] = input.open;
  let current: OperationInput | null = null;
  let done = 0;

  const all = (): readonly ConflictDetails[] => [...held, ...(current ? [current] : []), ...queue];
  const positionOf = (operationId: string): number => all().findIndex((one) => one.operationId === operationId);

  setHandler(laneState, () => ({
    current: current?.operationId ?? null,
    queue: queue.map((one) => one.operationId),
    held: held.map((one) => one.operationId),
  }));
  setHandler(
    submitOp,
    ({ input: operation }: SubmitRequest): SubmitAnswer => {
      if (positionOf(operation.operationId) === -1) queue.push(operation);
      const position = positionOf(operation.operationId);
      return {
        workflowId: workflowIds.operation(input.installation, operation.operationId),
        position,
        queuedBehind: all()[position - 1]?.operationId ?? null,
      };
    },
    {
      validator: ({ input: operation, notAfter }: SubmitRequest) => {
        if (positionOf(operation.operationId) !== -1) return;
        if (Date.now() > Date.parse(notAfter)) throw refusal('SUBMIT_EXPIRED');
        const conflict = isExclusive(operation.kind) ? all().find((one) => excludes(one, operation)) : undefined;
        if (conflict) {
          throw refusal('OPERATION_IN_PROGRESS', { operationId: conflict.operationId, kind: conflict.kind });
        }
        if (queue.length >= LANE_CAPACITY) throw refusal('LANE_FULL', { limit: LANE_CAPACITY });
      },
    },
  );
  setHandler(abortQueued, async ({ operationId, who }) => {
    const at = queue.findIndex((one) => one.operationId === operationId);
    if (at === -1) return 'not-queued';
    queue.splice(at, 1);
    await control.endUnbegun({ operationId, state: 'CANCELLED', error: { code: 'ABORTED', params: { who } } });
    return 'aborted';
  });

  for (const { operationId } of input.open) {
    await waits.awaitClosed({ installation: input.installation, operationId });
    held = held.filter((one) => one.operationId !== operationId);
  }

  for (;;) {
    if (queue.length === 0) {
      await condition(() => queue.length > 0, timings.laneIdleMs);
      // Nothing may be awaited between this look and the return: an operation accepted in between would be lost.
      if (queue.length === 0 && allHandlersFinished()) return;
      await condition(() => queue.length > 0 || allHandlersFinished());
      continue;
    }
    if (workflowInfo().continueAsNewSuggested || done >= OPERATIONS_PER_RUN) {
      await condition(allHandlersFinished);
      await continueAsNew<typeof lane>({ ...input, open: [], queue });
    }
    current = queue.shift() ?? null;
    if (!current) continue;
    const state = await runOne(current);
    const deleted = current.kind === 'delete' && state === 'SUCCEEDED';
    current = null;
    done += 1;
    if (deleted) await cancelQueued();
  }

  /** Starts one operation and waits for its end; what it says of itself is in its row. */
  async function runOne(next: OperationInput): Promise<string | null> {
    let child: ChildWorkflowHandle<typeof operation>;
    try {
      child = await startChild<typeof operation>(workflowTypes.operation, {
        workflowId: workflowIds.operation(input.installation, next.operationId),
        workflowIdReusePolicy: 'REJECT_DUPLICATE',
        parentClosePolicy: ParentClosePolicy.ABANDON,
        cancellationType: ChildWorkflowCancellationType.ABANDON,
        args: [next, input.timings ?? {}],
        typedSearchAttributes: [
          { key: searchAttributes.installation, value: next.installation },
          { key: searchAttributes.workloadId, value: next.workloadId },
          { key: searchAttributes.opKind, value: next.kind },
          { key: searchAttributes.opState, value: 'RUNNING' },
        ],
      });
    } catch (error) {
      if (error instanceof WorkflowExecutionAlreadyStartedError) {
        await waits.awaitClosed({ installation: input.installation, operationId: next.operationId });
        return null;
      }
      await control.endUnbegun({
        operationId: next.operationId,
        state: 'FAILED',
        error: { code: 'INTERNAL', params: { reportId: next.operationId } },
      });
      return null;
    }
    try {
      return (await child.result()).state;
    } catch {
      // Its own row tells; a run that was terminated is the reconciler's.
      return null;
    }
  }

  async function cancelQueued(): Promise<void> {
    while (queue.length > 0) {
      const next = queue.shift() as OperationInput;
      await control.endUnbegun({
        operationId: next.operationId,
        state: 'CANCELLED',
        error: { code: 'WORKLOAD_GONE', params: {} },
      });
    }
  }
}

/** restore, undo-restore and recover exclude each other; a `recover` does not exclude the operation it recovers. */
function excludes(other: ConflictDetails, operation: OperationInput): boolean {
  return (
    isExclusive(other.kind as OperationInput['kind']) &&
    other.operationId !== operation.operationId &&
    other.operationId !== operation.options.recovers
  );
}

const refusal = (type: string, details?: unknown): ApplicationFailure =>
  ApplicationFailure.create({
    type,
    message: type,
    nonRetryable: true,
    details: details === undefined ? [] : [details],
  });
