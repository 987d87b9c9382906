import path from 'node:path';
import { ForgeError, isForgeError, type Codec, type LinkTier, type Manifest } from '@tiny-forge/contracts/domain';
import { parseMountinfo } from '@tiny-forge/docker';
import { resolveVolumes } from '@tiny-forge/plugin-api';
import type { RestoreEngineOptions } from '../create-restore-engine.ts';
import { WorkloadMutex } from '../host-mutex.ts';
import { standingAt } from '../identity/tree-identity.ts';
import { JournalStore, ownerOf } from '../journal/journal-store.ts';
import { fileSystemFacts } from '../plan/gather-host-facts.ts';
import { DEFAULT_RESERVE, reserveOf } from '../plan/space-needs.ts';
import type { ArchivePort, ArchiveRequest } from '../ports/archive-port.ts';
import { archiveSafePort } from '../ports/archive-safe-port.ts';
import { makeFolder, unlinkIfThere, writeDurably } from '../ports/durable-file.ts';
import { naming } from '../ports/fs-error.ts';
import type { CaptureEngine, CaptureInput, CaptureResult, StepContext } from '../restore-engine.ts';
import { innerNamesIn } from '../swap/inner-names.ts';
import { PauseRecords } from './pause-record.ts';
import { partialOf, sweepUnfinished, unfinishedOf, WarmPasses } from './warm-passes.ts';
import { resumeRecorded, whileQuiesced, type QuiesceParts } from './quiesced.ts';

export type CaptureEngineOptions = Omit<RestoreEngineOptions, 'healthOf' | 'mountUsers'>;

interface CaptureParts extends QuiesceParts {
  readonly options: CaptureEngineOptions;
  readonly archive: ArchivePort;
  readonly warmed: WarmPasses;
}

interface CapturedVolume {
  readonly index: number;
  readonly target: string;
  readonly scope: string;
  readonly source: string;
  readonly links: LinkTier;
  /** null: absent. */
  readonly directory: string | null;
  /** Names in it that are ours: staged or replaced data of a restore inside a mount point. */
  readonly exclude: readonly string[];
}

const extension: Readonly<Record<Codec, string>> = { zstd: 'tar.zst', gzip: 'tar.gz' };

