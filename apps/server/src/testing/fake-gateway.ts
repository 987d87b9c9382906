import { ForgeError, type OperationState, type StepProgress } from '@tiny-forge/contracts/domain';
import type { OperationInput } from '@tiny-forge/workflows';
import type { OperationGateway, PartHealth } from '../operations/operation-gateway.ts';
import type { State } from '../state/index.ts';

/** The running side for specs of REST: accepts at once, refuses a second exclusive one, runs nothing. Specs move the rows themselves. */
export class FakeGateway implements OperationGateway {
  readonly submitted: OperationInput[] = [];
  readonly told: string[] = [];
  /** Thrown by the next calls of that name. */
  readonly failures = new Map<'submit' | 'retryStep' | 'abort' | 'history', ForgeError>();
  temporal: PartHealth = { status: 'ok', detail: null };
  workers: PartHealth = { status: 'ok', detail: null };
  live: Map<string, { state: OperationState; step: string | null }> | null = new Map();
  steps: Record<string, StepProgress> = {};
  /** Resolves before a submit is accepted. */
  gate: Promise<void> = Promise.resolve();
  readonly #state: State;

  constructor(state: State) {
    this.#state = state;
  }

  async submit(input: OperationInput): Promise<{ readonly queuedBehind: string | null }> {
    await this.gate;
    const failure = this.failures.get('submit');
    if (failure) {
      await this.#state.transaction(async ({ operations }) => {
        if (failure.kind === 'unavailable') await operations.expire(input.operationId);
        else await operations.refuse(input.operationId);
      });
      throw failure;
    }
    const [first] = (await this.#state.operations.openInLane(input.workloadId)).filter(
      (row) => row.id !== input.operationId,
    );
    if (first && input.kind === 'restore' && first.kind === 'restore') {
      await this.#state.transaction(({ operations }) => operations.refuse(input.operationId));
      throw new ForgeError({ code: 'OPERATION_IN_PROGRESS', params: { operationId: first.id, kind: first.kind } });
    }
    this.submitted.push(input);
    await this.#state.operations.accept(input.operationId, first?.id ?? null);
    return { queuedBehind: first?.id ?? null };
  }

  async retryStep(operationId: string, { safety }: { readonly safety?: 'keep-old-tree' }): Promise<void> {
    this.#fail('retryStep');
    this.told.push(`retryStep ${operationId}${safety === undefined ? '' : ` ${safety}`}`);
  }

  async abort(operationId: string, who: string): Promise<void> {
    this.#fail('abort');
    this.told.push(`abort ${operationId} ${who}`);
  }

  async liveStates(): Promise<FakeGateway['live']> {
    return this.live;
  }

  async progress(): Promise<Record<string, StepProgress>> {
    return this.steps;
  }

  async history(operationId: string): Promise<unknown> {
    this.#fail('history');
    return { events: [], operationId };
  }

  async health(): Promise<{ temporal: PartHealth; workers: PartHealth }> {
    return { temporal: this.temporal, workers: this.workers };
  }

  #fail(name: 'retryStep' | 'abort' | 'history'): void {
    const failure = this.failures.get(name);
    if (failure) throw failure;
  }
}
