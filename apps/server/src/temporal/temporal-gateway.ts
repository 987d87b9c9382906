import type { Client } from '@temporalio/client';
import { WorkflowNotFoundError } from '@temporalio/client';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import type { Logger } from 'pino';
import {
  ForgeError,
  isEnded,
  taskQueues,
  workflowIds,
  type OperationState,
  type StepProgress,
} from '@tiny-forge/contracts/domain';
import { searchAttributes, workflowTypes, type OperationInput, type Timings } from '@tiny-forge/workflows';
import type { OperationGateway, PartHealth } from '../operations/operation-gateway.ts';
import type { Clock, OperationRecord, State } from '../state/index.ts';
import { isRefused, LaneClient, type Refused } from './lane-client.ts';
import { LaneTurns } from './lane-turns.ts';
import { submit, SUBMIT_TIMES, type SubmitTimes } from './operation-submit.ts';
import type { ProgressMemory } from './progress-memory.ts';
import type { TemporalLink } from './temporal-link.ts';

export interface GatewayOptions {
  readonly state: State;
  readonly clock: Clock;
  readonly installation: string;
  readonly hostId: string;
  readonly link: Pick<TemporalLink, 'client' | 'temporal' | 'workers'>;
  readonly progress: ProgressMemory;
  readonly log: Logger;
  readonly times?: Partial<SubmitTimes>;
  readonly timings?: Partial<Timings>;
}

const MESSAGE_MS = 5_000;
const READ_MS = 2_000;
const LIVE_STATES_MS = 300;
const POLLERS_MS = 1_000;
/** A worker polls anew at least every minute. */
const POLLER_SILENT_MS = 75_000;
const MAX_LIVE = 1_000;

type LiveStates = ReadonlyMap<string, { readonly state: OperationState; readonly step: string | null }>;

/** The running side, seen from REST: lanes, operations, visibility and histories of one installation. */
export class TemporalGateway implements OperationGateway {
  readonly #options: GatewayOptions;
  readonly #times: SubmitTimes;
  readonly #turns = new LaneTurns();
  #liveStates: { readonly at: number; readonly value: Promise<LiveStates | null> } | null = null;
  #pollers: { readonly at: number; readonly value: Promise<PartHealth> } | null = null;

  constructor(options: GatewayOptions) {
    this.#options = options;
    this.#times = { ...SUBMIT_TIMES, ...options.times };
  }

