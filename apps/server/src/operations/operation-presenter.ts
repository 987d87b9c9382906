import {
  isEnded,
  isRestoring,
  workflowIds,
  type Operation,
  type OperationKind,
  type OperationState,
  type Permission,
  type StepProgress,
} from '@tiny-forge/contracts/domain';
import type { OperationView } from '@tiny-forge/workflows';
import { timestamp, type Clock, type OperationRecord, type State, type WorkloadRecord } from '../state/index.ts';
import { presentError } from './error-presenter.ts';
import type { OperationGateway } from './operation-gateway.ts';

type Action = Operation['actions'][number];
type Progress = Readonly<Record<string, StepProgress>>;
type LiveStates = Awaited<ReturnType<OperationGateway['liveStates']>>;

/** What each kind needs to be run anew, besides `operations:control`; kinds that are missing cannot be replayed. */
export const REPLAY_PERMISSION: Partial<Record<OperationKind, Permission>> = {
  deploy: 'workloads:deploy',
  stop: 'workloads:deploy',
  start: 'workloads:deploy',
  snapshot: 'snapshots:write',
  restore: 'snapshots:restore',
  'undo-restore': 'snapshots:restore',
  delete: 'workloads:write',
};

/** A reader waits for Temporal's word no longer than this; without it the table answers alone. */
const LIVE_WAIT_MS = 700;
const PROGRESS_FRESH_MS = 400;
const ALL_PERMISSIONS: readonly Permission[] | null = null;

export interface PresenterParts {
  readonly state: State;
  readonly clock: Clock;
  readonly installation: string;
}

/** Rows as the API tells them: the table, overlaid with what Temporal says of open operations. */
export class OperationPresenter {
  readonly #parts: PresenterParts;
  readonly #gateway: OperationGateway;
  readonly #asked = new Map<string, { readonly at: number; readonly progress: Promise<Progress> }>();

  constructor(parts: PresenterParts, gateway: OperationGateway) {
    this.#parts = parts;
    this.#gateway = gateway;
  }

  async present(
    record: OperationRecord,
    permissions: readonly Permission[] | null = ALL_PERMISSIONS,
  ): Promise<Operation> {
    const [operation] = await this.presentAll([record], permissions, true);
    if (!operation) throw new Error('one record gives one operation');
    return operation;
  }

