import path from 'node:path';
import { importArchive, removeTree, type ImportedArchive } from '@tiny-forge/archive-safe';
import { ForgeError, type Manifest, type Note } from '@tiny-forge/contracts/domain';
import { parseMountinfo } from '@tiny-forge/docker';
import type { RestoreEngineOptions } from '../create-restore-engine.ts';
import { WorkloadMutex } from '../host-mutex.ts';
import { fileSystemFacts } from '../plan/gather-host-facts.ts';
import { DEFAULT_RESERVE, reserveOf } from '../plan/space-needs.ts';
import { makeFolder, unlinkIfThere, writeDurably } from '../ports/durable-file.ts';
import { asForgeError, naming } from '../ports/fs-error.ts';
import type { CaptureEngine, CaptureResult, StepContext } from '../restore-engine.ts';
import type { ImportEngine, ImportInput } from './import-engine.ts';
import { importedManifest, unmatched } from './imported-manifest.ts';
import { Uploads, type UploadTimes } from './uploads.ts';

export interface ImportEngineOptions extends Pick<
  RestoreEngineOptions,
  'dataDir' | 'fs' | 'key' | 'log' | 'mutex' | 'reserve'
> {
  /** Of the same host: imported archives lie where captured ones do. */
  readonly capture: Pick<CaptureEngine, 'archivePath' | 'remove'>;
  readonly uploadTimes?: UploadTimes;
  /** 0: archives are read and written in the calling thread, for tests. */
  readonly threads?: number;
}

/** An archive of any size is through by then, or something is wrong with it, ms. */
const TOTAL_MS = 24 * 3_600_000;

export function createImportEngine(options: ImportEngineOptions): ImportEngine {
  const { dataDir, fs, capture } = options;
  const mutex = options.mutex ?? new WorkloadMutex();
  const uploads = new Uploads(fs, dataDir, options.reserve ?? DEFAULT_RESERVE, options.uploadTimes);
  const workRoot = path.join(dataDir, 'imports', 'work');
  const dropWork = async (uploadId: string): Promise<void> => {
    await removeTree(path.join(workRoot, uploadId), options.threads === 0 ? { threads: 0 } : {});
  };

  return {
    receive: (input) => uploads.receive(input),
    release: (uploadId) => uploads.remove(uploadId),

    import: (input, context) =>
      mutex
        .run(input.workload.id, context.signal, async (signal) => {
          const file = capture.archivePath(input.workload.id, input.snapshotId, input.codec);
          const result = path.join(path.dirname(file), `${input.snapshotId}.json`);
          if ((await fs.stat(file)) !== null && (await fs.stat(result)) !== null) {
            const text = await naming('read', result, () => fs.readFile(result));
            return JSON.parse(text.toString('utf8')) as CaptureResult;
          }
          const work = path.join(workRoot, input.uploadId);
          await dropWork(input.uploadId);
          await makeFolder(fs, dataDir, work);
          await makeFolder(fs, dataDir, path.dirname(file));
          try {
            const made = await write(options, uploads, input, { file, result, work }, { ...context, signal });
            await uploads.remove(input.uploadId);
            return made;
          } finally {
            await dropWork(input.uploadId);
          }
        })
        .catch((error: unknown) => Promise.reject(asForgeError(error, 'import', dataDir))),

    discard: async ({ workloadId, snapshotId, uploadId }) => {
      await capture.remove(workloadId, snapshotId);
      await dropWork(uploadId);
      await uploads.remove(uploadId);
    },

    collect: async (needed) => {
      const works = (await fs.stat(workRoot)) === null ? [] : await fs.readDirectory(workRoot);
      const over = await uploads.over();
      // An upload that is over is in the table already, if it ever will be.
      const wanted = await needed([...new Set([...over, ...works])]);
      const removed = over.filter((id) => !wanted.has(id));
      for (const id of removed) await uploads.remove(id);
      for (const id of works.filter((each) => !wanted.has(each))) await dropWork(id);
      return removed;
    },
  };
}

async function write(
  options: ImportEngineOptions,
  uploads: Uploads,
  input: ImportInput,
  at: { readonly file: string; readonly result: string; readonly work: string },
  { signal, onProgress }: StepContext,
): Promise<CaptureResult> {
  const { fs, key, threads } = options;
  const { volumes: config } = input.workload.config;
  const unfinished = `${at.file}.new`;
  await unlinkIfThere(fs, unfinished);
  const { keep, freeBytes } = await budget(options, at.work);
  let totals = { totalBytes: 0, totalEntries: 0 };
  let manifest: Manifest | null = null;
  try {
    const made = await importArchive({
      source: await uploads.find(input.uploadId),
      profile: input.profile,
      workDir: at.work,
      file: unfinished,
      key,
      codec: input.codec,
      links: input.links,
      maxBytes: Math.max(0, freeBytes - keep.minFreeBytes),
      limits: { totalMs: TOTAL_MS },
      spaceCheck: keep,
      signal,
      ...(threads === undefined ? {} : { threads }),
      manifest: (found) => {
        totals = { totalBytes: found.contentBytes, totalEntries: found.entries };
        return (manifest = importedManifest(found, config, input));
      },
      // Before all was read nobody knows how much it is.
      onProgress: ({ doneBytes, doneEntries }) => onProgress({ ...totals, doneBytes, doneEntries }),
    });
    if (manifest === null) throw new ForgeError({ code: 'INTERNAL', params: { reportId: input.snapshotId } });
    const result = resultOf(at.file, made, manifest, config);
    await writeDurably(fs, at.result, JSON.stringify(result));
    await naming('rename', at.file, () => fs.rename(unfinished, at.file));
    await naming('fsync', path.dirname(at.file), () => fs.syncDirectory(path.dirname(at.file)));
    return result;
  } catch (error) {
    await unlinkIfThere(fs, unfinished).catch(() => undefined);
    throw error;
  }
}

function resultOf(
  file: string,
  made: ImportedArchive,
  manifest: Manifest,
  config: ImportInput['workload']['config']['volumes'],
): CaptureResult {
  const notes: Note[] = [
    ...unmatched(manifest, config),
    ...made.found.notes.map(({ code, params }) => ({ code, params })),
    ...made.notes.map(({ code, params }) => ({ code, params })),
  ];
  return {
    file,
    archiveSha256: made.sha256,
    bytes: made.bytes,
    contentBytes: made.contentBytes,
    entries: made.entries,
    manifest,
    volumes: manifest.volumes.map(({ index, target, scope, source, absent = false }) => {
      const content = made.volumes.find((volume) => volume.index === index);
      return {
        index,
        target,
        scope,
        source,
        contentBytes: content?.contentBytes ?? 0,
        entries: content?.entries ?? 0,
        absent,
      };
    }),
    notes,
    quiesce: manifest.quiesce,
  };
}

/** restore.md 1: what stays free while we unpack, looked at every 64 MiB and 1,000 entries. */
async function budget({ fs, reserve = DEFAULT_RESERVE }: ImportEngineOptions, folder: string) {
  const mounts = parseMountinfo(await naming('read', '/proc/self/mountinfo', () => fs.mountInfo()));
  const { space } = await fileSystemFacts(fs, mounts, folder);
  const { bytes, inodes } = reserveOf(space, reserve);
  return {
    freeBytes: space.freeBytes,
    keep: { everyBytes: 64 * 1024 ** 2, everyEntries: 1000, minFreeBytes: bytes, minFreeInodes: inodes },
  };
}
