import { randomUUID } from 'node:crypto';
import { chmodSync, utimesSync } from 'node:fs';
import { mkdir, unlink } from 'node:fs/promises';
import path from 'node:path';
import type { CapturedVolume, CreatedArchive } from './capture-request.ts';
import type { Codec } from './codec.ts';
import { createArchive } from './create-archive.ts';
import { extractForeign } from './extract-volumes.ts';
import { extractTar, importRules, type ImportLimits } from './extract-tar.ts';
import { forgeError } from './forge-fault.ts';
import type { ImportLayout } from './import-layout.ts';
import { NoteList, type Note } from './note.ts';
import { readForeignIndex } from './read-index.ts';
import { Refusal } from './refusal.ts';
import type { SpaceRule } from './space-watch.ts';
import { LimitedSignal, type TimeLimits } from './time-limits.ts';
import { removeTree } from './trees.ts';

/** `tiny-forge`: an archive of ours, made with any key. `tar`: plain, gzip or zstd, GNU or POSIX. */
export type ImportProfile = 'tiny-forge' | 'tar';

/** What an archive of somebody else turned out to hold. */
export interface ImportedContent {
  profile: ImportProfile;
  /** `volumes`: as `manifest` lists them. `tree`: one tree, which becomes volume 0. */
  layout: ImportLayout;
  /** Parsed, at most 1 MiB; its shape is the caller's to check. Null in layout `tree`. */
  manifest: unknown;
  volumes: { index: number; absent: boolean; entries: number; contentBytes: number }[];
  entries: number;
  contentBytes: number;
  /** What is not taken over: `MODE_CUT`, `ROOT_IMPLIED`, and what extraction could not keep. */
  notes: Note[];
}

export interface ImportArchiveOptions extends ImportLimits {
  /** The received file, absolute path. It stays. */
  source: string;
  profile: ImportProfile;
  /** Existing private directory (0700) with room for the whole content; what is made in it is removed. */
  workDir: string;
  /** The archive to make; see `createArchive`. */
  file: string;
  key: Buffer;
  codec?: Codec;
  /** The manifest of the new archive; may throw to refuse what was found. */
  manifest: (found: ImportedContent) => object;
  signal?: AbortSignal;
  limits?: TimeLimits;
  /** Free space on the file systems of `workDir` and `file`. */
  spaceCheck?: SpaceRule;
  onProgress?: (progress: { step: 'check' | 'extract' | 'pack'; doneBytes: number; doneEntries: number }) => void;
  threads?: number;
}

export interface ImportedArchive extends CreatedArchive {
  found: ImportedContent;
}

/**
 * Turns an archive of somebody else into one of this installation: checked as a whole, extracted beside, packed and
 * authenticated anew. Nothing of its headers, frames or index survives, so that all that comes later meets only archives of
 * ours. On failure nothing is left but `source`.
 *
 * @throws ForgeError `ARCHIVE_DAMAGED` (params `rule`, `offset`, `entry`), `INSUFFICIENT_SPACE` (`rule` `BUDGET`), `IO_ERROR`
 * (`rule` `TIME`), `CANCELLED`; what `manifest` throws
 */
export async function importArchive(options: ImportArchiveOptions): Promise<ImportedArchive> {
  const { threads } = options;
  const limited = new LimitedSignal(options.signal, options.limits);
  const work = path.join(options.workDir, `import-${randomUUID()}`);
  try {
    await mkdir(work, { mode: 0o700 });
    try {
      return await importStaged({ ...options, signal: limited.signal }, work);
    } catch (error) {
      await removeStaged(work, threads).catch(() => undefined);
      throw error;
    }
  } catch (error) {
    throw forgeError(limited.signal.reason instanceof Refusal ? limited.signal.reason : error);
  } finally {
    limited.stop();
  }
}

async function importStaged(options: ImportArchiveOptions, work: string): Promise<ImportedArchive> {
  const { profile, signal, threads, file, key, onProgress } = options;
  const found = profile === 'tiny-forge' ? await stageForeign(options, work) : await stageTar(options, work);
  const created = await createArchive({
    file,
    key,
    volumes: stagedVolumes(found, work, options.links ?? 0),
    manifest: options.manifest(found),
    ...(signal && { signal }),
    ...(options.codec && { codec: options.codec }),
    ...(options.spaceCheck && { freeSpaceCheck: options.spaceCheck }),
    ...(threads !== undefined && { threads }),
    onProgress: (done) => onProgress?.({ step: 'pack', ...done }),
  });
  try {
    checkSame(found, created);
    await removeStaged(work, threads);
  } catch (error) {
    await unlink(file).catch(() => undefined);
    throw error;
  }
  return { ...created, found };
}

