import { type Operation, isEnded } from '@tiny-forge/contracts/domain';
import { SvelteMap } from 'svelte/reactivity';

/** What is known of operations. `revision` only grows: an older message never overwrites a newer one, whichever way it came. */
export class OperationStore {
  readonly #all = new SvelteMap<string, Operation>();

  /** Whether `operation` was news. */
  accept(operation: Operation): boolean {
    const known = this.#all.get(operation.id);
    if (known !== undefined) {
      if (operation.revision < known.revision) return false;
      if (operation.revision === known.revision && operation.serverTime <= known.serverTime) return false;
    }
    this.#all.set(operation.id, operation);
    return true;
  }

  get(id: string): Operation | undefined {
    return this.#all.get(id);
  }

  /** Not ended, those that need a person first, then the newest. */
  get open(): Operation[] {
    return [...this.#all.values()]
      .filter((operation) => !isEnded(operation.state))
      .sort((a, b) => urgency(b) - urgency(a) || b.createdAt.localeCompare(a.createdAt));
  }

  /** The open operation that matters most for a workload: the one that runs or holds it, not those queued behind. */
  openOf(workloadId: string): Operation | undefined {
    return this.open.find((operation) => operation.workloadId === workloadId);
  }

  newestOf(workloadId: string): Operation | undefined {
    return [...this.#all.values()]
      .filter((operation) => operation.workloadId === workloadId)
      .sort((a, b) => b.createdAt.localeCompare(a.createdAt))[0];
  }

  forget(id: string): void {
    this.#all.delete(id);
  }

  clear(): void {
    this.#all.clear();
  }
}

const ORDER: Readonly<Partial<Record<Operation['state'], number>>> = {
  NEEDS_OPERATOR: 4,
  WAITING: 3,
  COMPENSATING: 2,
  RUNNING: 2,
  QUEUED: 1,
};
const urgency = (operation: Operation): number => ORDER[operation.state] ?? 0;

export const operationStore = new OperationStore();
