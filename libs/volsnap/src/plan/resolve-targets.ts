import { isForgeError, type ErrorCode, type ErrorParams, type VolumeConfig } from '@tiny-forge/contracts/domain';
import { resolveVolumes, type PluginRegistry, type ResolvedVolume, type ScopeContext } from '@tiny-forge/plugin-api';

export type ResolvedTarget =
  | { readonly volume: VolumeConfig; readonly resolved: ResolvedVolume }
  | { readonly volume: VolumeConfig; readonly refused: { readonly code: ErrorCode; readonly params: ErrorParams } };

/** Every volume of a config, each with its place or the reason why it has none: all refusals at once, where `resolveVolumes` stops at the first. */
export async function resolveTargets(
  volumes: readonly VolumeConfig[],
  registry: PluginRegistry,
  context: ScopeContext,
): Promise<ResolvedTarget[]> {
  const refused = new Map<VolumeConfig, { code: ErrorCode; params: ErrorParams }>();
  const attempt = async (some: readonly VolumeConfig[]) => {
    try {
      return { ok: true, entries: await resolveVolumes(some, registry, context) } as const;
    } catch (error) {
      if (!isForgeError(error) || error.kind !== 'invalid') throw error;
      return { ok: false, refusal: { code: error.code, params: error.params } } as const;
    }
  };
  for (const volume of volumes) {
    const alone = await attempt([volume]);
    if (!alone.ok) refused.set(volume, alone.refusal);
  }
  for (;;) {
    const rest = volumes.filter((volume) => !refused.has(volume));
    const together = await attempt(rest);
    if (together.ok) {
      const places = new Map(together.entries.map((entry) => [entry.volume, entry.resolved]));
      return volumes.map((volume) => {
        const resolved = places.get(volume);
        return resolved ? { volume, resolved } : { volume, refused: refused.get(volume)! };
      });
    }
    const at = together.refusal.params['volume'];
    const culprit = rest[typeof at === 'number' ? at : rest.length - 1];
    if (!culprit) throw new Error('a refusal that names no volume');
    refused.set(culprit, together.refusal);
  }
}
