import type { Workload, WorkloadConfig } from '@tiny-forge/contracts/domain';
import { api } from '@tiny-forge/contracts';
import { RequestError, validationFailed } from '../http/problem.ts';
import type { Parts } from '../parts.ts';
import type { WorkloadRecord } from '../state/index.ts';
import { assertNothingMoves, assertNotUnderOperation } from './change-rules.ts';
import { mergePatch } from './merge-patch.ts';
import { checkWorkload } from './workload-checks.ts';

const FIELDS = Object.keys(api.createWorkloadBody.shape);
const MAX_RACES = 10;

/** Making and changing workloads; deploys and deletes are operations. */
export class WorkloadService {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** @throws RequestError 422 with the fields that are wrong, NAME_TAKEN */
  async create(body: unknown): Promise<WorkloadRecord> {
    const id = this.#parts.newId();
    const config = await checkWorkload(body, id, this.#parts);
    assertSecretsGiven(config, null);
    return this.#parts.state.transaction((stores) => stores.workloads.create(id, config, this.#parts.hostId));
  }

  /**
   * @param ifMatch the header as sent; absent: whatever the revision is
   * @throws RequestError 422, VOLUME_WOULD_MOVE, OPERATION_IN_PROGRESS, WORKLOAD_HELD, NAME_TAKEN, REVISION_MISMATCH
   */
  async patch(id: string, patch: Record<string, unknown>, ifMatch: string | undefined): Promise<WorkloadRecord> {
    const { state } = this.#parts;
    const unknown = Object.keys(patch).filter((field) => !FIELDS.includes(field));
    if (unknown.length > 0) throw validationFailed(unknown.map((path) => ({ path, message: 'unknown field' })));
    for (let race = 0; race < MAX_RACES; race += 1) {
      const current = await state.workloads.get(id);
      if (!current) throw new RequestError('NOT_FOUND', { what: 'The workload' });
      const config = await checkWorkload(keepSecrets(mergePatch(current.config, patch)), id, this.#parts);
      assertSecretsGiven(config, current.config);
      await assertNothingMoves(current, config, this.#parts);
      const updated = await state.transaction(async (stores) => {
        assertNotUnderOperation(current.config, config, await stores.operations.open(id), this.#parts);
        if (ifMatch !== undefined && !matches(ifMatch, current.revision)) return null;
        return stores.workloads.update(id, current.revision, config);
      });
      if (updated) return updated;
      if (ifMatch !== undefined) {
        const now = await state.workloads.get(id);
        throw new RequestError('REVISION_MISMATCH', { revision: now?.revision ?? 0, expected: ifMatch.slice(0, 100) });
      }
    }
    throw new RequestError('SERVICE_UNAVAILABLE', { part: 'database' });
  }
}

export const etagOf = (workload: Pick<Workload, 'revision'>): string => `"${workload.revision}"`;

const matches = (header: string, revision: number): boolean =>
  header.split(',').some((each) => each.trim() === '*' || each.trim().replace(/^W\//, '') === `"${revision}"`);

/** A merge patch cannot say `"value": null`, which is what a client gets answered and sends back: it means "as it was". */
function keepSecrets(candidate: unknown): unknown {
  const { env } = candidate as { env?: unknown };
  if (typeof env !== 'object' || env === null || Array.isArray(env)) return candidate;
  const kept = Object.fromEntries(
    Object.entries(env).map(([name, value]) => {
      const isSecret = typeof value === 'object' && value !== null && (value as { secret?: unknown }).secret === true;
      return [name, isSecret && !('value' in (value as object)) ? { ...(value as object), value: null } : value];
    }),
  );
  return { ...(candidate as object), env: kept };
}

function assertSecretsGiven(config: WorkloadConfig, before: WorkloadConfig | null): void {
  const missing = Object.entries(config.env).filter(
    ([name, value]) => typeof value !== 'string' && value.value === null && typeof before?.env[name] !== 'object',
  );
  if (missing.length > 0) {
    throw validationFailed(
      missing.map(([name]) => ({ path: `env.${name}.value`, message: 'a new secret needs a value' })),
    );
  }
}
