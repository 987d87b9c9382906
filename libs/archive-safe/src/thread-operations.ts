import { createHash, type Hash } from 'node:crypto';
import { readSync } from 'node:fs';
import type { RestoreRules } from './apply-metadata.ts';
import { ArchiveReader, readTable } from './archive-reader.ts';
import type { CompressionSettings } from './codec.ts';
import type { IndexEntry } from './entry.ts';
import {
  IndexSearch,
  readContentPart,
  type ContentPlace,
  type FolderSlice,
  type FoundContent,
} from './index-search.ts';
import { extractSegment } from './extract-task.ts';
import { readSegment } from './read-segment.ts';
import { checkForeignIndex } from './foreign-index.ts';
import { listImport, readImport } from './import-reading.ts';
import type { ImportRules, ImportTotals } from './import-sink.ts';
import { ImportWriter, type ImportPass } from './import-writer.ts';
import { VolumeFinish, type FinishedVolume } from './finish-task.ts';
import type { LinkTier } from './link-policy.ts';
import { measureTask } from './measure-task.ts';
import { NoteList, type Note } from './note.ts';
import { ProgressCounter } from './progress-meter.ts';
import { Packer } from './pack-task.ts';
import { checkIndex, KeptEntries, makeDirectories, noFiles, type Budget, type VolumeTotals } from './prepare-task.ts';
import { removeTreeTask, type TreeIdentity } from './remove-task.ts';
import type { PackJob } from './job-cutter.ts';
import { rescanned } from './rescan-task.ts';
import { Scan, type ScanVolume } from './scan-task.ts';
import { makeWay, markOf, takePlaceAgain, type SettledRule } from './settled.ts';
import { collectGarbage } from './short-lived.ts';
import { SpaceWatch, type SpaceRule } from './space-watch.ts';
import type { WarmSegment } from './warm-segments.ts';

/** What of `RestoreRules` crosses into a thread. */
export type RestoreTrust = Omit<RestoreRules, 'notes'>;

interface ThreadState {
  listing?: AsyncGenerator<IndexEntry[], void, void>;
  scan?: Scan;
  packer?: Packer;
  reader?: ArchiveReader;
  kept?: KeptEntries;
  search?: IndexSearch;
  roots?: Map<number, number>;
  space?: SpaceWatch;
  progress?: ProgressCounter;
  fileHash?: Hash;
}

function need<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('the thread was not set up for this call');
  return value;
}

/** A hash is a view into its whole index block, and all of that would be copied on the way to another thread. */
function detached(entry: IndexEntry): IndexEntry {
  return entry.sha256 === undefined ? entry : { ...entry, sha256: Buffer.from(Uint8Array.from(entry.sha256).buffer) };
}

/**
 * What a thread can be asked to do. Synchronous but for the reading of foreign archives: a thread does one thing at a time, and
 * file calls are fastest so.
 */
