import type { Kysely } from 'kysely';
import type { ImageRef } from '@tiny-forge/contracts/domain';
import { timestamp, type Clock } from './clock.ts';
import type { Database } from './schema.ts';

export interface DeploymentRecord {
  readonly id: string;
  readonly workloadId: string;
  readonly operationId: string;
  readonly revision: number;
  readonly image: ImageRef;
  readonly good: boolean;
  readonly createdAt: string;
}

/** Every deployment that was tried, good or not. */
export class DeploymentStore {
  readonly #db: Kysely<Database>;
  readonly #clock: Clock;
  readonly #newId: () => string;

  constructor(db: Kysely<Database>, clock: Clock, newId: () => string) {
    this.#db = db;
    this.#clock = clock;
    this.#newId = newId;
  }

  async add(deployment: Omit<DeploymentRecord, 'id' | 'createdAt'>): Promise<void> {
    await this.#db
      .insertInto('deployments')
      .values({
        id: this.#newId(),
        workload_id: deployment.workloadId,
        operation_id: deployment.operationId,
        revision: deployment.revision,
        image_reference: deployment.image.reference,
        image_id: deployment.image.imageId,
        image_digest: deployment.image.digest,
        good: deployment.good ? 1 : 0,
        created_at: timestamp(this.#clock),
      })
      .execute();
  }

  async lastGood(workloadId: string): Promise<DeploymentRecord | null> {
    const row = await this.#db
      .selectFrom('deployments')
      .selectAll()
      .where('workload_id', '=', workloadId)
      .where('good', '=', 1)
      .orderBy('created_at', 'desc')
      .limit(1)
      .executeTakeFirst();
    if (!row) return null;
    return {
      id: row.id,
      workloadId: row.workload_id,
      operationId: row.operation_id,
      revision: row.revision,
      image: { reference: row.image_reference, imageId: row.image_id, digest: row.image_digest },
      good: row.good === 1,
      createdAt: row.created_at,
    };
  }
}
