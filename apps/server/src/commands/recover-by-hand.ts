import {
  isForgeError,
  type EndedState,
  type OperatorGuide,
  type SituationApp,
  type SituationData,
} from '@tiny-forge/contracts/domain';
import type { RestoreEngine, TransactionStatus } from '@tiny-forge/volsnap';
import type { Job, KeptView, OpaquePlan, RecoveredEnd } from '@tiny-forge/workflows';
import { endRecovered } from '../activities/control-activities.ts';
import type { ActivityContext } from '../activities/guard-activities.ts';
import type { HostParts } from '../activities/host-parts.ts';
import { keptView, restoreActivities } from '../activities/restore-activities.ts';

const UNDO = ['removeNew', 'swapBack', 'resume', 'dropStaging', 'close'] as const;

/**
 * Finishes one open journal without Temporal, with the same activities and by the same table (restore.md 4) as an operation of kind `recover`,
 * and ends the row of its operation.
 * @returns how the operation ended; NEEDS_OPERATOR: it stays open and the workload held
 */
export async function recoverByHand(
  parts: HostParts,
  journal: TransactionStatus,
  say: (line: string) => void,
): Promise<RecoveredEnd['state']> {
  const hand = new Hand(parts, journal, say);
  const end = await hand.finish();
  await parts.state.transaction((stores) => endRecovered(stores, end, parts.clock.now().toISOString()));
  return end.state;
}

class Hand {
  readonly #activities: ReturnType<typeof restoreActivities>;
  readonly #engine: RestoreEngine;
  readonly #journal: TransactionStatus;
  readonly #job: Job;
  readonly #say: (line: string) => void;
  readonly #context: ActivityContext = { signal: new AbortController().signal, onProgress: () => undefined };

  constructor(parts: HostParts, journal: TransactionStatus, say: (line: string) => void) {
    this.#activities = restoreActivities(parts);
    this.#engine = parts.restoreEngine;
    this.#journal = journal;
    this.#say = say;
    const { operationId, workloadId } = journal;
    this.#job = { installation: parts.installation, hostId: parts.hostId, operationId, workloadId };
  }

  async finish(): Promise<RecoveredEnd> {
    const { record } = this.#journal;
    const plan = this.#journal.plan as unknown as OpaquePlan | null;
    if (record === 'OPERATOR' || plan === null) return this.#held();
    const isForward = record === 'COMMIT' || record === 'SWAPPED' || record === 'DONE';
    if (!isForward) return this.#back(plan);
    try {
      return await this.#forward(plan);
    } catch (error) {
      this.#say(`  going forward failed: ${reason(error)}`);
      if (this.#journal.record === 'DONE')
        return keeping(this.#end('SUCCEEDED', 'running', 'restored'), keptView(this.#journal));
      return this.#back(plan);
    }
  }

  async #forward(plan: OpaquePlan): Promise<RecoveredEnd> {
    const of = { job: this.#job, plan };
    const isDone = this.#journal.record === 'DONE';
    let instances: readonly string[] = [];
    if (!isDone) {
      await this.#do('swap', () => this.#activities.swap(of, this.#context));
      if (this.#journal.before !== 'stopped') {
        ({ instances } = await this.#do('redeploy', () => this.#activities.redeploy(of, this.#context)));
      }
    }
    const { kept } = await this.#do('finish', () => this.#activities.finish({ ...of, instances }, this.#context));
    return keeping(
      this.#end('SUCCEEDED', this.#journal.before === 'stopped' ? 'stopped' : 'running', 'restored'),
      kept ?? null,
    );
  }

  /** The first undo that fails ends the chain: nothing after it runs. */
  async #back(plan: OpaquePlan): Promise<RecoveredEnd> {
    const of = { job: this.#job, plan };
    let app: SituationApp = 'stopped';
    for (const name of UNDO) {
      try {
        const answer = await this.#do(name, async () => this.#activities[name](of, this.#context));
        if (answer) ({ app } = answer);
      } catch (error) {
        const code = isForgeError(error) ? error.code : 'UNDO_FAILED';
        return this.#hold(plan, code, `${name}: ${reason(error)}`);
      }
    }
    return this.#end(this.#journal.before === null ? 'FAILED' : 'ROLLED_BACK', app, 'current');
  }

  /** Waits for a person already. */
  async #held(): Promise<RecoveredEnd> {
    const { guide } = await this.#engine.examine(this.#journal.operationId);
    return this.#operator(guide, 'an operator has to look at the trees first');
  }

  async #hold(plan: OpaquePlan, code: string, detail: string): Promise<RecoveredEnd> {
    const of = { job: this.#job, plan, code, detail };
    const { guide } = await this.#activities.needsOperator(of, this.#context);
    return this.#operator(guide, detail);
  }

  #operator(guide: OperatorGuide, detail: string): RecoveredEnd {
    this.#say(`  ${detail}`);
    for (const { summary, command } of guide.commands) this.#say(`  # ${summary}\n  ${command}`);
    return {
      operationId: this.#journal.operationId,
      state: 'NEEDS_OPERATOR',
      app: 'stopped',
      data: 'unclear',
      error: { code: 'UNDO_FAILED', params: { step: 'recover', why: detail }, detail },
      operatorGuide: guide,
    };
  }

  async #do<T>(name: string, work: () => Promise<T>): Promise<T> {
    this.#say(`  ${name}`);
    return work();
  }

  #end(state: EndedState, app: SituationApp, data: SituationData): RecoveredEnd {
    const { operationId } = this.#journal;
    if (state === 'SUCCEEDED') return { operationId, state, app, data };
    const detail = 'The operation was interrupted and was ended by hand.';
    return { operationId, state, app, data, error: { code: 'RECOVERED', params: { operationId: 'by hand' }, detail } };
  }
}

const keeping = (end: RecoveredEnd, kept: KeptView | null): RecoveredEnd => (kept ? { ...end, kept } : end);

const reason = (error: unknown): string => (error instanceof Error ? error.message : String(error));
