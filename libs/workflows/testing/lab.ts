import { randomUUID } from 'node:crypto';
import { WithStartWorkflowOperation, WorkflowUpdateFailedError, type Client } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { NativeConnection, Worker, type WorkflowBundleWithSourceMap } from '@temporalio/worker';
import { isEnded, taskQueues, workflowIds, type OperationKind } from '@tiny-forge/contracts/domain';
import {
  abortQueued,
  abortRun,
  retryStep,
  searchAttributes,
  submitOp,
  workflowTypes,
  type ConflictDetails,
  type LaneInput,
  type OperationInput,
  type RetryStepRequest,
  type SubmitAnswer,
  type Timings,
} from '../src/index.ts';
import type { operation, lane } from '../src/workflows.ts';
import { ScriptedActivities, type Row } from './scripted-activities.ts';

export const FAST: Partial<Timings> = { backoffMs: 20, maxBackoffMs: 50, outageMs: 30_000, laneIdleMs: 60_000 };

export type Refusal = { readonly refused: string; readonly details: unknown };

/** One installation on a real Temporal: its lane and operation workflows with scripted activities. */
export class Lab {
  readonly installation = randomUUID();
  readonly hostId = randomUUID();
  readonly activities: ScriptedActivities;
  readonly #env: TestWorkflowEnvironment;
  readonly #workers: { readonly worker: Worker; readonly run: Promise<void> }[] = [];

  constructor(env: TestWorkflowEnvironment) {
    this.#env = env;
    this.activities = new ScriptedActivities(() => env.client);
  }

  get client(): Client {
    return this.#env.client;
  }

  async start(bundle: WorkflowBundleWithSourceMap, roles: readonly ('control' | 'host')[] = ['control', 'host']) {
    const connection: NativeConnection = this.#env.nativeConnection;
    if (roles.includes('control')) {
      this.#run(
        await Worker.create({
          connection,
          workflowBundle: bundle,
          taskQueue: taskQueues.control(this.installation),
          activities: this.activities.control(),
        }),
      );
    }
    if (roles.includes('host')) await this.startHost();
  }

  async startHost(): Promise<void> {
    this.#run(
      await Worker.create({
        connection: this.#env.nativeConnection,
        taskQueue: taskQueues.host(this.installation, this.hostId),
        activities: this.activities.host(),
        maxHeartbeatThrottleInterval: '100ms',
        defaultHeartbeatThrottleInterval: '100ms',
      }),
    );
  }

  async stop(): Promise<void> {
    for (const { worker, run } of this.#workers.splice(0)) {
      if (worker.getState() === 'RUNNING') worker.shutdown();
      await run;
    }
  }

  input(workloadId: string, kind: OperationKind = 'restore', more: Partial<OperationInput> = {}): OperationInput {
    return {
      installation: this.installation,
      operationId: randomUUID(),
      kind,
      workloadId,
      hostId: this.hostId,
      snapshotId: randomUUID(),
      requestedBy: 'admin',
      operatorWaitSeconds: 0,
      options: {},
      ...more,
    };
  }

  async submit(
    input: OperationInput,
    options: {
      readonly open?: readonly ConflictDetails[];
      readonly notAfterMs?: number;
      readonly timings?: Partial<Timings>;
    } = {},
  ): Promise<SubmitAnswer | Refusal> {
    const laneInput: LaneInput = {
      installation: this.installation,
      workloadId: input.workloadId,
      open: options.open ?? [],
      timings: { ...FAST, ...options.timings },
    };
    const start = new WithStartWorkflowOperation<typeof lane>(workflowTypes.lane, {
      workflowId: workflowIds.lane(this.installation, input.workloadId),
      taskQueue: taskQueues.control(this.installation),
      args: [laneInput],
      workflowIdConflictPolicy: 'USE_EXISTING',
      typedSearchAttributes: [
        { key: searchAttributes.installation, value: this.installation },
        { key: searchAttributes.workloadId, value: input.workloadId },
      ],
    });
    const notAfter = new Date(Date.now() + (options.notAfterMs ?? 10_000)).toISOString();
    try {
      return await this.client.workflow.executeUpdateWithStart(submitOp, {
        startWorkflowOperation: start,
        args: [{ input, notAfter }],
      });
    } catch (error) {
      if (error instanceof WorkflowUpdateFailedError && error.cause instanceof ApplicationFailure) {
        return { refused: error.cause.type ?? '', details: error.cause.details?.[0] };
      }
      throw error;
    }
  }

  handle(operationId: string) {
    return this.client.workflow.getHandle<typeof operation>(workflowIds.operation(this.installation, operationId));
  }

  laneHandle(workloadId: string) {
    return this.client.workflow.getHandle<typeof lane>(workflowIds.lane(this.installation, workloadId));
  }

  /** null: taken; else the failure's type. */
  async retry(operationId: string, request: RetryStepRequest = {}): Promise<string | null> {
    try {
      await this.handle(operationId).executeUpdate(retryStep, { args: [request] });
      return null;
    } catch (error) {
      return updateRefusal(error);
    }
  }

  /** null: taken; else the failure's type. */
  async abort(operationId: string): Promise<string | null> {
    try {
      await this.handle(operationId).executeUpdate(abortRun, { args: [{ who: 'admin' }] });
      return null;
    } catch (error) {
      return updateRefusal(error);
    }
  }

  abortQueued(workloadId: string, operationId: string): Promise<'aborted' | 'not-queued'> {
    return this.laneHandle(workloadId).executeUpdate(abortQueued, { args: [{ operationId, who: 'admin' }] });
  }

  row(operationId: string): Row {
    return this.activities.row(operationId);
  }

  async until(operationId: string, state: string, timeoutMs = 15_000): Promise<Row> {
    return this.eventually(
      () => (this.row(operationId).state === state ? this.row(operationId) : null),
      () => `${operationId} is ${this.row(operationId).state}, not ${state}`,
      timeoutMs,
    );
  }

  untilEnded(operationId: string, timeoutMs = 20_000): Promise<Row> {
    return this.eventually(
      () => {
        const row = this.row(operationId);
        return row.ended || row.state === 'NEEDS_OPERATOR' || isEnded(row.state as never) ? row : null;
      },
      () => `${operationId} is ${this.row(operationId).state}, not ended`,
      timeoutMs,
    );
  }

  async eventually<T>(look: () => T | null | Promise<T | null>, why: () => string, timeoutMs = 15_000): Promise<T> {
    const limit = Date.now() + timeoutMs;
    for (;;) {
      const found = await look();
      if (found !== null) return found;
      if (Date.now() > limit) throw new Error(why());
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** JSON text of a closed run's history, as `npm run replay` reads it. */
  async history(workflowId: string): Promise<string> {
    return historyToJSON(await this.client.workflow.getHandle(workflowId).fetchHistory());
  }

  #run(worker: Worker): void {
    this.#workers.push({ worker, run: worker.run() });
  }
}

export function updateRefusal(error: unknown): string {
  if (error instanceof WorkflowUpdateFailedError && error.cause instanceof ApplicationFailure) {
    return error.cause.type ?? '';
  }
  throw error;
}
