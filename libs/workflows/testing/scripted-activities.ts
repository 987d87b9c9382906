import { ApplicationFailure, CancelledFailure, Context } from '@temporalio/activity';
import type { Client } from '@temporalio/client';
import { WorkflowNotFoundError } from '@temporalio/client';
import { ERRORS, workflowIds, type ErrorCode } from '@tiny-forge/contracts/domain';
import type { ControlActivities, FailureDetails, HostActivities, OperationView, RecoverStatus } from '../src/index.ts';

/** An own error of an activity, as the server's table makes it. */
export function ownFailure(code: ErrorCode, more: Partial<FailureDetails> = {}): ApplicationFailure {
  const details: FailureDetails = {
    code,
    kind: ERRORS[code].kind,
    retryable: ERRORS[code].retryable ?? false,
    params: {},
    message: `${code} on purpose`,
    ...more,
  };
  return ApplicationFailure.create({ type: code, message: details.message, nonRetryable: true, details: [details] });
}

/** Waits until cancelled, heartbeating. */
export async function untilCancelled(): Promise<never> {
  const context = Context.current();
  const timer = setInterval(() => context.heartbeat(), 50);
  try {
    await context.cancelled;
    throw new CancelledFailure('unreachable');
  } finally {
    clearInterval(timer);
  }
}

export type Script = { [K in keyof HostActivities]?: (operationId: string, call: number) => Promise<unknown> };

export interface Row {
  state: string;
  views: OperationView[];
  ended: boolean;
  begins: number;
  seq: number;
}

/** Activities that only remember: rows in memory, effects as a list of names. `script` replaces single host activities. */
export class ScriptedActivities {
  readonly effects: string[] = [];
  readonly rows = new Map<string, Row>();
  readonly recovered: { operationId: string; state: string }[] = [];
  /** Operations whose row refuses to begin. */
  readonly refuse = new Set<string>();
  readonly scripts = new Map<string, Script>();
  recoverStatus: RecoverStatus = {
    record: 'SWAPPED',
    plan: { txId: 'tx' },
    done: false,
    before: 'running-healthy',
    app: 'stopped',
    guide: null,
  };
  readonly #client: () => Client;
  readonly #calls = new Map<string, number>();

  constructor(client: () => Client) {
    this.#client = client;
  }

  row(operationId: string): Row {
    let row = this.rows.get(operationId);
    if (!row) this.rows.set(operationId, (row = { state: 'QUEUED', views: [], ended: false, begins: 0, seq: 0 }));
    return row;
  }

  control(): ControlActivities {
    return {
      begin: async ({ operationId, view }) => {
        const row = this.row(operationId);
        if (this.refuse.has(operationId) || row.ended) return { outcome: 'refused', app: 'absent' };
        row.begins += 1;
        row.state = view.state;
        return { outcome: 'begun', app: 'running' };
      },
      record: async ({ operationId, seq, view }) => {
        const row = this.row(operationId);
        if (row.ended || seq <= row.seq) return;
        row.seq = seq;
        row.state = view.state;
        row.views.push(view);
      },
      end: async ({ operationId, seq, view, recovered }) => {
        if (recovered) this.recovered.push({ operationId: recovered.operationId, state: recovered.state });
        const row = this.row(operationId);
        row.seq = seq;
        row.state = view.state;
        row.views.push(view);
        row.ended = view.state !== 'NEEDS_OPERATOR';
      },
      endUnbegun: async ({ operationId, state }) => {
        Object.assign(this.row(operationId), { state, ended: true });
      },
      awaitClosed: async ({ installation, operationId }) => {
        const handle = this.#client().workflow.getHandle(workflowIds.operation(installation, operationId));
        for (;;) {
          Context.current().heartbeat();
          try {
            if ((await handle.describe()).status.name !== 'RUNNING') return;
          } catch (error) {
            if (error instanceof WorkflowNotFoundError) return;
            throw error;
          }
          await Context.current().sleep(50);
        }
      },
      watchHost: async () => untilCancelled(),
    };
  }

  host(): HostActivities {
    const effect = async <T>(name: keyof HostActivities, operationId: string, value: T): Promise<T> => {
      const key = `${operationId}/${name}`;
      const call = (this.#calls.get(key) ?? 0) + 1;
      this.#calls.set(key, call);
      this.effects.push(name);
      const scripted = this.scripts.get(operationId)?.[name];
      return scripted ? (((await scripted(operationId, call)) as T | undefined) ?? value) : value;
    };
    const plan = { txId: 'tx' };
    return {
      preflight: ({ job }) => effect('preflight', job.operationId, { plan, app: 'running' as const }),
      extract: ({ job }) => effect('extract', job.operationId, { contentBytes: 1, entries: 1 }),
      stop: ({ job }) =>
        effect('stop', job.operationId, { before: 'running-healthy' as const, stoppedAt: '2026-01-01T00:00:00.000Z' }),
      preRestoreSnapshot: ({ job }) =>
        effect('preRestoreSnapshot', job.operationId, {
          snapshotId: 's',
          expiresAt: '2026-01-08T00:00:00.000Z',
          notes: 0,
        }),
      swap: ({ job }) => effect('swap', job.operationId, undefined),
      redeploy: ({ job }) => effect('redeploy', job.operationId, { instances: ['c1'] }),
      finish: ({ job }) => effect('finish', job.operationId, { warnings: [] as string[] }),
      removeNew: ({ job }) => effect('removeNew', job.operationId, undefined),
      swapBack: ({ job }) => effect('swapBack', job.operationId, undefined),
      resume: ({ job }) => effect('resume', job.operationId, { app: 'running' as const }),
      dropStaging: ({ job }) => effect('dropStaging', job.operationId, undefined),
      close: ({ job }) => effect('close', job.operationId, undefined),
      needsOperator: ({ job }) =>
        effect('needsOperator', job.operationId, { guide: { volumes: [], commands: [] } as never }),
      deploy: ({ job }) => effect('deploy', job.operationId, { app: 'running' as const, changed: true }),
      undoDeploy: ({ job }) => effect('undoDeploy', job.operationId, { app: 'running' as const }),
      stopApp: ({ job }) => effect('stopApp', job.operationId, { app: 'stopped' as const }),
      startApp: ({ job }) => effect('startApp', job.operationId, { app: 'running' as const }),
      capture: ({ job }) =>
        effect('capture', job.operationId, { app: 'running' as const, contentBytes: 1, entries: 1 }),
      importSnapshot: ({ job }) =>
        effect('importSnapshot', job.operationId, { app: 'running' as const, contentBytes: 1, entries: 1 }),
      discardImport: ({ job }) => effect('discardImport', job.operationId, undefined),
      deleteWorkload: ({ job }) => effect('deleteWorkload', job.operationId, undefined),
      recoverStatus: ({ job }) => effect('recoverStatus', job.operationId, this.recoverStatus),
    };
  }
}