  /** @param permissions of who asks, for `actions`; @param withProgress asks for byte progress of what runs */
  async presentAll(
    records: readonly OperationRecord[],
    permissions: readonly Permission[] | null,
    withProgress: boolean,
  ): Promise<Operation[]> {
    const { state, clock } = this.#parts;
    const live = await this.#live();
    const workloads = await byId(
      records.map((record) => record.workloadId),
      (id) => state.workloads.getEvenDeleted(id),
    );
    const snapshots = await byId(
      records.flatMap((record) => (record.snapshotId === null ? [] : [record.snapshotId])),
      (id) => state.snapshots.get(id),
    );
    const serverTime = timestamp(clock);
    return Promise.all(
      records.map(async (record) => {
        const progress = withProgress && isRunning(record.state) ? await this.#progress(record.id) : {};
        const snapshotCreatedAt =
          record.snapshotId === null ? null : (snapshots.get(record.snapshotId)?.createdAt ?? null);
        return this.#toOperation(record, {
          workload: workloads.get(record.workloadId) ?? null,
          snapshotCreatedAt,
          live,
          permissions,
          progress,
          serverTime,
        });
      }),
    );
  }

  #toOperation(
    record: OperationRecord,
    facts: {
      readonly workload: WorkloadRecord | null;
      readonly snapshotCreatedAt: string | null;
      readonly live: LiveStates;
      readonly permissions: readonly Permission[] | null;
      readonly progress: Progress;
      readonly serverTime: string;
    },
  ): Operation {
    const { view } = record;
    const now = record.endedAt === null ? overlaid(record.state, facts.live?.get(record.id)?.state) : record.state;
    const { config } = facts.workload ?? { config: null };
    const undo = undoOf(record, facts.serverTime);
    return {
      id: record.id,
      kind: record.kind,
      workloadId: record.workloadId,
      ...(record.snapshotId === null ? {} : { snapshotId: record.snapshotId }),
      ...(facts.snapshotCreatedAt === null ? {} : { snapshotCreatedAt: facts.snapshotCreatedAt }),
      state: now,
      steps: view.steps.map((step) => {
        const progress = facts.progress[step.name];
        return step.state === 'RUNNING' && progress ? { ...step, progress } : { ...step };
      }),
      ...(view.error ? { error: presentError(view.error) } : {}),
      requestedBy: record.requestedBy,
      createdAt: record.createdAt,
      endedAt: record.endedAt,
      ...(record.retryOf === null ? {} : { retryOf: record.retryOf }),
      ...(record.undoOf === null ? {} : { undoOf: record.undoOf }),
      ...(record.recovers === null ? {} : { recovers: record.recovers }),
      workflow: { workflowId: workflowIds.operation(this.#parts.installation, record.id), runId: record.runId },
      revision: record.revision,
      serverTime: facts.serverTime,
      workload: { name: config?.name ?? '', project: config?.project ?? '', stage: config?.stage ?? '' },
      situation: { ...view.situation },
      actions: actionsOf(record, now, facts.permissions, undo !== null),
      ...(view.waitingUntil && now === 'WAITING' ? { waitingUntil: view.waitingUntil } : {}),
      ...(record.queuedBehind && now === 'QUEUED' ? { queuedBehind: record.queuedBehind } : {}),
      ...(view.downtime ? { downtime: view.downtime } : {}),
      ...(undo ? { undo } : {}),
      ...(view.kept ? { kept: { until: view.kept.until, trees: view.kept.trees.map((tree) => ({ ...tree })) } } : {}),
      ...(isRestoring(record.kind) ? { safety: record.input.options.safety ?? 'snapshot' } : {}),
      ...(view.operatorGuide && now === 'NEEDS_OPERATOR' ? { operatorGuide: view.operatorGuide } : {}),
      live: facts.live !== null,
    };
  }

  async #live(): Promise<LiveStates> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<null>((resolve) => {
      timer = setTimeout(() => resolve(null), LIVE_WAIT_MS);
    });
    try {
      return await Promise.race([this.#gateway.liveStates(), late]);
    } catch {
      return null;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Asked at most twice a second for each operation, however many watch. */
  #progress(operationId: string): Promise<Progress> {
    const now = performance.now();
    for (const [id, { at }] of this.#asked) if (now - at > PROGRESS_FRESH_MS) this.#asked.delete(id);
    const known = this.#asked.get(operationId);
    if (known) return known.progress;
    const progress = this.#gateway.progress(operationId).catch(() => ({}));
    this.#asked.set(operationId, { at: now, progress });
    return progress;
  }
}

const isRunning = (state: OperationState): boolean => state === 'RUNNING' || state === 'COMPENSATING';

const ORDER: readonly OperationState[] = ['QUEUED', 'RUNNING', 'WAITING', 'COMPENSATING', 'NEEDS_OPERATOR'];

/** Visibility may be ahead of the row or lag behind it: it moves a row forward, never back, and never ends it. */
function overlaid(stored: OperationState, live: OperationState | undefined): OperationState {
  if (live === undefined || isEnded(live)) return stored;
  return ORDER.indexOf(live) > ORDER.indexOf(stored) ? live : stored;
}

/** The safety snapshot that brings back the data of before, while it is kept; null: there is nothing to undo any more. */
export function undoOf(
  { kind, state, view }: Pick<OperationRecord, 'kind' | 'state' | 'view'>,
  now: string,
): NonNullable<OperationView['undo']> | null {
  const { undo } = view;
  return isRestoring(kind) && state === 'SUCCEEDED' && undo !== undefined && undo.until > now ? undo : null;
}

export function isReplayable(record: Pick<OperationRecord, 'kind' | 'endedAt' | 'state'>): boolean {
  return record.endedAt !== null && record.state !== 'SUCCEEDED' && REPLAY_PERMISSION[record.kind] !== undefined;
}

function actionsOf(
  record: OperationRecord,
  state: OperationState,
  permissions: readonly Permission[] | null,
  isUndoable: boolean,
): Action[] {
  const may = (permission: Permission): boolean => permissions === null || permissions.includes(permission);
  const actions: Action[] = isUndoable && may('snapshots:restore') ? ['undo'] : [];
  if (!may('operations:control')) return actions;
  const { view } = record;
  if (state === 'WAITING') actions.push('retry-step');
  const running = state === 'QUEUED' || state === 'RUNNING';
  if (record.kind !== 'recover' && (state === 'WAITING' || (running && !view.pastDecision))) actions.push('abort');
  const needed = REPLAY_PERMISSION[record.kind];
  if (isReplayable(record) && needed !== undefined && may(needed)) actions.push('replay');
  if (state === 'NEEDS_OPERATOR') actions.push('recheck');
  return actions;
}

async function byId<T>(ids: readonly string[], load: (id: string) => Promise<T | null>): Promise<Map<string, T>> {
  const found = new Map<string, T>();
  for (const id of new Set(ids)) {
    const value = await load(id);
    if (value !== null) found.set(id, value);
  }
  return found;
}
