import { fstatSync, openSync } from 'node:fs';
import { escapePath, type ByteString } from './byte-string.ts';
import { at, closeReadOnly, DirectoryCursor } from './directory-handle.ts';
import { comparePaths, type IndexEntry } from './entry.ts';
import { frameBytes, wholeBytes } from './frame-plan.ts';
import type { JobCutter, PackJob } from './job-cutter.ts';
import { errnoOf } from './refusal.ts';
import { ReuseGraph } from './reuse-graph.ts';
import { assertAllowed, walkOf, type JobSource, type KeepJob, type ScanVolume } from './scan-task.ts';
import { readFlags, type WalkedEntry } from './tree-walk.ts';
import { WarmBlock, type WarmSegment } from './warm-segments.ts';

/** More entries than this are not remembered: then everything is packed again, in constant memory. */
const maxRemembered = 250_000;

type Item = { block: number } | { entries: WalkedEntry[] };

/** In archive order: what can stay, and what has to be packed. */
interface VolumePlan {
  volume: ScanVolume;
  device: bigint;
  items: Item[];
  /** First names of files that have several, and the segment of each; -1: none. */
  linked: ReadonlyMap<ByteString, number>;
}

/** Thrown where a full pass is the better way. */
export class TooMuchChanged extends Error {}

/**
 * Looks at every entry of the volumes and compares it with what a warm pass wrote into `file`, at once; the jobs are what must
 * be packed and, in its place, each segment that can stay.
 *
 * @throws TooMuchChanged
 */
export function rescanned(file: number, segments: readonly WarmSegment[], limit = maxRemembered): JobSource {
  return (volumes, cutter) => {
    const graph = new ReuseGraph();
    const room = { left: limit };
    const plans = volumes.map((volume) => {
      const own = segments.filter((segment) => segment.volume === volume.index);
      return new Survey(file, volume, own, graph, room).run(cutter);
    });
    return allJobs();

    function* allJobs(): Generator<PackJob | KeepJob, void, void> {
      for (const plan of plans) yield* jobsOf(plan, file, segments, graph, cutter);
    }
  };
}

/** One walk of a volume beside the entries that its warm segments hold. */
class Survey {
  readonly #file: number;
  readonly #volume: ScanVolume;
  readonly #segments: readonly WarmSegment[];
  readonly #graph: ReuseGraph;
  readonly #room: { left: number };
  readonly #items: Item[] = [];
  readonly #linked = new Map<ByteString, number>();
  /** The directories above the entry at hand, and the segment of each. */
  readonly #above: { path: ByteString; owner: number }[] = [];
  readonly #device: bigint;
  #next = 0;
  #block: WarmBlock | undefined;
  /** How many entries of the block were found. */
  #at = 0;
  #clean = true;

  constructor(
    file: number,
    volume: ScanVolume,
    segments: readonly WarmSegment[],
    graph: ReuseGraph,
    room: { left: number },
  ) {
    this.#file = file;
    this.#volume = volume;
    this.#segments = segments;
    this.#graph = graph;
    this.#room = room;
    this.#device = fstatSync(volume.root, { bigint: true }).dev;
  }

