import {
  WithStartWorkflowOperation,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
  type Client,
} from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { taskQueues, workflowIds } from '@tiny-forge/contracts/domain';
import {
  abortQueued,
  abortRun,
  laneState,
  retryStep,
  searchAttributes,
  submitOp,
  workflowTypes,
  type ConflictDetails,
  type LaneInput,
  type LaneState,
  type OperationInput,
  type SubmitAnswer,
  type Timings,
} from '@tiny-forge/workflows';

/** What a lane or an operation answered on purpose; anything else (no answer, no worker) is thrown. */
export interface Refused {
  readonly refused: string;
  readonly details: unknown;
}

/** The calls to lanes and operations. Every call ends by its deadline (ms since the epoch). */
export class LaneClient {
  readonly #client: Client;
  readonly #installation: string;
  readonly #timings: Partial<Timings>;

  constructor(client: Client, installation: string, timings: Partial<Timings> = {}) {
    this.#client = client;
    this.#installation = installation;
    this.#timings = timings;
  }

  /** Update-with-start: a lane that is not there is made, told what the table calls open. */
  async submit(
    input: OperationInput,
    notAfter: Date,
    open: readonly ConflictDetails[],
  ): Promise<SubmitAnswer | Refused> {
    const lane: LaneInput = {
      installation: this.#installation,
      workloadId: input.workloadId,
      open,
      timings: this.#timings,
    };
    const startWorkflowOperation = new WithStartWorkflowOperation(workflowTypes.lane, {
      workflowId: workflowIds.lane(this.#installation, input.workloadId),
      taskQueue: taskQueues.control(this.#installation),
      args: [lane],
      workflowIdConflictPolicy: 'USE_EXISTING',
      typedSearchAttributes: [
        { key: searchAttributes.installation, value: this.#installation },
        { key: searchAttributes.workloadId, value: input.workloadId },
      ],
    });
    // The promise of the start rejects too when the call fails: nobody else looks at it.
    startWorkflowOperation.workflowHandle().catch(() => undefined);
    return this.#answered(notAfter.getTime(), () =>
      this.#client.workflow.executeUpdateWithStart(submitOp, {
        startWorkflowOperation,
        args: [{ input, notAfter: notAfter.toISOString() }],
      }),
    );
  }

  /** null: there is no lane. */
  async abortQueued(
    workloadId: string,
    operationId: string,
    who: string,
    deadline: number,
  ): Promise<'aborted' | 'not-queued' | null> {
    const handle = this.#client.workflow.getHandle(workflowIds.lane(this.#installation, workloadId));
    try {
      return await this.#client.withDeadline(deadline, () =>
        handle.executeUpdate(abortQueued, { args: [{ operationId, who }] }),
      );
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return null;
      throw error;
    }
  }

  /** `gone`: Temporal calls the operation closed or unknown. */
  abort(operationId: string, who: string, deadline: number): Promise<'taken' | 'gone' | Refused> {
    return this.#message(operationId, deadline, (handle) => handle.executeUpdate(abortRun, { args: [{ who }] }));
  }

  retryStep(
    operationId: string,
    options: { readonly safety?: 'keep-old-tree' },
    deadline: number,
  ): Promise<'taken' | 'gone' | Refused> {
    return this.#message(operationId, deadline, (handle) => handle.executeUpdate(retryStep, { args: [options] }));
  }

  /** null: there is no lane, or it has closed. */
  async state(workloadId: string, deadline: number): Promise<LaneState | null> {
    const handle = this.#client.workflow.getHandle(workflowIds.lane(this.#installation, workloadId));
    try {
      return await this.#client.withDeadline(deadline, async () => {
        const { status } = await handle.describe();
        return status.name === 'RUNNING' ? await handle.query(laneState) : null;
      });
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return null;
      throw error;
    }
  }

  async #message(
    operationId: string,
    deadline: number,
    send: (handle: ReturnType<Client['workflow']['getHandle']>) => Promise<void>,
  ): Promise<'taken' | 'gone' | Refused> {
    const handle = this.#client.workflow.getHandle(workflowIds.operation(this.#installation, operationId));
    try {
      const answer = await this.#answered(deadline, async () => {
        await send(handle);
        return 'taken' as const;
      });
      return answer;
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return 'gone';
      throw error;
    }
  }

  async #answered<T>(deadline: number, call: () => Promise<T>): Promise<T | Refused> {
    try {
      return await this.#client.withDeadline(deadline, call);
    } catch (error) {
      if (error instanceof WorkflowUpdateFailedError && error.cause instanceof ApplicationFailure) {
        return { refused: error.cause.type ?? '', details: error.cause.details?.[0] };
      }
      throw error;
    }
  }
}

export const isRefused = (answer: unknown): answer is Refused =>
  typeof answer === 'object' && answer !== null && 'refused' in answer;
