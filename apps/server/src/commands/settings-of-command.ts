import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseSettings, type Settings } from '@tiny-forge/contracts/domain';

/** The data folder that `npm start` uses when TINY_FORGE_DATA is unset: `.tiny-forge` in the checkout. */
const DEFAULT_DATA = fileURLToPath(new URL('../../../../.tiny-forge', import.meta.url));

/** Settings as the server has them; a command finds the embedded Temporal by the record its start left. */
export function commandSettings(env: NodeJS.ProcessEnv): Settings {
  const settings = parseSettings(env, DEFAULT_DATA);
  if (settings.temporal.address !== null) return settings;
  const embedded = embeddedTemporal(settings.dataDir);
  return embedded === null ? settings : { ...settings, temporal: { ...settings.temporal, ...embedded } };
}

function embeddedTemporal(dataDir: string): { readonly address: string; readonly namespace: string } | null {
  try {
    const record = JSON.parse(readFileSync(path.join(dataDir, 'run', 'temporal.json'), 'utf8')) as {
      address?: unknown;
      namespace?: unknown;
    };
    if (typeof record.address !== 'string' || typeof record.namespace !== 'string') return null;
    return { address: record.address, namespace: record.namespace };
  } catch {
    return null;
  }
}
