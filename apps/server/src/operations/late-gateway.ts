import { ForgeError } from '@tiny-forge/contracts/domain';
import type { OperationGateway, PartHealth } from './operation-gateway.ts';

/** Stands in for the running side until it is up, and after it stopped: refuses with 503, says `starting`. */
export class LateGateway implements OperationGateway {
  #inner: OperationGateway | null = null;

  attach(inner: OperationGateway | null): void {
    this.#inner = inner;
  }

  #need(): OperationGateway {
    if (!this.#inner) throw new ForgeError({ code: 'SERVICE_UNAVAILABLE', params: { part: 'temporal' } });
    return this.#inner;
  }

  async submit(...input: Parameters<OperationGateway['submit']>): ReturnType<OperationGateway['submit']> {
    return this.#need().submit(...input);
  }

  async retryStep(...input: Parameters<OperationGateway['retryStep']>): Promise<void> {
    return this.#need().retryStep(...input);
  }

  async abort(...input: Parameters<OperationGateway['abort']>): Promise<void> {
    return this.#need().abort(...input);
  }

  async liveStates(): ReturnType<OperationGateway['liveStates']> {
    return this.#inner === null ? null : this.#inner.liveStates();
  }

  async progress(...input: Parameters<OperationGateway['progress']>): ReturnType<OperationGateway['progress']> {
    return this.#inner === null ? {} : this.#inner.progress(...input);
  }

  async history(...input: Parameters<OperationGateway['history']>): Promise<unknown> {
    return this.#need().history(...input);
  }

  async health(): ReturnType<OperationGateway['health']> {
    const starting: PartHealth = { status: 'starting', detail: null };
    return this.#inner === null ? { temporal: starting, workers: starting } : this.#inner.health();
  }
}
