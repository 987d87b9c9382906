import { isExclusive, isRestoring, type OperationKind, type QuiesceMode } from '@tiny-forge/contracts/domain';
import type { OperationInput, OperationView } from '@tiny-forge/workflows';
import { RequestError } from '../http/problem.ts';
import type { Parts } from '../parts.ts';
import { timestamp, type IdempotencyScope, type Stores, type WorkloadRecord } from '../state/index.ts';
import type { ReadinessProbe } from '../system/readiness.ts';
import type { LiveStatus, ToldStatus } from '../workloads/live-status.ts';
import type { OperationGateway } from './operation-gateway.ts';

/** Who submits, and what has to be written in the same transaction. */
export interface Submitter {
  readonly name: string;
  /** Address of the peer, or the part of the server that acts. */
  readonly from: string;
  readonly idempotency: IdempotencyScope | null;
  /** Called inside the transaction with the number of the audit record that belongs to it. */
  readonly onAudit?: (auditId: number) => void;
}

export interface Submission {
  readonly kind: OperationKind;
  readonly workload: WorkloadRecord;
  readonly options: OperationInput['options'];
  /** restore, undo-restore: what is restored. snapshot, import: given by this service. */
  readonly snapshotId?: string;
  /** snapshot, import: what the row says. */
  readonly snapshot?: { readonly note: string | null; readonly quiesce: QuiesceMode };
  readonly retryOf?: string;
  readonly undoOf?: string;
  readonly recovers?: string;
}

export interface Submitted {
  readonly operationId: string;
  readonly snapshotId: string | null;
  readonly queuedBehind: string | null;
}

/** The lane refuses a submit that is older, ms (restore.md 6). */
const NOT_AFTER_MS = 5_000;
/** Kinds that start or read or remove data: held while trees are unclear (I5). */
const HELD: readonly OperationKind[] = [
  'deploy',
  'start',
  'rollback',
  'promote',
  'snapshot',
  'restore',
  'undo-restore',
  'delete',
];

/** The one way from a request to an operation (restore.md 6): refusals first, then one transaction, then the lane. */
export class Submissions {
  readonly #parts: Parts;
  readonly #gateway: OperationGateway;
  readonly #readiness: ReadinessProbe;
  readonly #status: LiveStatus;

  constructor(parts: Parts, gateway: OperationGateway, readiness: ReadinessProbe, status: LiveStatus) {
    this.#parts = parts;
    this.#gateway = gateway;
    this.#readiness = readiness;
    this.#status = status;
  }

