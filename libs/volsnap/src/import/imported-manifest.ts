import { manifestVolumeSchema } from '@tiny-forge/contracts';
import {
  ForgeError,
  QUIESCE_MODES,
  type Manifest,
  type ManifestVolume,
  type Note,
  type QuiesceMode,
  type VolumeConfig,
} from '@tiny-forge/contracts/domain';
import type { ImportedContent } from '@tiny-forge/archive-safe';

/** What of a config an archive is matched against. */
type ConfigVolume = Pick<VolumeConfig, 'target' | 'scope' | 'source'>;

export interface ManifestChoice {
  readonly links: 0 | 1;
  readonly target: string | null;
}

/**
 * The manifest of the archive we make of somebody else's: what that one says of its volumes, checked as a text of a stranger. A tree without one
 * becomes the volume that was asked for.
 * @throws ARCHIVE_DAMAGED (rule MANIFEST or VERSION), IMPORT_NAMES_NO_VOLUME
 */
export function importedManifest(
  found: Pick<ImportedContent, 'layout' | 'manifest' | 'volumes'>,
  config: readonly ConfigVolume[],
  { links, target }: ManifestChoice,
): Manifest {
  if (found.layout === 'tree') {
    const { scope, source, ...volume } = treeVolume(config, target);
    return {
      formatVersion: 1,
      quiesce: 'none',
      volumes: [{ index: 0, target: volume.target, scope, source, links }],
    };
  }
  const { manifest } = found;
  const listed: unknown = Array.isArray(manifest) ? manifest : (manifest as { volumes?: unknown } | null)?.volumes;
  if (!Array.isArray(listed)) throw refused('it lists no volumes');
  const volumes = listed.map((each) => volumeOf(each, links));
  assertDistinct(volumes);
  for (const { index, absent = false } of volumes) {
    if (found.volumes.find((volume) => volume.index === index)?.absent !== absent)
      throw refused(`volume ${index} is not as it is listed`);
  }
  if (volumes.length !== found.volumes.length) throw refused('the archive holds volumes that it does not list');
  return { formatVersion: 1, quiesce: quiesceOf(manifest), volumes };
}

/** What the workload has no place for, as a restore would find it: named now, blockers then. */
export function unmatched(manifest: Manifest, config: readonly ConfigVolume[]): Note[] {
  return manifest.volumes.flatMap(({ target, scope, source }): Note[] => {
    const now = config.find((volume) => volume.target === target);
    if (now === undefined) return [{ code: 'VOLUME_NOT_IN_CONFIG', params: { target } }];
    if (now.scope === scope && now.source === source) return [];
    const was = `${scope} ${source}`;
    return [{ code: 'VOLUME_CHANGED', params: { target, was, is: `${now.scope} ${now.source}` } }];
  });
}

function treeVolume(config: readonly ConfigVolume[], target: string | null): ConfigVolume {
  const [only, ...others] = config.filter((volume) => target === null || volume.target === target);
  if (only !== undefined && others.length === 0) return only;
  throw new ForgeError({ code: 'IMPORT_NAMES_NO_VOLUME', params: { count: config.length } });
}

function volumeOf(each: unknown, links: 0 | 1): ManifestVolume {
  const { index, target, scope, source, absent } = each as Record<string, unknown>;
  const parsed = manifestVolumeSchema.safeParse({ index, target, scope, source, ...(absent === true && { absent }) });
  if (!parsed.success) throw refused('a volume in it is malformed');
  return { ...parsed.data, links };
}

function assertDistinct(volumes: readonly ManifestVolume[]): void {
  for (const field of ['index', 'target'] as const) {
    const values = volumes.map((volume) => volume[field]);
    if (new Set(values).size !== values.length) throw refused(`two volumes have the same ${field}`);
  }
}

function quiesceOf(manifest: unknown): QuiesceMode {
  if (Array.isArray(manifest)) return 'none';
  const { formatVersion, quiesce } = manifest as Record<string, unknown>;
  if (formatVersion !== undefined && formatVersion !== 1) {
    throw refused('it has a format version that is not known', 'VERSION');
  }
  return QUIESCE_MODES.find((mode) => mode === quiesce) ?? 'none';
}

const refused = (why: string, rule = 'MANIFEST'): ForgeError =>
  new ForgeError({ code: 'ARCHIVE_DAMAGED', params: { rule, entry: 'manifest.json', why } });
