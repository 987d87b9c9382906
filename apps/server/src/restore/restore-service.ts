import { isForgeError, type RestorePlan } from '@tiny-forge/contracts/domain';
import type { SafetyWish } from '@tiny-forge/workflows';
import { planInput } from '../activities/plan-input.ts';
import { RequestError } from '../http/problem.ts';
import type { Submissions, Submitted, Submitter } from '../operations/submission.ts';
import type { Parts } from '../parts.ts';
import type { SnapshotRecord, WorkloadRecord } from '../state/index.ts';

export interface RestoreRequest {
  readonly planHash?: string | undefined;
  readonly safety?: SafetyWish | undefined;
}

const PLAN_MS = 60_000;

/** The plan of a restore, and its submission. */
export class RestoreService {
  readonly #parts: Parts;
  readonly #submissions: Submissions;
  /** A hundred clicks compute one plan. */
  readonly #running = new Map<string, Promise<RestorePlan>>();

  constructor(parts: Parts, submissions: Submissions) {
    this.#parts = parts;
    this.#submissions = submissions;
  }

  /** Changes nothing. @throws SERVICE_UNAVAILABLE, SNAPSHOT_NOT_READY */
  async plan(
    workload: WorkloadRecord,
    snapshot: SnapshotRecord,
    safety: SafetyWish = 'snapshot',
  ): Promise<RestorePlan> {
    assertReady(snapshot);
    const key = `${workload.id} ${workload.revision} ${snapshot.id} ${safety}`;
    const running = this.#running.get(key);
    if (running) return running;
    const plan = this.#compute(workload, snapshot, safety).finally(() => this.#running.delete(key));
    this.#running.set(key, plan);
    return plan;
  }

  /**
   * In the order of api.md: 422 fields, 503, 409, 412 plan, 422 blocked; then the lane.
   * @param of `undoOf`: the operation whose safety snapshot this is
   */
  async submit(
    workload: WorkloadRecord,
    snapshot: SnapshotRecord,
    request: RestoreRequest,
    by: Submitter,
    of: { readonly retryOf?: string; readonly undoOf?: string } = {},
  ): Promise<Submitted> {
    const kind = of.undoOf === undefined ? 'restore' : 'undo-restore';
    const { safety = 'snapshot' } = request;
    await this.#submissions.precheck(kind, workload.id);
    assertReady(snapshot);
    const plan = await this.plan(workload, snapshot, safety);
    if (request.planHash !== undefined && request.planHash !== plan.planHash) {
      throw new RequestError('PLAN_CHANGED', { what: 'the plan now has another hash' });
    }
    if (plan.blockers.length > 0) {
      const codes = plan.blockers.map((blocker) => blocker.code).join(', ');
      throw new RequestError('RESTORE_BLOCKED', { count: plan.blockers.length, codes }, { blockers: plan.blockers });
    }
    return this.#submissions.submit(
      {
        kind,
        workload,
        snapshotId: snapshot.id,
        options: { planHash: request.planHash ?? null, safety },
        ...of,
      },
      by,
    );
  }

  async #compute(workload: WorkloadRecord, snapshot: SnapshotRecord, safety: SafetyWish): Promise<RestorePlan> {
    const input = await planInput(this.#parts, workload, snapshot.id, safety);
    try {
      return await this.#parts.restoreEngine.plan(input, AbortSignal.timeout(PLAN_MS));
    } catch (error) {
      if (isForgeError(error) && error.code === 'DOCKER_AWAY') {
        throw new RequestError('SERVICE_UNAVAILABLE', { part: 'docker' }, { cause: error });
      }
      throw error;
    }
  }
}

function assertReady(snapshot: SnapshotRecord): void {
  if (snapshot.state === 'READY') return;
  throw new RequestError('SNAPSHOT_NOT_READY', { snapshotId: snapshot.id, state: snapshot.state });
}
