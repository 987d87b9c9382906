import { closeReadOnly } from './directory-handle.ts';
import type { ByteString } from './byte-string.ts';
import { JobCutter, type FileMark, type PackJob } from './job-cutter.ts';
import type { LinkTier } from './link-policy.ts';
import type { Note } from './note.ts';
import { Refusal } from './refusal.ts';
import { TreeWalk } from './tree-walk.ts';

export interface ScanVolume {
  index: number;
  /** Open directory. */
  root: number;
  links: LinkTier;
  exclude: ByteString[];
}

/** That part of the archive which lies there already is the next one. */
export interface KeepJob {
  kind: 'keep';
  /** Number of the segment in the file. */
  segment: number;
}

/** Turns volumes into frame jobs, in archive order. */
export class Scan {
  readonly #cutter: JobCutter;
  #jobs: Generator<PackJob | KeepJob, void, void>;
  /** Descriptors held for jobs that were handed out, oldest first. */
  #held: number[][] = [];

  constructor(volumes: readonly ScanVolume[], mark?: FileMark, jobs: JobSource = scanned) {
    this.#cutter = new JobCutter(mark);
    this.#jobs = jobs(volumes, this.#cutter);
  }

  /** The next job or null. `finishedJobs`: how many of the oldest jobs are packed; `spare`: their buffers. */
  next(finishedJobs: number, spare: ArrayBuffer[]): PackJob | KeepJob | null {
    this.#cutter.reuse(spare);
    for (const fds of this.#held.splice(0, finishedJobs)) for (const fd of fds) closeReadOnly(fd);
    const { value, done } = this.#jobs.next();
    if (done === true || value === undefined) return null;
    if (value.kind !== 'keep') this.#held.push(this.#cutter.takeHeld());
    return value;
  }

  /** Ends the walk wherever it is; jobs that were handed out lose their descriptors. */
  close(): void {
    this.#jobs.return();
    for (const fd of [...this.#held.flat(), ...this.#cutter.takeHeld()]) closeReadOnly(fd);
    this.#held = [];
  }

  /** Notes that belong to no job any more. */
  lastNotes(): Note[] {
    return this.#cutter.takeNotes();
  }
}

/** Where the jobs of a scan come from. Notes go to `cutter.notes`. */
export type JobSource = (volumes: readonly ScanVolume[], cutter: JobCutter) => Generator<PackJob | KeepJob, void, void>;

function* scanned(volumes: readonly ScanVolume[], cutter: JobCutter): Generator<PackJob, void, void> {
  for (const volume of volumes) {
    const walk = walkOf(volume, cutter, true);
    yield* cutter.cut(volume, walk.walk(volume.root));
    assertAllowed(volume, walk);
  }
}

export function walkOf(volume: ScanVolume, cutter: JobCutter, holdLinked: boolean): TreeWalk {
  return new TreeWalk({
    prefix: `${volume.index}`,
    links: volume.links,
    exclude: new Set(volume.exclude),
    notes: { add: (...args: Parameters<JobCutter['notes']['add']>) => cutter.notes.add(...args) },
    holdLinked,
  });
}

/** @throws Refusal `VOLUME_NOT_CAPTURABLE` */
export function assertAllowed(volume: ScanVolume, { policy: { violations, violationCount } }: TreeWalk): void {
  if (violationCount === 0) return;
  throw new Refusal('VOLUME_NOT_CAPTURABLE', `Volume ${volume.index} holds entries that its link policy forbids`, {
    index: volume.index,
    links: volume.links,
    paths: violations.join(', '),
    count: violationCount,
  });
}