  run(cutter: JobCutter): VolumePlan {
    const walk = walkOf(this.#volume, cutter, false);
    this.#open();
    for (const found of walk.walk(this.#volume.root)) this.#relate(found, this.#place(found));
    if (this.#block !== undefined && this.#at > 0) this.#spoil();
    assertAllowed(this.#volume, walk);
    return { volume: this.#volume, device: this.#device, items: this.#items, linked: this.#linked };
  }

  #open(): void {
    const segment = this.#segments[this.#next++];
    this.#block = segment && new WarmBlock(this.#file, segment);
    this.#at = 0;
    this.#clean = true;
  }

  /** The segment that `found` belongs to; -1: to none. */
  #place(found: WalkedEntry): number {
    for (;;) {
      const block = this.#block;
      const warm = block?.entries[this.#at];
      if (block === undefined || warm === undefined) break;
      const order = found.path === warm.path ? 0 : comparePaths(found.path.split('/'), warm.path.split('/'));
      if (order < 0 && this.#at === 0) break;
      const owner = block.segment.number;
      if (order === 0) {
        if (!block.isStill(this.#at, found)) this.#spoil();
        if (!this.#clean) this.#remember(found);
        this.#step(block);
        return owner;
      }
      this.#spoil();
      if (order < 0) {
        this.#remember(found);
        return owner;
      }
      // An entry that is no more.
      this.#step(block);
    }
    this.#remember(found);
    return -1;
  }

  #step(block: WarmBlock): void {
    this.#at++;
    if (this.#at < block.entries.length) return;
    if (this.#clean) this.#items.push({ block: this.#next - 1 });
    this.#open();
  }

  /** The segment at hand cannot stay: what was found of it is packed again. */
  #spoil(): void {
    const block = this.#block;
    if (block === undefined || !this.#clean) return;
    this.#clean = false;
    this.#graph.kill(block.segment.number);
    for (let i = 0; i < this.#at; i++) {
      const { path } = block.entries[i] as IndexEntry;
      this.#remember(block.walked(i, this.#device, this.#linked.has(path)));
    }
  }

  #remember(found: WalkedEntry): void {
    if (--this.#room.left < 0) throw new TooMuchChanged();
    const last = this.#items.at(-1);
    if (last !== undefined && 'entries' in last) last.entries.push(found);
    else this.#items.push({ entries: [found] });
  }

  #relate(found: WalkedEntry, owner: number): void {
    const parent = found.path.slice(0, Math.max(0, found.path.lastIndexOf('/')));
    while (this.#above.length > 0 && this.#above.at(-1)?.path !== parent) this.#above.pop();
    const above = this.#above.at(-1)?.owner ?? -1;
    if (above >= 0) {
      if (owner < 0) this.#graph.kill(above);
      else this.#graph.follows(above, owner);
    }
    if (found.type === 'directory') this.#above.push({ path: found.path, owner });
    if (found.linked) this.#linked.set(found.path, owner);
    const first = found.type === 'hardlink' ? (this.#linked.get(found.link) ?? -1) : -1;
    if (owner >= 0 && first >= 0) this.#graph.follows(owner, first);
    if (owner >= 0 && first < 0 && found.type === 'hardlink') this.#graph.kill(owner);
  }
}

function* jobsOf(
  plan: VolumePlan,
  file: number,
  all: readonly WarmSegment[],
  graph: ReuseGraph,
  cutter: JobCutter,
): Generator<PackJob | KeepJob, void, void> {
  const segments = all.filter((segment) => segment.volume === plan.volume.index);
  const opener = new LaterOpening(plan, cutter);
  const run: Item[] = [];
  const entriesOf = function* (items: Item[]): Generator<WalkedEntry, void, void> {
    for (const item of items) {
      if ('entries' in item) yield* item.entries;
      else {
        const block = new WarmBlock(file, segments[item.block] as WarmSegment);
        for (const [i, { path }] of block.entries.entries()) yield block.walked(i, plan.device, plan.linked.has(path));
      }
    }
  };
  try {
    for (const item of plan.items) {
      const number = 'block' in item ? (segments[item.block] as WarmSegment).number : -1;
      if (number < 0 || graph.isDead(number)) {
        run.push(item);
        continue;
      }
      yield* cutter.cut(plan.volume, opener.opened(entriesOf(run.splice(0))));
      yield { kind: 'keep', segment: number };
    }
    yield* cutter.cut(plan.volume, opener.opened(entriesOf(run)));
  } finally {
    opener.close();
  }
}

/** Gives entries that were found earlier what their packing needs: the directory of a large file, a hold on one that is linked. */
class LaterOpening {
  readonly #cursor: DirectoryCursor;
  readonly #cutter: JobCutter;
  readonly #lost = new Set<ByteString>();

  constructor({ volume }: VolumePlan, cutter: JobCutter) {
    this.#cursor = new DirectoryCursor(volume.root);
    this.#cutter = cutter;
  }

  close(): void {
    this.#cursor.close();
  }

  *opened(entries: Iterable<WalkedEntry>): Generator<WalkedEntry, void, void> {
    for (const entry of entries) {
      const needsIt = entry.type === 'file' && (entry.linked || wholeBytes(entry) > frameBytes);
      if (!needsIt && !(entry.type === 'hardlink' && this.#lost.has(entry.link))) {
        yield entry;
        continue;
      }
      const opened = entry.type === 'file' ? this.#open(entry) : undefined;
      if (opened !== undefined) yield opened;
      else {
        this.#lost.add(entry.path);
        this.#cutter.notes.add('CHANGED_WHILE_READ', { path: escapePath(entry.path), what: 'vanished' });
      }
    }
  }

  /** undefined: it is not there any more. */
  #open(entry: WalkedEntry): WalkedEntry | undefined {
    const name = entry.path.slice(entry.path.lastIndexOf('/') + 1);
    let held = -1;
    try {
      const directory = this.#cursor.moveToParent(entry.path);
      if (!entry.linked) return { ...entry, directory, name };
      held = openSync(at(directory, name), readFlags);
      const stat = fstatSync(held, { bigint: true });
      if (stat.isFile() && stat.dev === entry.device && stat.ino === entry.inode)
        return { ...entry, directory, name, held };
    } catch (error) {
      if (held >= 0) closeReadOnly(held);
      if (!['ENOENT', 'ENOTDIR', 'ELOOP', 'ENXIO'].includes(errnoOf(error) ?? '')) throw error;
      return undefined;
    }
    closeReadOnly(held);
    return undefined;
  }
}
