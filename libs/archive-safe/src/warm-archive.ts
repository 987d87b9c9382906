import type { FileHandle } from 'node:fs/promises';
import { fstatSync } from 'node:fs';
import { ArchiveOutput } from './archive-output.ts';
import { AttributeScan } from './attribute-scan.ts';
import type { CreateArchiveOptions, CreatedArchive, WarmArchive } from './capture-request.ts';
import { openPartial, publish, pump, removePartial, startCrew, withCapture, type CaptureRun } from './capture-run.ts';
import { forgeError } from './forge-fault.ts';
import { hasSureTimes, writeBack } from './settled.ts';
import type { ScanVolume } from './scan-task.ts';
import type { Thread } from './thread-crew.ts';
import type { WarmSegment } from './warm-segments.ts';

export interface WarmRules {
  /**
   * How much older than the beginning of the pass the change time of a file must be for its content to be reused, ms; default
   * 2,000. A large file must be older still: see `SettledRule`.
   */
  settledMs?: number;
  /** `here` (default): looks whether change times are sure, and syncs the file systems. `caller`: who calls did both. */
  ground?: 'here' | 'caller';
}

const defaultSettledMs = 2_000;
/** Two numbers an entry stay in memory: at most 128 MiB. */
const maxMarks = 16 << 20;

/**
 * Packs volumes that are in use into the partial file of `options.file`, durably, so that `createArchive` need only pack what
 * changed afterwards. Undefined: it would be of no use here (codec gzip; file systems whose times are not sure; too many entries).
 *
 * @throws ForgeError as `createArchive`; nothing is left then. No reason not to make the archive.
 */
export async function warmArchive(options: CreateArchiveOptions & WarmRules): Promise<WarmArchive | undefined> {
  if ((options.codec ?? 'zstd') !== 'zstd') return undefined;
  let pass: PackedBefore | undefined;
  try {
    await withCapture(options, async (run) => (pass = await packAhead(options, run)));
    pass?.startThreads(options);
    return pass;
  } catch (error) {
    // Aborted when all was packed.
    await pass?.discard();
    throw error;
  }
}

async function packAhead(
  options: CreateArchiveOptions & WarmRules,
  run: CaptureRun,
): Promise<PackedBefore | undefined> {
  const before = Date.now();
  if (options.ground !== 'caller' && !(await isSureGround(run.volumes, options.signal))) return undefined;
  const handle = await openPartial(options.file);
  try {
    const segments = await pack(options, before, run, new ArchiveOutput(handle, options));
    if (segments !== undefined) {
      await handle.sync();
      return new PackedBefore(options, run.volumes, handle, segments);
    }
    await removePartial(options.file, handle);
    return undefined;
  } catch (error) {
    await removePartial(options.file, handle);
    throw error;
  }
}

async function isSureGround(volumes: readonly ScanVolume[], signal: AbortSignal | undefined): Promise<boolean> {
  if (!volumes.every(({ root }) => hasSureTimes(root))) return false;
  await writeBack(
    volumes.map(({ root }) => root),
    signal,
  );
  return true;
}

interface Packed {
  out: ArchiveOutput;
  segments: WarmSegment[];
}

async function pack(
  options: CreateArchiveOptions & WarmRules,
  before: number,
  run: CaptureRun,
  out: ArchiveOutput,
): Promise<Packed | undefined> {
  await out.manifest();
  const margin = BigInt(options.settledMs ?? defaultSettledMs) * 1_000_000n;
  await Promise.all(run.packers.map((packer) => packer.call('makeWay', [])));
  await run.scanner.call('warmScanOpen', [run.volumes, { synced: BigInt(before) * 1_000_000n, margin }]);
  const segments: WarmSegment[] = [];
  let marked = 0;
  await pump(options, run, out, ({ volume, entries }, marks) => {
    marked += entries;
    // Entries that were gone when their turn came are not in the segment.
    if (marks?.length !== entries * 2 || marked > maxMarks) return;
    const number = out.count - 1;
    segments.push({ number, volume, ...out.indexOf(number), marks });
  });
  await out.written();
  return marked > maxMarks ? undefined : { out, segments };
}

class PackedBefore implements WarmArchive {
  readonly #request: string;
  readonly #roots: string;
  readonly #file: string;
  readonly #handle: FileHandle;
  readonly #packed: Packed;
  #crew: Thread[] = [];
  #spent = false;

  constructor(options: CreateArchiveOptions, volumes: readonly ScanVolume[], handle: FileHandle, packed: Packed) {
    this.#request = requestOf(options);
    this.#roots = identities(volumes);
    this.#file = options.file;
    this.#handle = handle;
    this.#packed = packed;
  }

  /** While the app still runs: three threads take longer to start than a few files to pack. Those of the pass come first. */
  startThreads(options: CreateArchiveOptions): void {
    this.#crew = startCrew(options);
  }

  async finish(options: CreateArchiveOptions): Promise<CreatedArchive | undefined> {
    if (this.#spent) return undefined;
    try {
      if (requestOf(options) !== this.#request) return undefined;
      return await withCapture(options, (run) => this.#finish(options, run), this.#crew);
    } catch (error) {
      throw forgeError(error);
    } finally {
      await this.discard();
    }
  }

  async #finish(options: CreateArchiveOptions, run: CaptureRun): Promise<CreatedArchive | undefined> {
    if (identities(run.volumes) !== this.#roots) return undefined;
    const attributes = new AttributeScan(run.volumes, options.signal);
    try {
      const { out, segments } = this.#packed;
      if (!(await run.scanner.call('rescanOpen', [run.volumes, this.#handle.fd, segments]))) return undefined;
      out.again(options);
      await pump(options, run, out);
      out.notes.addAll(await attributes.notes());
      const created = await out.finish();
      await publish(options, this.#handle);
      this.#spent = true;
      return created;
    } finally {
      await attributes.close();
    }
  }

  async discard(): Promise<void> {
    if (this.#spent) return;
    this.#spent = true;
    await Promise.all(this.#crew.map((thread) => thread.rest()));
    await removePartial(this.#file, this.#handle);
  }
}

/** What must be the same for the packed bytes to be those of the archive. */
function requestOf({ file, volumes, manifest, codec = 'zstd', level, key }: CreateArchiveOptions): string {
  const sorted = [...volumes].sort((a, b) => a.index - b.index);
  const of = sorted.map(({ index, root, links, exclude = [] }) => [index, root, links, exclude]);
  return JSON.stringify([file, of, manifest, codec, level ?? null, key.toString('hex')]);
}

function identities(volumes: readonly ScanVolume[]): string {
  return volumes
    .map(({ root }) => fstatSync(root, { bigint: true }))
    .map(({ dev, ino }) => `${dev}:${ino}`)
    .join(' ');
}
