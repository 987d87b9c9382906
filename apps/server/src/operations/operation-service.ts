import { isEnded, isForgeError, type Permission } from '@tiny-forge/contracts/domain';
import { RequestError } from '../http/problem.ts';
import type { Parts } from '../parts.ts';
import type { RestoreService } from '../restore/restore-service.ts';
import { timestamp, type OperationRecord, type WorkloadRecord } from '../state/index.ts';
import type { OperationGateway } from './operation-gateway.ts';
import { isReplayable, REPLAY_PERMISSION, undoOf } from './operation-presenter.ts';
import type { Submissions, Submitted, Submitter } from './submission.ts';

/** What a person may do with an operation. */
export class OperationService {
  readonly #parts: Parts;
  readonly #gateway: OperationGateway;
  readonly #submissions: Submissions;
  readonly #restores: RestoreService;

  constructor(parts: Parts, gateway: OperationGateway, submissions: Submissions, restores: RestoreService) {
    this.#parts = parts;
    this.#gateway = gateway;
    this.#submissions = submissions;
    this.#restores = restores;
  }

  /**
   * @param safety gives up the safety snapshot, and so needs what starting a restore needs
   * @throws FORBIDDEN, NOT_WAITING, SAFETY_NOT_SUPPORTED where another step waits, SERVICE_UNAVAILABLE
   */
  async retryStep(
    operation: OperationRecord,
    safety: 'keep-old-tree' | undefined,
    permissions: readonly Permission[],
  ): Promise<void> {
    if (safety !== undefined && !permissions.includes('snapshots:restore')) {
      throw new RequestError('FORBIDDEN', { permission: 'snapshots:restore' });
    }
    if (isEnded(operation.state)) throw new RequestError('NOT_WAITING');
    try {
      await this.#gateway.retryStep(operation.id, safety === undefined ? {} : { safety });
    } catch (error) {
      if (!isForgeError(error) || error.code !== 'SAFETY_NOT_SUPPORTED') throw error;
      const issues = [{ path: 'safety', message: 'the step that waits takes no safety snapshot' }];
      throw new RequestError('SAFETY_NOT_SUPPORTED', {}, { issues, cause: error });
    }
  }

  /** @throws NOT_WAITING, PAST_DECISION, SERVICE_UNAVAILABLE */
  async abort(operation: OperationRecord, who: string): Promise<void> {
    if (isEnded(operation.state)) throw new RequestError('NOT_WAITING');
    await this.#gateway.abort(operation.id, who);
  }

  /** @throws FORBIDDEN, NOT_REPLAYABLE, and what a new submission of its kind throws */
  async replay(operation: OperationRecord, permissions: readonly Permission[], by: Submitter): Promise<Submitted> {
    const needed = REPLAY_PERMISSION[operation.kind];
    if (needed !== undefined && !permissions.includes(needed)) {
      throw new RequestError('FORBIDDEN', { permission: needed });
    }
    if (!isReplayable(operation)) {
      await this.#submissions.assertAvailable();
      throw new RequestError('NOT_REPLAYABLE');
    }
    const workload = await this.#workload(operation);
    const { options, snapshotId } = operation.input;
    if (operation.kind === 'restore') {
      const snapshot = snapshotId === null ? null : await this.#parts.state.snapshots.get(snapshotId);
      if (!snapshot) throw new RequestError('NOT_FOUND', { what: 'The snapshot' });
      const wish = options.safety === undefined ? {} : { safety: options.safety };
      return this.#restores.submit(workload, snapshot, wish, by, { retryOf: operation.id });
    }
    if (operation.kind === 'undo-restore') {
      const undone = operation.undoOf === null ? null : await this.#parts.state.operations.get(operation.undoOf);
      if (!undone) throw new RequestError('NOT_UNDOABLE');
      return this.#undo(workload, undone, by, { retryOf: operation.id });
    }
    await this.#submissions.precheck(operation.kind, workload.id);
    const made = snapshotId === null ? null : await this.#parts.state.snapshots.get(snapshotId);
    return this.#submissions.submit(
      {
        kind: operation.kind,
        workload,
        options,
        retryOf: operation.id,
        ...(operation.kind === 'snapshot'
          ? { snapshot: { note: made?.note ?? null, quiesce: options.quiesce ?? 'pause' } }
          : {}),
      },
      by,
    );
  }

  /**
   * The safety snapshot of a restore is restored, by an operation that has one itself: it can be undone in turn.
   * @throws NOT_UNDOABLE, OLD_TREE_KEPT, WORKLOAD_GONE and what the submission of a restore throws
   */
  async undo(operation: OperationRecord, by: Submitter): Promise<Submitted> {
    return this.#undo(await this.#workload(operation), operation, by);
  }

  async #undo(
    workload: WorkloadRecord,
    operation: OperationRecord,
    by: Submitter,
    more: { readonly retryOf?: string } = {},
  ): Promise<Submitted> {
    await this.#submissions.precheck('undo-restore', workload.id);
    const now = timestamp(this.#parts.clock);
    const undo = undoOf(operation, now);
    const { kept } = operation.view;
    if (undo === null && kept !== undefined && operation.state === 'SUCCEEDED' && kept.until > now) {
      const paths = kept.trees.map(({ path }) => path).join(', ');
      throw new RequestError('OLD_TREE_KEPT', { paths, until: kept.until });
    }
    const snapshot = undo === null ? null : await this.#parts.state.snapshots.get(undo.snapshotId);
    if (snapshot?.state !== 'READY') throw new RequestError('NOT_UNDOABLE');
    return this.#restores.submit(workload, snapshot, {}, by, { ...more, undoOf: operation.id });
  }

  /** An operation of kind `recover` looks at every tree and ends this one, or leaves it. @throws NOT_WAITING and what a submission throws */
  async recheck(operation: OperationRecord, accept: 'as-is' | undefined, by: Submitter): Promise<Submitted> {
    await this.#submissions.precheck('recover', operation.workloadId, operation.id);
    // A journal that was damaged after the end of its operation holds the workload as well.
    const holds = operation.state === 'NEEDS_OPERATOR' || (await this.#submissions.holds(operation));
    if (!holds) throw new RequestError('NOT_WAITING');
    const workload = await this.#workload(operation);
    return this.#submissions.submit(
      {
        kind: 'recover',
        workload,
        options: { recovers: operation.id, recheckAccept: accept ?? null },
        recovers: operation.id,
      },
      by,
    );
  }

  async #workload(operation: OperationRecord): Promise<WorkloadRecord> {
    const workload = await this.#parts.state.workloads.get(operation.workloadId);
    if (!workload) throw new RequestError('WORKLOAD_GONE');
    return workload;
  }
}
