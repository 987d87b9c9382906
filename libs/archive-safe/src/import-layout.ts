import { damaged } from './refusal.ts';

/** `volumes`: folders `0/`, `1/`, ... as a `manifest.json` at the root lists them. `tree`: anything else, one tree. */
export type ImportLayout = 'volumes' | 'tree';

const maxVolumes = 1000;
const maxJsonDepth = 32;

interface ListedVolume {
  index: number;
  absent: boolean;
}

/**
 * Tells which layout an archive has. A tree that merely has a `manifest.json` stays a tree; one whose manifest lists volumes
 * and whose folders are not the listed ones is refused, not guessed at (MF1).
 */
export function layoutOf(
  body: Buffer | undefined,
  folders: readonly number[],
  hasOther: boolean,
): { layout: ImportLayout; manifest: unknown } {
  if (body === undefined || hasOther) return { layout: 'tree', manifest: null };
  const manifest = parseBounded(body);
  const listed = listedVolumes(manifest);
  if (listed === undefined) return { layout: 'tree', manifest: null };
  const indexes = new Set(listed.map(({ index }) => index));
  const present = listed.filter(({ absent }) => !absent).map(({ index }) => index);
  const same = present.length === folders.length && present.every((index) => folders.includes(index));
  if (indexes.size !== listed.length || !same) {
    throw damaged('MANIFEST', 'The manifest lists other volumes than the archive holds', { entry: 'manifest.json' });
  }
  return { layout: 'volumes', manifest };
}

/** Undefined where it is no JSON, or JSON nested deeper than any manifest. */
function parseBounded(body: Buffer): unknown {
  let depth = 0;
  let quoted = false;
  for (let i = 0; i < body.length; i++) {
    const byte = body[i];
    if (quoted) {
      if (byte === 0x5c) i++;
      else if (byte === 0x22) quoted = false;
    } else if (byte === 0x22) quoted = true;
    else if (byte === 0x5b || byte === 0x7b) {
      if (++depth > maxJsonDepth) return undefined;
    } else if (byte === 0x5d || byte === 0x7d) depth--;
  }
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    return undefined;
  }
}

/** The bare list `[{index, target, scope, source}]`, or a manifest of ours. */
function listedVolumes(manifest: unknown): ListedVolume[] | undefined {
  const list: unknown = Array.isArray(manifest) ? manifest : (manifest as { volumes?: unknown } | null)?.volumes;
  if (!Array.isArray(list) || list.length === 0 || list.length > maxVolumes) return undefined;
  const volumes: ListedVolume[] = [];
  for (const one of list as unknown[]) {
    if (typeof one !== 'object' || one === null) return undefined;
    const { index, target, scope, source, absent } = one as Record<string, unknown>;
    const texts = [target, scope, source].every((text) => typeof text === 'string');
    if (!Number.isSafeInteger(index) || (index as number) < 0 || !texts) return undefined;
    volumes.push({ index: index as number, absent: absent === true });
  }
  return volumes;
}