  /** 503 and 409, in this order: what comes before anything of the plan is looked at. @throws SERVICE_UNAVAILABLE, WORKLOAD_HELD, OPERATION_IN_PROGRESS */
  async precheck(kind: OperationKind, workloadId: string, recovers?: string): Promise<void> {
    await this.assertAvailable();
    const open = await this.#parts.state.operations.open(workloadId);
    if (HELD.includes(kind)) {
      const held =
        open.find((operation) => operation.state === 'NEEDS_OPERATOR')?.id ??
        (await this.#parts.restoreEngine.heldBy(workloadId));
      if (held !== null) throw new RequestError('WORKLOAD_HELD', { operationId: held });
    }
    if (!isExclusive(kind)) return;
    const other = open.find(
      (operation) =>
        isExclusive(operation.kind) &&
        operation.id !== recovers &&
        (operation.acceptedAt !== null || operation.begunAt !== null),
    );
    if (other) throw new RequestError('OPERATION_IN_PROGRESS', { operationId: other.id, kind: other.kind });
  }

  /** Whether the journal of this operation holds its workload. */
  async holds({ id, workloadId }: { readonly id: string; readonly workloadId: string }): Promise<boolean> {
    return (await this.#parts.restoreEngine.heldBy(workloadId)) === id;
  }

  /** @throws SERVICE_UNAVAILABLE naming the part that is away */
  async assertAvailable(): Promise<void> {
    const parts = await this.#readiness.parts();
    const away = ['temporal', 'workers', 'docker'].find(
      (name) => parts.find((part) => part.name === name)?.status !== 'ok',
    );
    if (away === undefined) return;
    const part = parts.find((each) => each.name === away);
    if (part?.code === 'DOCKER_NOT_ON_THIS_HOST') {
      const dockerHost = this.#parts.settings.dockerHost ?? 'the default socket';
      throw new RequestError('DOCKER_NOT_ON_THIS_HOST', { dockerHost, why: part.detail ?? '' });
    }
    throw new RequestError('SERVICE_UNAVAILABLE', { part: away, since: part?.since ?? null });
  }

  /** `precheck` was called. @throws what `OperationGateway.submit` throws; NOT_FOUND, SNAPSHOT_NOT_READY when the world moved meanwhile */
  async submit(submission: Submission, by: Submitter): Promise<Submitted> {
    const { workload, kind } = submission;
    const operationId = this.#parts.newId();
    const snapshotId = isMaking(kind) ? this.#parts.newId() : (submission.snapshotId ?? null);
    const input: OperationInput = {
      installation: this.#parts.installation,
      operationId,
      kind,
      workloadId: workload.id,
      hostId: workload.hostId,
      snapshotId,
      requestedBy: by.name,
      operatorWaitSeconds: this.#parts.settings.operatorWaitSeconds,
      options: submission.options,
    };
    const situation = situationOf(await this.#status.of(workload), timestamp(this.#parts.clock));
    await this.#parts.state.transaction((stores) => this.#insert(stores, input, situation, submission, by));
    const { queuedBehind } = await this.#gateway.submit(input);
    return { operationId, snapshotId, queuedBehind };
  }

  async #insert(
    stores: Stores,
    input: OperationInput,
    situation: OperationView['situation'],
    submission: Submission,
    by: Submitter,
  ): Promise<void> {
    const { operationId, kind, workloadId, snapshotId } = input;
    if (!(await stores.workloads.get(workloadId))) throw new RequestError('NOT_FOUND', { what: 'The workload' });
    await stores.operations.insert({
      input,
      notAfter: timestamp(this.#parts.clock, NOT_AFTER_MS),
      situation,
      retryOf: submission.retryOf ?? null,
      undoOf: submission.undoOf ?? null,
      recovers: submission.recovers ?? null,
    });
    if (isRestoring(kind) && snapshotId !== null) {
      const snapshot = await stores.snapshots.get(snapshotId);
      if (snapshot?.state !== 'READY') {
        throw new RequestError('SNAPSHOT_NOT_READY', { snapshotId, state: snapshot?.state ?? 'deleted' });
      }
      await stores.snapshots.pin(snapshotId, operationId, kind);
    }
    if (isMaking(kind) && snapshotId !== null) {
      await stores.snapshots.insert({
        id: snapshotId,
        workloadId,
        kind: kind === 'import' ? 'imported' : 'manual',
        note: submission.snapshot?.note ?? null,
        quiesce: submission.snapshot?.quiesce ?? 'pause',
        codec: submission.workload.config.codec ?? this.#parts.settings.codec,
        operationId,
        expiresAt: null,
      });
    }
    if (by.idempotency) await stores.idempotency.attachOperation(by.idempotency, operationId);
    const auditId = await stores.audit.add({
      principal: by.name,
      from: by.from,
      verb: kind,
      target: `workload ${workloadId}`,
      outcome: 'submitted',
      details: {
        operationId,
        snapshotId,
        planHash: input.options.planHash ?? null,
        safety: input.options.safety ?? null,
        undoOf: submission.undoOf ?? null,
        accept: input.options.recheckAccept ?? null,
        deleteData: input.options.deleteData ?? null,
        profile: input.options.upload?.profile ?? null,
      },
    });
    by.onAudit?.(auditId);
  }

  /** The journal on the host is what holds; a process without that host's files knows the row alone. */
}

/** Kinds whose end is a new snapshot. */
const isMaking = (kind: OperationKind): boolean => kind === 'snapshot' || kind === 'import';

const APP_OF_STATE = { running: 'running', stopped: 'stopped', degraded: 'unhealthy', absent: 'absent' } as const;

const situationOf = (status: ToldStatus, since: string): OperationView['situation'] => ({
  app: APP_OF_STATE[status.state],
  data: 'current',
  since,
});