/** Once more where it fails: what stays here is as large as the content, and nobody else removes it. */
async function removeStaged(work: string, threads: number | undefined): Promise<void> {
  const where = { threads: threads === 0 ? (0 as const) : (1 as const) };
  await removeTree(work, where).catch(() => removeTree(work, where));
}

/** What was packed is what was staged; anything else means that somebody else wrote into the work directory. */
function checkSame(found: ImportedContent, created: CreatedArchive): void {
  for (const { index, absent, entries, contentBytes } of found.volumes) {
    const made = created.volumes.find((volume) => volume.index === index);
    if (made?.contentBytes === contentBytes && made.entries === entries) continue;
    if (absent && made?.entries === 0) continue;
    throw new Refusal('IO_ERROR', 'What was packed is not what was checked', { rule: 'FIDELITY', volume: index });
  }
}

function stagedVolumes(found: ImportedContent, work: string, links: 0 | 1): CapturedVolume[] {
  const dir = (index: number): string =>
    found.layout === 'tree' ? path.join(work, 'tree') : path.join(work, 'tree', `${index}`);
  return found.volumes.map(({ index, absent }) => ({ index, root: absent ? null : dir(index), links }));
}

/** An archive of ours: by its index, all hashes checked, none of it trusted. */
async function stageForeign(options: ImportArchiveOptions, work: string): Promise<ImportedContent> {
  const { source, threads, signal, onProgress, spaceCheck } = options;
  const { manifest, volumes, notes } = await readForeignIndex(source, {
    ...(signal && { signal }),
    threads: threads === 0 ? 0 : 1,
  });
  const tree = path.join(work, 'tree');
  await mkdir(tree, { mode: 0o700 });
  const targets = volumes
    .filter(({ absent }) => !absent)
    .map(({ index }) => ({ index, dir: path.join(tree, `${index}`) }));
  for (const { dir } of targets) await mkdir(dir, { mode: 0o700 });
  const { links, maxBytes, maxEntries } = importRules(work, options);
  const extracted = await extractForeign({
    file: source,
    targets,
    links,
    maxBytes,
    maxEntries,
    ...(signal && { signal }),
    ...(threads !== undefined && { threads }),
    ...(spaceCheck && { spaceCheck }),
    onProgress: ({ doneBytes, doneEntries }) => onProgress?.({ step: 'extract', doneBytes, doneEntries }),
  });
  const all = new NoteList();
  all.addAll(notes);
  for (const volume of extracted) all.addAll(volume.fidelity.notKept);
  const sum = (field: 'entries' | 'contentBytes'): number =>
    volumes.reduce((total, volume) => total + volume[field], 0);
  return {
    profile: 'tiny-forge',
    layout: 'volumes',
    manifest,
    volumes: volumes.map(({ index, absent, entries, contentBytes }) => ({ index, absent, entries, contentBytes })),
    entries: sum('entries'),
    contentBytes: sum('contentBytes'),
    notes: all.list(),
  };
}

async function stageTar(options: ImportArchiveOptions, work: string): Promise<ImportedContent> {
  const dir = path.join(work, 'tree');
  await mkdir(dir, { mode: 0o700 });
  const { totals, notes } = await extractTar({ ...options, file: options.source, dir });
  const all = new NoteList();
  all.addAll(notes);
  if (totals.layout === 'tree' && !totals.hasRoot) {
    // Nobody said what the root is: as a restore would make it for lack of better.
    chmodSync(dir, 0o755);
    utimesSync(dir, 0, 0);
    all.add('ROOT_IMPLIED', { path: '' });
  }
  const { layout, manifest, entries, contentBytes } = totals;
  const listed = (manifest as { volumes?: unknown } | null)?.volumes ?? manifest;
  const absent = (Array.isArray(listed) ? (listed as { index: number; absent?: boolean }[]) : [])
    .filter((volume) => volume.absent === true)
    .map(({ index }) => ({ index, absent: true, entries: 0, contentBytes: 0 }));
  const volumes =
    layout === 'tree'
      ? [{ index: 0, absent: false, entries: entries + Number(!totals.hasRoot), contentBytes }]
      : [...totals.volumes.map((volume) => ({ ...volume, absent: false })), ...absent];
  volumes.sort((a, b) => a.index - b.index);
  return { profile: 'tar', layout, manifest, volumes, entries, contentBytes, notes: all.list() };
}
