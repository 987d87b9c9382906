import type { CrashWorld } from './crash-world.ts';
import type { News } from './power-cuts.ts';

/** Records between which policies are `no` (restore.md 2), and all others. */
const HELD = ['QUIESCED', 'SAFE', 'COMMIT', 'SWAPPED', 'ROLLBACK'];
const RECORDS = [...HELD, 'QUIESCING', 'BEGIN', 'STAGING', 'STAGED', 'ROLLED_BACK', 'DONE', 'CLOSED'];

export interface WatchedNews {
  readonly renamed: boolean;
  /** The journal says that the app must not come up by itself. */
  readonly held: boolean;
  readonly byDisk: ReadonlyMap<string, News>;
}

/** Tells what changed on a machine since the last look. */
export class Watch {
  readonly #world: CrashWorld;
  #docker: number;
  #record = '';
  #stopped = false;
  readonly #disks = new Map<string, { readonly metadata: number; readonly content: number }>();

  constructor(world: CrashWorld) {
    this.#world = world;
    this.#docker = world.docker.changes;
    for (const disk of world.fs.disks.values()) this.#disks.set(disk.id, disk.changes);
  }

  /** @param call as the story tells it; a journal record by its type. null: nothing that makes a new machine possible. A sync does not: what it leaves was among what could be left before. */
  look(call: string): WatchedNews | null {
    const wrote = call.split(' ').at(-1) ?? '';
    if (RECORDS.includes(wrote)) this.#record = wrote;
    if (call.startsWith('stopContainer')) this.#stopped = true;
    const byDisk = new Map<string, News>();
    let renamed = false;
    for (const disk of this.#world.fs.disks.values()) {
      const before = this.#disks.get(disk.id) ?? { metadata: 0, content: 0 };
      const now = disk.changes;
      this.#disks.set(disk.id, now);
      const news = { metadata: now.metadata - before.metadata, content: now.content - before.content };
      renamed ||= news.metadata > 0;
      if (news.metadata > 0 || news.content > 0) byDisk.set(disk.id, news);
    }
    const docker = this.#world.docker.changes;
    const changed = docker !== this.#docker;
    this.#docker = docker;
    if (!changed && byDisk.size === 0) return null;
    return { renamed, held: this.#isHeld(), byDisk: changed ? new Map() : byDisk };
  }

  #isHeld(): boolean {
    return HELD.includes(this.#record) || (this.#record === 'QUIESCING' && this.#stopped);
  }
}
