import { ForgeError, type WorkloadConfig } from '@tiny-forge/contracts/domain';
import type { SecretBox } from './secret-box.ts';

type SealedValue = string | { readonly secret: true; readonly sealed: string };

/** A config as the database holds it: no secret in the clear. */
export type StoredConfig = Omit<WorkloadConfig, 'env'> & { readonly env: Readonly<Record<string, SealedValue>> };

const contextOf = (workloadId: string, name: string): string => `workload/${workloadId}/env/${name}`;

/**
 * @param previous where a secret given as null keeps its value from
 * @throws ForgeError VALIDATION_FAILED when a secret has no value and had none
 */
export function sealConfig(
  config: WorkloadConfig,
  previous: StoredConfig | null,
  box: SecretBox,
  workloadId: string,
): StoredConfig {
  const env: Record<string, SealedValue> = {};
  for (const [name, value] of Object.entries(config.env)) {
    if (typeof value === 'string') {
      env[name] = value;
    } else if (value.value !== null) {
      env[name] = { secret: true, sealed: box.seal(value.value, contextOf(workloadId, name)) };
    } else {
      const kept = previous?.env[name];
      if (kept === undefined || typeof kept === 'string') {
        throw new ForgeError({ code: 'VALIDATION_FAILED', params: { count: 1, fields: `env.${name}.value` } });
      }
      env[name] = kept;
    }
  }
  return { ...config, env };
}

export function withoutSecrets(stored: StoredConfig): WorkloadConfig {
  const env: WorkloadConfig['env'] = {};
  for (const [name, value] of Object.entries(stored.env)) {
    env[name] = typeof value === 'string' ? value : { value: null, secret: true };
  }
  return { ...stored, env };
}

export function openEnv(stored: StoredConfig, box: SecretBox, workloadId: string): Record<string, string> {
  return Object.fromEntries(
    Object.entries(stored.env).map(([name, value]) => [
      name,
      typeof value === 'string' ? value : box.open(value.sealed, contextOf(workloadId, name)),
    ]),
  );
}
