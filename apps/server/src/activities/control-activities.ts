import { Context } from '@temporalio/activity';
import { WorkflowNotFoundError, type Client } from '@temporalio/client';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import type { Logger } from 'pino';
import {
  ERRORS,
  isEnded,
  renderDetail,
  workflowIds,
  type ErrorCode,
  type OperationState,
} from '@tiny-forge/contracts/domain';
import type { ControlActivities, ErrorView, RecoveredEnd } from '@tiny-forge/workflows';
import type { Clock, OperationRecord, State } from '../state/index.ts';
import type { ActivityContext } from './guard-activities.ts';
import { recoveredView } from './recovered-view.ts';

export interface ControlParts {
  readonly state: State;
  readonly clock: Clock;
  readonly client: Client;
  readonly log: Logger;
  readonly installation: string;
  /** How often Temporal is asked while something is waited for, ms. */
  readonly pollMs?: number;
}

type WithContext<T> = {
  [K in keyof T]: T[K] extends (request: infer R) => infer A ? (request: R, context: ActivityContext) => A : never;
};

const POLL_MS = 500;
const SCHEDULED = 1;

/** The writers 2, 4 and 5 of the table of operations (restore.md 6), and what workflows must wait for. */
export function controlActivities(parts: ControlParts): WithContext<ControlActivities> {
  const { state, clock, client } = parts;
  const pollMs = parts.pollMs ?? POLL_MS;

  return {
    begin: async ({ operationId, seq, view, runId }) =>
      state.transaction(async ({ operations }) => {
        const row = await operations.get(operationId);
        if (!row) return { outcome: 'refused', app: 'absent' };
        const { app } = row.view.situation;
        if (row.state === 'QUEUED' && row.acceptedAt === null && Date.parse(row.notAfter) < clock.now().getTime()) {
          await operations.expire(operationId);
          return { outcome: 'refused', app };
        }
        const begun = await operations.begin(operationId, runId, seq, { ...view, situation: row.view.situation });
        return { outcome: begun === 'begun' ? 'begun' : 'refused', app };
      }),

    record: async ({ operationId, seq, view }) => {
      await state.operations.record(operationId, seq, view);
    },

    end: async ({ operationId, seq, view, runId, recovered }) => {
      await storeHistory(parts, operationId, runId);
      await state.transaction(async (stores) => {
        if (recovered) await endRecovered(stores, recovered, clock.now().toISOString());
        if (!isEnded(view.state)) {
          if (await stores.operations.record(operationId, seq, view)) await audit(stores, operationId, view.state);
        } else if (await stores.operations.end(operationId, view)) await audit(stores, operationId, view.state);
      });
    },

    endUnbegun: async ({ operationId, state: outcome, error }) => {
      const view = errorOf(error.code, error.params, 'Nothing began; all is as before.');
      await state.transaction(async (stores) => {
        const row = await stores.operations.get(operationId);
        if (!row || row.begunAt !== null || row.endedAt !== null) return;
        const ended =
          outcome === 'CANCELLED'
            ? await stores.operations.cancelQueued(operationId, view)
            : await stores.operations.end(operationId, { ...row.view, state: outcome, error: view });
        if (ended) await audit(stores, operationId, outcome);
      });
    },

    awaitClosed: async ({ installation, operationId }, { signal }) => {
      const handle = client.workflow.getHandle(workflowIds.operation(installation, operationId));
      for (;;) {
        signal.throwIfAborted();
        try {
          if ((await handle.describe()).status.name !== 'RUNNING') return;
        } catch (error) {
          if (error instanceof WorkflowNotFoundError) return;
          throw error;
        }
        await Context.current().sleep(pollMs);
      }
    },

    watchHost: async ({ operationId, runId, until, hostQueue, silentMs }, { signal }) => {
      const handle = client.workflow.getHandle(workflowIds.operation(parts.installation, operationId), runId);
      for (;;) {
        signal.throwIfAborted();
        const silent = await isSilent(handle, hostQueue, until === 'silent' ? silentMs : 0, clock);
        if (silent === (until === 'silent')) return;
        await Context.current().sleep(Math.max(pollMs, 2_000));
      }
    },
  };
}

/** Call inside a transaction. An ended row stays as it is. */
export async function endRecovered(
  stores: Pick<State, 'audit' | 'operations'>,
  recovered: RecoveredEnd,
  at: string,
): Promise<void> {
  const row = await stores.operations.get(recovered.operationId);
  if (!row || row.endedAt !== null) return;
  const view = recoveredView(row.view, recovered, at);
  const changed = isEnded(view.state)
    ? await stores.operations.end(row.id, view)
    : await stores.operations.record(row.id, row.seq + 1, view);
  if (changed) await audit(stores, row.id, view.state);
}

/** Whether an activity of the host's queue waits, and has waited for so long, for somebody to take it. */
async function isSilent(
  handle: ReturnType<Client['workflow']['getHandle']>,
  hostQueue: string,
  silentMs: number,
  clock: Clock,
): Promise<boolean> {
  const { raw } = await handle.describe();
  const now = clock.now().getTime();
  return (raw.pendingActivities ?? []).some((activity) => {
    const since = activity.scheduledTime ?? activity.lastStartedTime;
    const name = activity.activityOptions?.taskQueue?.name;
    if (Number(activity.state) !== SCHEDULED || (name !== undefined && name !== null && name !== hostQueue))
      return false;
    return now - Number(since?.seconds ?? 0) * 1_000 >= silentMs;
  });
}

/** The history until now, so that it can be read and replayed when Temporal has forgotten it. Never keeps an operation from ending. */
async function storeHistory(parts: ControlParts, operationId: string, runId: string): Promise<void> {
  try {
    const handle = parts.client.workflow.getHandle(workflowIds.operation(parts.installation, operationId), runId);
    await parts.state.operations.storeHistory(operationId, historyToJSON(await handle.fetchHistory()));
  } catch (error) {
    parts.log.warn({ part: 'operations', operationId, err: error }, 'the history could not be stored');
  }
}

function errorOf(code: string, params: ErrorView['params'], state: string): ErrorView {
  const known = code as ErrorCode;
  return { code, params, detail: renderDetail(known, params), state, next: ERRORS[known].next };
}

async function audit(stores: Pick<State, 'audit' | 'operations'>, operationId: string, outcome: OperationState) {
  const row: OperationRecord | null = await stores.operations.get(operationId);
  if (!row) return;
  await stores.audit.add({
    principal: row.requestedBy,
    from: 'operation',
    verb: `${row.kind}:end`,
    target: row.workloadId,
    outcome,
    details: { operationId, code: row.view.error?.code ?? null },
  });
}
