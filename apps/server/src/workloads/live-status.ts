import type { WorkloadStatus } from '@tiny-forge/contracts/domain';
import type { Parts } from '../parts.ts';
import type { WorkloadRecord } from '../state/index.ts';

/** `live: false`: Docker does not answer; this is what it said last. */
export type ToldStatus = WorkloadStatus & { readonly live: boolean };

const FRESH_MS = 1_000;
const ASK_MS = 5_000;
const AT_ONCE = 8;

/** What Docker says of workloads now, asked at most once a second each and by few at a time. */
export class LiveStatus {
  readonly #parts: Pick<Parts, 'deployer' | 'installation'>;
  readonly #known = new Map<
    string,
    { readonly at: number; readonly status: Promise<ToldStatus>; last: ToldStatus | null }
  >();
  #free = AT_ONCE;
  readonly #waiting: (() => void)[] = [];

  constructor(parts: Pick<Parts, 'deployer' | 'installation'>) {
    this.#parts = parts;
  }

  of(workload: Pick<WorkloadRecord, 'id' | 'config'>): Promise<ToldStatus> {
    const known = this.#known.get(workload.id);
    const now = performance.now();
    if (known && now - known.at < FRESH_MS) return known.status;
    const last = known?.last ?? null;
    const entry = { at: now, last, status: this.#ask(workload, last) };
    this.#known.set(workload.id, entry);
    void entry.status.then((status) => {
      if (status.live) entry.last = status;
    });
    return entry.status;
  }

  forget(workloadId: string): void {
    this.#known.delete(workloadId);
  }

  async #ask(workload: Pick<WorkloadRecord, 'id' | 'config'>, last: ToldStatus | null): Promise<ToldStatus> {
    await this.#enter();
    try {
      const { deployer, installation } = this.#parts;
      const signal = AbortSignal.timeout(ASK_MS);
      return { ...(await deployer.status(installation, workload.id, workload.config.health, signal)), live: true };
    } catch {
      return { ...(last ?? { state: 'degraded', instances: [] }), live: false };
    } finally {
      this.#leave();
    }
  }

  async #enter(): Promise<void> {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  #leave(): void {
    const next = this.#waiting.shift();
    if (next) next();
    else this.#free += 1;
  }
}