export function createCaptureEngine(options: CaptureEngineOptions): CaptureEngine {
  const { fs, dataDir, docker, registry, installation, clock, log } = options;
  const mutex = options.mutex ?? new WorkloadMutex();
  const pauses = new PauseRecords(fs, dataDir);
  const journals = new JournalStore({ fs, dataDir, clock });
  const archive = options.archive ?? archiveSafePort(options.key);
  const warmed = new WarmPasses(fs, log);
  const parts: CaptureParts = { warmed, installation, docker, registry, pauses, clock, log, options, archive };
  const folderOf = (workloadId: string): string => path.join(dataDir, 'snapshots', workloadId);
  const archivePath = (workloadId: string, snapshotId: string, codec: Codec): string =>
    path.join(folderOf(workloadId), `${snapshotId}.${extension[codec]}`);
  const resultPath = (workloadId: string, snapshotId: string): string =>
    path.join(folderOf(workloadId), `${snapshotId}.json`);

  return {
    archivePath,
    capture: (input, context) =>
      mutex.run(input.workload.id, context.signal, async (signal) => {
        const interrupted = await pauses.read(input.snapshotId);
        if (interrupted) await resumeRecorded(parts, interrupted, 1);
        const file = archivePath(input.workload.id, input.snapshotId, input.codec);
        const result = resultPath(input.workload.id, input.snapshotId);
        if ((await fs.stat(file)) !== null && (await fs.stat(result)) !== null)
          return JSON.parse(
            (await naming('read', result, () => fs.readFile(result))).toString('utf8'),
          ) as CaptureResult;
        await makeFolder(fs, dataDir, path.dirname(file));
        return capture(parts, input, { file, result }, { ...context, signal });
      }),

    warm: (input, context) =>
      mutex.run(input.workload.id, context.signal, async (signal) => {
        const file = archivePath(input.workload.id, input.snapshotId, input.codec);
        if ((await fs.stat(file)) !== null) return;
        await makeFolder(fs, dataDir, path.dirname(file));
        await warmed.make(input.snapshotId, file, signal, async () => {
          const request = await requestOf(parts, input, file, { ...context, signal });
          return archive.warm(request).catch(onHost(request.volumes));
        });
      }),

    dropWarm: async (workloadId, snapshotId) => {
      await warmed.drop(snapshotId);
      for (const codec of ['zstd', 'gzip'] as const)
        await unlinkIfThere(fs, partialOf(archivePath(workloadId, snapshotId, codec)));
    },

    sweepUnfinished: () => sweepUnfinished(fs, path.join(dataDir, 'snapshots'), pauses.folder),

    // Outside of the mutex: a turn there would abort whatever the workload is doing, and nobody else writes files of this id.
    remove: async (workloadId, snapshotId) => {
      const files = (['zstd', 'gzip'] as const).map((codec) => archivePath(workloadId, snapshotId, codec));
      await warmed.drop(snapshotId);
      for (const file of [
        ...files,
        ...files.map(unfinishedOf),
        ...files.map(partialOf),
        resultPath(workloadId, snapshotId),
      ])
        await unlinkIfThere(fs, file);
      if ((await fs.stat(folderOf(workloadId))) !== null)
        await naming('fsync', folderOf(workloadId), () => fs.syncDirectory(folderOf(workloadId)));
    },

    sweepPauses: async (signal) => {
      const resumed: string[] = [];
      for (const record of await pauses.list()) {
        if (signal.aborted) break;
        const open = await journals.list();
        const restoring = open.some((found) => ownerOf(found).workloadId === record.workloadId);
        // Data of that workload may be in motion: its restore decides what starts.
        if (restoring && record.mode === 'stop') continue;
        try {
          await resumeRecorded(parts, record, 1);
          resumed.push(record.workloadId);
        } catch (error) {
          log.error({ workload: record.workloadId, err: error }, 'an app that a capture had quieted is not back');
        }
      }
      return resumed;
    },
  };
}

async function capture(
  parts: CaptureParts,
  input: CaptureInput,
  at: { readonly file: string; readonly result: string },
  context: StepContext,
): Promise<CaptureResult> {
  const { fs } = parts.options;
  const { signal } = context;
  const request = await requestOf(parts, input, at.file, context);
  const { volumes, manifest } = request;
  const unfinished = request.file;
  await unlinkIfThere(fs, unfinished);
  try {
    const created = await whileQuiesced(
      parts,
      input,
      signal,
      (inner) =>
        parts.archive
          .create({ ...request, signal: inner, warm: parts.warmed.take(input.snapshotId) })
          .catch(onHost(volumes)),
      () =>
        parts.warmed.make(input.snapshotId, at.file, signal, () => parts.archive.warm(request).catch(onHost(volumes))),
    );
    const content = new Map(created.volumes.map((volume) => [volume.index, volume]));
    const result: CaptureResult = {
      file: at.file,
      archiveSha256: created.sha256,
      bytes: created.bytes,
      contentBytes: created.contentBytes,
      entries: created.entries,
      manifest,
      volumes: volumes.map(({ index, target, scope, source, directory }) => ({
        index,
        target,
        scope,
        source,
        contentBytes: content.get(index)?.contentBytes ?? 0,
        entries: content.get(index)?.entries ?? 0,
        absent: directory === null,
      })),
      notes: created.notes,
      quiesce: input.quiesce,
    };
    await writeDurably(fs, at.result, JSON.stringify(result));
    await naming('rename', at.file, () => fs.rename(unfinished, at.file));
    await naming('fsync', path.dirname(at.file), () => fs.syncDirectory(path.dirname(at.file)));
    return result;
  } catch (error) {
    await parts.warmed.drop(input.snapshotId);
    await unlinkIfThere(fs, unfinished).catch(() => undefined);
    throw isForgeError(error) ? error : new ForgeError({ code: 'SAFETY_SNAPSHOT_FAILED', params: { why: 'unexpected' }, cause: error }); // prettier-ignore
  }
}

