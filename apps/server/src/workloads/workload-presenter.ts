import type { Workload } from '@tiny-forge/contracts/domain';
import type { Parts } from '../parts.ts';
import type { WorkloadRecord } from '../state/index.ts';
import type { LiveStatus } from './live-status.ts';

/** A workload as the API tells it: its config, where its volumes live, how it stands now. */
export class WorkloadPresenter {
  readonly #parts: Parts;
  readonly #status: LiveStatus;

  constructor(parts: Parts, status: LiveStatus) {
    this.#parts = parts;
    this.#status = status;
  }

  async present(record: WorkloadRecord): Promise<Workload> {
    const { state } = this.#parts;
    const [status, volumes, last, open] = await Promise.all([
      this.#status.of(record),
      this.#volumes(record),
      state.snapshots.last(record.id),
      state.operations.open(record.id),
    ]);
    const { name, project, stage, source, env, ...config } = record.config;
    const operation = open.find((each) => each.begunAt !== null) ?? open[0];
    return {
      id: record.id,
      name,
      project,
      stage,
      source,
      env: { ...env } as Workload['env'],
      ...config,
      host: config.host,
      volumes,
      revision: record.revision,
      createdAt: record.createdAt,
      updatedAt: record.updatedAt,
      status,
      lastSnapshot: last ? { id: last.id, createdAt: last.createdAt, state: last.state } : null,
      ...(operation ? { operationId: operation.id } : {}),
    };
  }

  /** Where each volume lives; null where the config no longer resolves (its root was taken away, a symlink came). */
  async #volumes(record: WorkloadRecord): Promise<Workload['volumes']> {
    const { registry, dataDir, settings } = this.#parts;
    const context = { dataDir, workloadId: record.id, allowedRoots: settings.allowedRoots, forbidden: [] };
    return Promise.all(
      record.config.volumes.map(async (volume) => {
        try {
          const { hostPath } = await registry.scope(volume.scope).instance.resolve(volume, context);
          return { ...volume, hostPath };
        } catch {
          return { ...volume, hostPath: null };
        }
      }),
    );
  }
}