export function createOperations() {
  const state: ThreadState = {};
  /** The thread that checked the index need not read it again. */
  const entriesOf = (volume: number): Iterable<IndexEntry> =>
    state.kept?.of(need(state.reader), volume) ?? noFiles(need(state.reader), volume);
  const search = (): IndexSearch => (state.search ??= new IndexSearch(need(state.reader)));
  return {
    /**
     * Gives back what calls of this thread hold, and forgets them; a thread that ends gives back all it holds by itself. Resolves
     * with whether it is as good as a new one.
     */
    async release(): Promise<boolean> {
      const { scan, packer, listing } = state;
      for (const key of Object.keys(state) as (keyof ThreadState)[]) delete state[key];
      scan?.close();
      packer?.close();
      await listing?.return();
      collectGarbage();
      return takePlaceAgain();
    },
    scanOpen(volumes: ScanVolume[]): void {
      state.scan = new Scan(volumes);
    },
    /** For a pass beside a running app: it gets out of the way, and says how each file is told from a later one. */
    warmScanOpen(volumes: ScanVolume[], settled: SettledRule): void {
      makeWay();
      state.scan = new Scan(volumes, markOf(settled));
    },
    /** Whether what a warm pass wrote is of use; else all is to be packed. */
    rescanOpen(volumes: ScanVolume[], file: number, segments: WarmSegment[]): boolean {
      try {
        state.scan = new Scan(volumes, undefined, rescanned(file, segments));
        return true;
      } catch {
        // Whatever stands in the way of a full pass too is thrown there.
        return false;
      }
    },
    makeWay,
    scanNext: (finished: number, spare: ArrayBuffer[]) => need(state.scan).next(finished, spare),
    scanNotes: () => need(state.scan).lastNotes(),
    packOpen(settings: CompressionSettings): void {
      state.packer = new Packer(settings);
    },
    pack: (job: PackJob, out: ArrayBuffer) => need(state.packer).pack(job, out),
    /** Without a key the table is consistent, and nothing says who wrote it. */
    readTable: (fd: number, key: Uint8Array | null): Uint8Array =>
      readTable(fd, key === null ? null : Buffer.from(key)),
    archiveOpen(fd: number, table: Uint8Array): void {
      state.reader = new ArchiveReader(fd, Buffer.from(table));
    },
    progressOpen(shared: SharedArrayBuffer): void {
      state.progress = new ProgressCounter(shared);
    },
    targetsOpen(roots: [number, number][], rule: SpaceRule | undefined, sharers: number): void {
      state.roots = new Map(roots);
      state.space = new SpaceWatch([...state.roots.values()], rule, sharers, state.progress);
      state.space.check();
    },
    checkIndex(wanted: number[], budget: Budget): VolumeTotals[] {
      state.kept = new KeptEntries();
      return checkIndex(need(state.reader), new Set(wanted), budget, state.kept);
    },
    makeDirectories(): void {
      makeDirectories(entriesOf, need(state.roots), need(state.space));
    },
    extract(segments: number[], trust: RestoreTrust): { files: number; notes: Note[] } {
      const reader = need(state.reader);
      const notes = new NoteList();
      let files = 0;
      for (const index of segments) {
        const root = need(need(state.roots).get(reader.segment(index).volume as number));
        files += extractSegment(reader, index, root, need(state.space), { ...trust, notes });
      }
      return { files, notes: notes.list() };
    },
    finishVolume(volume: number, trust: RestoreTrust): FinishedVolume & { notes: Note[] } {
      const notes = new NoteList();
      const root = need(need(state.roots).get(volume));
      const counts = new VolumeFinish(root, need(state.space), { ...trust, notes }).run(entriesOf(volume));
      return { ...counts, notes: notes.list() };
    },
    /** Hashes the packed bytes of segments; with `content` also inflates, parses and hashes what they hold. */
    verify(segments: number[], content: boolean): void {
      const reader = need(state.reader);
      for (const index of segments) {
        if (content) {
          readSegment(reader, index, () => undefined);
          for (const frame of reader.segment(index).frames) state.progress?.bytes(frame.packedBytes);
        } else for (const { frame } of reader.packed(index)) state.progress?.bytes(frame.packedBytes);
      }
    },
    verifyDead(): void {
      need(state.reader).checkDead((bytes) => state.progress?.bytes(bytes));
    },
    /** Hex SHA-256 of the part of a file from its beginning; continues where the last call ended. */
    hashFile(fd: number, from: number, to: number, done: boolean): string | null {
      const fileHash = (state.fileHash ??= createHash('sha256'));
      const buffer = Buffer.allocUnsafeSlow(1 << 20);
      for (let at = from; at < to;) {
        const got = readSync(fd, buffer, 0, Math.min(buffer.length, to - at), at);
        if (got === 0) break;
        fileHash.update(buffer.subarray(0, got));
        at += got;
      }
      return done ? fileHash.digest('hex') : null;
    },
    segmentIndex: (index: number) => need(state.reader).index(index),
    segmentContent(index: number): Uint8Array {
      const chunks: Buffer[] = [];
      readSegment(need(state.reader), index, () => ({
        write: (chunk) => void chunks.push(Buffer.from(chunk)),
        end: () => undefined,
        abandon: () => undefined,
      }));
      return Buffer.concat(chunks);
    },
    findEntry: (volume: number, names: string[]): IndexEntry | null => search().find(volume, names)?.entry ?? null,
    listFolder(volume: number, names: string[], after: string | undefined, limit: number): FolderSlice | null {
      const slice = search().children(volume, names, after, limit);
      if (slice === undefined) return null;
      return { ...slice, folder: detached(slice.folder), entries: slice.entries.map(detached) };
    },
    findContent(volume: number, names: string[]): FoundContent | null {
      const found = search().content(volume, names);
      if (found === undefined) return null;
      return { ...found, entry: detached(found.entry), sha256: Uint8Array.from(found.sha256) };
    },
    contentPart: (place: ContentPlace, from: number, to: number): Uint8Array =>
      readContentPart(need(state.reader), place, from, to),
    /** Tier and modes of an archive of ours that somebody else may have made. */
    checkForeign(wanted: number[], links: 0 | 1): Note[] {
      const notes = new NoteList();
      checkForeignIndex(need(state.reader), new Set(wanted), links, notes);
      return notes.list();
    },
    async importCheck(fd: number, rules: ImportRules): Promise<ImportTotals & { notes: Note[] }> {
      const notes = new NoteList();
      const totals = await readImport(fd, rules, notes, undefined, (bytes) => state.progress?.bytes(bytes));
      return { ...totals, notes: notes.list() };
    },
    /** The next entries of a foreign archive, null behind the last; `importCheck` comes first. */
    async importNext(fd: number, rules: ImportRules): Promise<IndexEntry[] | null> {
      const { value, done } = await (state.listing ??= listImport(fd, rules)).next();
      return done === true ? null : value;
    },
    /** One pass of writing; `importCheck` comes first. `root` is an open directory. */
    async importWrite(
      fd: number,
      rules: ImportRules,
      pass: ImportPass,
      root: number,
      owner: RestoreTrust['owner'],
    ): Promise<Note[]> {
      const notes = new NoteList();
      const writer = new ImportWriter(pass, root, need(state.space), { notes, owner, modes: 0o777 });
      try {
        await readImport(fd, rules, new NoteList(), writer);
        writer.finish();
      } finally {
        writer.close();
      }
      return notes.list();
    },
    measure: (root: string, prefix: string, links: LinkTier, exclude: string[]) =>
      measureTask(root, prefix, links, exclude),
    removeTree: (path: string, expected: TreeIdentity | undefined) => removeTreeTask(path, expected),
  };
}

export type Operations = ReturnType<typeof createOperations>;
export type OperationName = keyof Operations;
