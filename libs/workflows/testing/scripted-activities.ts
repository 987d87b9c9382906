import { ApplicationFailure, CancelledFailure, Context } from '@temporalio/activity';
import type { Client } from '@temporalio/client';
import { WorkflowNotFoundError } from '@temporalio/client';
import { ERRORS, workflowIds, type ErrorCode } from '@tiny-forge/contracts/domain';
import type {
  ControlActivities,
  FailureDetails,
  HostActivities,
  Job,
  KeptView,
  OperationView,
  RecoverStatus,
} from '../src/index.ts';

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

/** What `preRestoreSnapshot` and `finish` answer where the old trees are kept. */
export const KEPT = { snapshotId: null };
export const FINISHED_KEEPING = {
  warnings: [],
  kept: {
    until: '2026-01-08T00:00:00.000Z',
    trees: [{ target: '/data', livePath: '/v/data', path: '/v/.data.restore-tx.old' }],
  },
};

export type Script = {
  [K in keyof HostActivities]?: (
    operationId: string,
    call: number,
    request: Parameters<HostActivities[K]>[0],
  ) => Promise<unknown>;
};

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
  readonly recovered: { operationId: string; state: string; kept?: KeptView }[] = [];
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
        if (recovered) {
          const { operationId: of, state, kept } = recovered;
          this.recovered.push({ operationId: of, state, ...(kept && { kept }) });
        }
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
    const effect = async <T>(name: keyof HostActivities, request: { readonly job: Job }, value: T): Promise<T> => {
      const { operationId } = request.job;
      const key = `${operationId}/${name}`;
      const call = (this.#calls.get(key) ?? 0) + 1;
      this.#calls.set(key, call);
      this.effects.push(name);
      const scripted = this.scripts.get(operationId)?.[name] as
        ((operationId: string, call: number, request: unknown) => Promise<unknown>) | undefined;
      return scripted ? (((await scripted(operationId, call, request)) as T | undefined) ?? value) : value;
    };
    const plan = { txId: 'tx' };
    return {
      preflight: (request) => effect('preflight', request, { plan, app: 'running' as const }),
      extract: (request) => effect('extract', request, { contentBytes: 1, entries: 1 }),
      stop: (request) =>
        effect('stop', request, { before: 'running-healthy' as const, stoppedAt: '2026-01-01T00:00:00.000Z' }),
      preRestoreSnapshot: (request) =>
        effect('preRestoreSnapshot', request, {
          snapshotId: 's',
          expiresAt: '2026-01-08T00:00:00.000Z',
          notes: 0,
        }),
      swap: (request) => effect('swap', request, undefined),
      redeploy: (request) => effect('redeploy', request, { instances: ['c1'] }),
      finish: (request) => effect('finish', request, { warnings: [] as string[] }),
      removeNew: (request) => effect('removeNew', request, undefined),
      swapBack: (request) => effect('swapBack', request, undefined),
      resume: (request) => effect('resume', request, { app: 'running' as const }),
      dropStaging: (request) => effect('dropStaging', request, undefined),
      close: (request) => effect('close', request, undefined),
      needsOperator: (request) => effect('needsOperator', request, { guide: { volumes: [], commands: [] } as never }),
      deploy: (request) => effect('deploy', request, { app: 'running' as const, changed: true }),
      undoDeploy: (request) => effect('undoDeploy', request, { app: 'running' as const }),
      stopApp: (request) => effect('stopApp', request, { app: 'stopped' as const }),
      startApp: (request) => effect('startApp', request, { app: 'running' as const }),
      capture: (request) => effect('capture', request, { app: 'running' as const, contentBytes: 1, entries: 1 }),
      importSnapshot: (request) =>
        effect('importSnapshot', request, { app: 'running' as const, contentBytes: 1, entries: 1 }),
      discardImport: (request) => effect('discardImport', request, undefined),
      deleteWorkload: (request) => effect('deleteWorkload', request, undefined),
      recoverStatus: (request) => effect('recoverStatus', request, this.recoverStatus),
    };
  }
}