/** An archive names an entry by the number of its volume; whoever looks after the disk needs its path. */
const onHost =
  (volumes: readonly CapturedVolume[]) =>
  (error: unknown): never => {
    if (!isForgeError(error) || error.code !== 'IO_ERROR') throw error;
    const [, number, below = ''] = /^([0-9]+)(?:\/(.*))?$/.exec(String(error.params['entry'])) ?? [];
    const directory = volumes.find(({ index }) => String(index) === number)?.directory ?? null;
    if (directory === null) throw error;
    const params = { ...error.params, path: path.join(directory, below) };
    throw new ForgeError({ code: 'IO_ERROR', params, retryable: error.retryable, cause: error });
  };

/** What is asked of the archive, the same for a warm pass and for the capture after it. */
async function requestOf(
  parts: CaptureParts,
  input: CaptureInput,
  file: string,
  context: StepContext,
): Promise<Omit<ArchiveRequest, 'volumes'> & { readonly volumes: readonly CapturedVolume[] }> {
  const { signal } = context;
  const volumes = await volumesOf(parts, input);
  // One walk less for an app that stands still.
  const totals = parts.warmed.totals(input.snapshotId) ?? (await measure(parts, volumes, signal));
  parts.warmed.expect(input.snapshotId, totals);
  const manifest: Manifest = {
    formatVersion: 1,
    quiesce: input.quiesce,
    volumes: volumes.map(({ index, target, scope, source, links, directory }) => ({
      index,
      target,
      scope,
      source,
      ...(directory === null && { absent: true }),
      links,
    })),
  };
  return {
    file: unfinishedOf(file),
    codec: input.codec,
    manifest,
    volumes,
    reserve: input.reserve ? await reserveAt(parts, path.dirname(file)) : null,
    signal,
    onProgress: ({ doneBytes, doneEntries }) => context.onProgress({ ...totals, doneBytes, doneEntries }),
  };
}

/** Every captured volume of the current config; the list that a restore matches against. */
async function volumesOf({ options }: CaptureParts, input: CaptureInput): Promise<CapturedVolume[]> {
  const { workload } = input;
  const context = await options.scopeContext(workload.id);
  const entries = await resolveVolumes(workload.config.volumes, options.registry, context);
  const wanted = entries.filter(
    ({ volume, resolved }) =>
      resolved.capabilities.captured && (input.targets === null || input.targets.includes(volume.target)),
  );
  const captured: CapturedVolume[] = [];
  for (const { volume, resolved } of wanted) {
    const { hostPath } = resolved;
    const absent = (await naming('stat', hostPath, () => standingAt(options.fs, hostPath))).kind === 'absent';
    if (absent && input.kind !== 'pre-restore' && !resolved.capabilities.createsDirectory)
      throw new ForgeError({ code: 'VOLUME_MISSING', params: { path: hostPath } });
    captured.push({
      index: captured.length,
      target: volume.target,
      scope: volume.scope,
      source: volume.source,
      links: input.links === 'widest' ? 2 : volume.links,
      directory: absent ? null : hostPath,
      exclude: absent ? [] : await innerNamesIn(options.fs, hostPath),
    });
  }
  return captured;
}

async function measure({ archive }: CaptureParts, volumes: readonly CapturedVolume[], signal: AbortSignal) {
  let totalBytes = 0;
  let totalEntries = 0;
  for (const { directory, exclude } of volumes) {
    if (directory === null) continue;
    const measured = await archive.measure(directory, exclude, signal);
    totalBytes += measured.contentBytes;
    totalEntries += measured.entries;
  }
  return { totalBytes, totalEntries };
}

/** Bytes and inodes that the archive must leave free, so that the host goes on living. */
async function reserveAt({ options }: CaptureParts, folder: string) {
  const mounts = parseMountinfo(await naming('read', '/proc/self/mountinfo', () => options.fs.mountInfo()));
  const { space } = await fileSystemFacts(options.fs, mounts, folder);
  return reserveOf(space, options.reserve ?? DEFAULT_RESERVE);
}