  /** null while Temporal is away. */
  lane(): LaneClient | null {
    const { client } = this.#options.link;
    return client === null ? null : new LaneClient(client, this.#options.installation, this.#options.timings);
  }

  submit(input: OperationInput): Promise<{ readonly queuedBehind: string | null }> {
    return submit(
      {
        state: this.#options.state,
        clock: this.#options.clock,
        lane: () => this.lane(),
        awayPart: async () => {
          const { temporal, workers } = await this.health();
          if (temporal.status !== 'ok') return 'temporal';
          return workers.status === 'ok' ? null : 'workers';
        },
        turns: this.#turns,
        log: this.#options.log,
        times: this.#times,
      },
      input,
    );
  }

  async retryStep(operationId: string, options: { readonly safety?: 'keep-old-tree' }): Promise<void> {
    await this.#open(operationId);
    const lane = this.#needLane();
    settle(await away(() => lane.retryStep(operationId, options, Date.now() + MESSAGE_MS)));
  }

  async abort(operationId: string, who: string): Promise<void> {
    let row = await this.#open(operationId);
    const lane = this.#needLane();
    const deadline = Date.now() + MESSAGE_MS;
    for (;;) {
      if (row.begunAt === null) {
        const answer = await away(() => lane.abortQueued(row.workloadId, operationId, who, deadline));
        if (answer === 'aborted') return;
        // No lane: nobody else will ever end this row, unless its workflow has just begun.
        if (answer === null && (await this.#cancelQueued(operationId, who))) return;
      }
      const answer = await away(() => lane.abort(operationId, who, deadline));
      if (answer !== 'gone') return settle(answer);
      row = await this.#open(operationId);
      if (row.begunAt !== null || Date.now() + 200 > deadline) return settle('gone');
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  liveStates(): Promise<LiveStates | null> {
    const now = Date.now();
    if (this.#liveStates === null || now - this.#liveStates.at > LIVE_STATES_MS) {
      this.#liveStates = { at: now, value: this.#readLiveStates() };
    }
    return this.#liveStates.value;
  }

  async progress(operationId: string): Promise<Readonly<Record<string, StepProgress>>> {
    const here = this.#options.progress.of(operationId);
    const { client } = this.#options.link;
    if (here !== null || client === null) return here ?? {};
    try {
      return await client.withDeadline(Date.now() + READ_MS, () => this.#progressOf(client, operationId));
    } catch {
      return {};
    }
  }

  async history(operationId: string): Promise<unknown> {
    const row = await this.#options.state.operations.get(operationId);
    if (!row) throw new ForgeError({ code: 'NOT_FOUND', params: { what: `operation ${operationId}` } });
    const stored = await this.#options.state.operations.history(operationId);
    const fresh = await this.#freshHistory(row).catch((error: unknown) => {
      if (stored !== null || error instanceof WorkflowNotFoundError) return null;
      throw unavailable('temporal', error);
    });
    const text = fresh ?? stored;
    if (text === null) throw new ForgeError({ code: 'NOT_FOUND', params: { what: `the history of ${operationId}` } });
    return JSON.parse(text) as unknown;
  }

  async health(): Promise<{ readonly temporal: PartHealth; readonly workers: PartHealth }> {
    const { link } = this.#options;
    const { temporal } = link;
    return { temporal, workers: link.workers ?? (await this.#pollersHealth()) };
  }

  /** What `end` stored lacks its own end: while Temporal has it, the complete one is read and kept. */
  async #freshHistory(row: OperationRecord): Promise<string | null> {
    const { client } = this.#options.link;
    if (client === null) throw new Error('Temporal is away');
    const handle = client.workflow.getHandle(
      workflowIds.operation(this.#options.installation, row.id),
      row.runId ?? undefined,
    );
    const text = historyToJSON(await client.withDeadline(Date.now() + MESSAGE_MS, () => handle.fetchHistory()));
    if (row.endedAt !== null) await this.#options.state.operations.storeHistory(row.id, text);
    return text;
  }

  async #open(operationId: string): Promise<OperationRecord> {
    const row = await this.#options.state.operations.get(operationId);
    if (!row) throw new ForgeError({ code: 'NOT_FOUND', params: { what: `operation ${operationId}` } });
    if (isEnded(row.state) || row.state === 'NEEDS_OPERATOR') throw new ForgeError({ code: 'NOT_WAITING' });
    return row;
  }

  #needLane(): LaneClient {
    const lane = this.lane();
    if (lane === null) throw new ForgeError({ code: 'SERVICE_UNAVAILABLE', params: { part: 'temporal' } });
    return lane;
  }

  #cancelQueued(operationId: string, who: string): Promise<boolean> {
    const error = new ForgeError({ code: 'ABORTED', params: { who } });
    return this.#options.state.transaction((stores) =>
      stores.operations.cancelQueued(operationId, {
        code: error.code,
        params: error.params,
        detail: error.message,
        state: 'Nothing began; all is as before.',
        next: 'Run it again when ready.',
      }),
    );
  }

  async #readLiveStates(): Promise<LiveStates | null> {
    const { client } = this.#options.link;
    if (client === null) return null;
    const query =
      `WorkflowType='${workflowTypes.operation}' AND ExecutionStatus='Running'` +
      ` AND ${searchAttributes.installation.name}='${this.#options.installation}'`;
    const prefix = workflowIds.operation(this.#options.installation, '');
    const states = new Map<string, { readonly state: OperationState; readonly step: string | null }>();
    try {
      await client.withDeadline(Date.now() + READ_MS, async () => {
        for await (const run of client.workflow.list({ query, pageSize: 200 })) {
          const state = run.typedSearchAttributes.get(searchAttributes.opState);
          if (state === undefined) continue;
          const step: unknown = run.typedSearchAttributes.get(searchAttributes.opStep);
          states.set(run.workflowId.slice(prefix.length), {
            state: state as OperationState,
            step: typeof step === 'string' ? step : null,
          });
          if (states.size >= MAX_LIVE) break;
        }
      });
      return states;
    } catch {
      return null;
    }
  }

  async #progressOf(client: Client, operationId: string): Promise<Readonly<Record<string, StepProgress>>> {
    const handle = client.workflow.getHandle(workflowIds.operation(this.#options.installation, operationId));
    const { raw } = await handle.describe();
    const found: Record<string, StepProgress> = {};
    for (const activity of raw.pendingActivities ?? []) {
      const payloads = activity.heartbeatDetails?.payloads ?? [];
      const data = payloads[0]?.data;
      const name = activity.activityType?.name;
      if (!data || !name) continue;
      const progress = JSON.parse(Buffer.from(data).toString('utf8')) as StepProgress | null;
      if (progress !== null) found[name] = progress;
    }
    return found;
  }

  #pollersHealth(): Promise<PartHealth> {
    const now = Date.now();
    if (this.#pollers === null || now - this.#pollers.at > POLLERS_MS) {
      this.#pollers = { at: now, value: this.#askPollers() };
    }
    return this.#pollers.value;
  }

  /** For a process without workers of its own. */
  async #askPollers(): Promise<PartHealth> {
    const { client } = this.#options.link;
    if (client === null) return { status: 'away', detail: 'Temporal is away' };
    const { installation, hostId } = this.#options;
    const queues = [
      { name: taskQueues.control(installation), type: 1 },
      { name: taskQueues.host(installation, hostId), type: 2 },
    ];
    try {
      for (const queue of queues) {
        const { pollers } = await client.withDeadline(Date.now() + READ_MS, () =>
          client.workflowService.describeTaskQueue({
            namespace: client.options.namespace,
            taskQueue: { name: queue.name },
            taskQueueType: queue.type,
          }),
        );
        const alive = (pollers ?? []).some(
          (poller) => Date.now() - Number(poller.lastAccessTime?.seconds ?? 0) * 1000 < POLLER_SILENT_MS,
        );
        if (!alive) return { status: 'away', detail: `nobody polls ${queue.name}` };
      }
      return { status: 'ok', detail: null };
    } catch {
      return { status: 'away', detail: 'Temporal did not answer' };
    }
  }
}

function settle(answer: 'taken' | 'gone' | Refused): void {
  if (answer === 'taken') return;
  if (isRefused(answer) && answer.refused === 'PAST_DECISION') throw new ForgeError({ code: 'PAST_DECISION' });
  if (isRefused(answer) && answer.refused === 'SAFETY_NOT_SUPPORTED') {
    throw new ForgeError({ code: 'SAFETY_NOT_SUPPORTED' });
  }
  throw new ForgeError({ code: 'NOT_WAITING' });
}

async function away<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw unavailable('workers', error);
  }
}

const unavailable = (part: string, cause: unknown): ForgeError =>
  new ForgeError({ code: 'SERVICE_UNAVAILABLE', params: { part }, cause });
