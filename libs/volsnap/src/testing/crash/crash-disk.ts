import { applied, contentOutcomes, type FileWrite, type PersistenceModel } from './crash-content.ts';

export interface Attributes {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Set by `touch` alone: changes of names and content do not move it here. */
  readonly modifiedNs: bigint;
}

export interface Inode {
  /** Never used twice, where `ino` is, as on ext4. */
  readonly node: number;
  readonly ino: number;
  readonly birth: number;
  readonly kind: 'directory' | 'file' | 'symlink';
  attributes: Attributes;
  readonly target: string;
  /** As every process sees it. Buffers are never changed in place. */
  content: Buffer;
  /** As the disk has it. */
  durable: Buffer;
  writes: FileWrite[];
  entries: Map<string, number>;
}

/** One change of metadata that is not on disk yet. */
export interface MetadataOp {
  readonly seq: number;
  readonly changes: readonly MetadataChange[];
}
export type MetadataChange =
  | { readonly kind: 'names'; readonly node: number; readonly sets: readonly (readonly [string, number | null])[] }
  | { readonly kind: 'attributes'; readonly node: number; readonly set: Partial<Attributes> };

/** Entries of every directory and attributes, as the disk has them. */
interface DurableNames {
  readonly entries: Map<number, Map<string, number>>;
  readonly attributes: Map<number, Attributes>;
}

/** Content of some files after a crash; those that are not named are as written. */
export type ContentChoice = ReadonlyMap<number, Buffer>;

/** One simulated file system: what processes see, what the disk has, and the changes between the two in their order. */
export class CrashDisk {
  readonly id: string;
  readonly model: PersistenceModel;
  /** Whether a rename from one directory to another is one change also in the weak model. */
  readonly renames: 'whole' | 'torn';
  readonly root: number;
  inodes = new Map<number, Inode>();
  pending: MetadataOp[] = [];
  #durable: DurableNames;
  #nextNode: number;
  #seq = 0;
  #writeCount = 0;

  constructor(
    id: string,
    model: PersistenceModel,
    renames: CrashDisk['renames'] = model === 'weak' ? 'torn' : 'whole',
  ) {
    this.id = id;
    this.model = model;
    this.renames = renames;
    this.root = 1;
    this.#nextNode = 2;
    this.inodes.set(1, newInode({ node: 1, ino: 2, birth: 1, kind: 'directory', mode: 0o755 }));
    this.#durable = {
      entries: new Map([[1, new Map<string, number>()]]),
      attributes: new Map([[1, attributesWith(0o755)]]),
    };
  }

  /** Count changes of names and modes, and of content, since the disk was made or cut off. */
  get changes(): { readonly metadata: number; readonly content: number } {
    return { metadata: this.#seq, content: this.#writeCount };
  }

  inode(node: number): Inode {
    const found = this.inodes.get(node);
    if (!found) throw new Error(`no inode ${node} on ${this.id}`);
    return found;
  }

  /** Not reachable until a name leads to it. @param birth greater than that of any other */
  make(kind: Inode['kind'], mode: number, birth: number, target = ''): Inode {
    const used = new Set([...this.#reachable()].map((node) => this.inode(node).ino));
    let ino = 11;
    while (used.has(ino)) ino++;
    const made = newInode({ node: this.#nextNode++, ino, birth, kind, mode, target });
    this.inodes.set(made.node, made);
    this.#durable.attributes.set(made.node, made.attributes);
    return made;
  }

  /** Changes names, in one step as long as they are in one directory; what is in two may be torn in the weak model. */
  setNames(
    changes: readonly { readonly node: number; readonly sets: readonly (readonly [string, number | null])[] }[],
  ) {
    for (const { node, sets } of changes) {
      const { entries } = this.inode(node);
      for (const [name, to] of sets)
        if (to === null) entries.delete(name);
        else entries.set(name, to);
    }
    const ops = changes.map((change) => ({ kind: 'names' as const, ...change }));
    if (this.renames === 'torn') for (const op of ops) this.#push([op]);
    else this.#push(ops);
  }

  setAttributes(node: number, set: Partial<Attributes>): void {
    const inode = this.inode(node);
    inode.attributes = { ...inode.attributes, ...set };
    this.#push([{ kind: 'attributes', node, set }]);
  }

  write(node: number, write: FileWrite, content: Buffer): void {
    const inode = this.inode(node);
    inode.content = content;
    inode.writes.push(write);
    this.#writeCount++;
  }

  /** fsync of a file: its content and its attributes. Its name is the directory's business. */
  syncFile(node: number): void {
    this.#flush((change) => change.kind === 'attributes' && change.node === node);
    this.#syncContent(this.inode(node));
  }

  /** fsync of a directory: the names in it, and in the ordered model all that was changed before them. */
  syncDirectory(node: number): void {
    this.#flush((change) => change.node === node);
  }

  syncAll(): void {
    for (const op of this.pending) this.#persist(op);
    this.pending = [];
    for (const inode of this.inodes.values()) this.#syncContent(inode);
  }

  /** A failed write-back: what was to be synced stays visible, is called clean, and is not on disk (fsyncgate). */
  loseContent(node: number): void {
    this.inode(node).writes = [];
  }

  /** The same disk with the same changes still in memory: what the death of a process leaves. */
  clone(): CrashDisk {
    const copy = new CrashDisk(this.id, this.model, this.renames);
    copy.inodes = new Map([...this.inodes].map(([node, inode]) => [node, cloneInode(inode)]));
    copy.pending = [...this.pending];
    copy.#durable = {
      entries: new Map([...this.#durable.entries].map(([node, names]) => [node, new Map(names)])),
      attributes: new Map(this.#durable.attributes),
    };
    copy.#nextNode = this.#nextNode;
    copy.#seq = this.#seq;
    copy.#writeCount = this.#writeCount;
    return copy;
  }

  /** The disk that a power cut leaves when exactly `kept` of the pending changes and `content` of unsynced files have reached it. */
  after(kept: readonly MetadataOp[], content: ContentChoice): CrashDisk {
    const copy = this.clone();
    for (const op of kept) copy.#persist(op);
    copy.pending = [];
    const { entries, attributes } = copy.#durable;
    for (const inode of copy.inodes.values()) {
      inode.entries = entries.get(inode.node) ?? new Map<string, number>();
      inode.attributes = attributes.get(inode.node) ?? inode.attributes;
      inode.durable = content.get(inode.node) ?? inode.writes.reduce(applied, inode.durable);
      inode.content = inode.durable;
      inode.writes = [];
    }
    copy.#dropUnreachable();
    return copy;
  }

  /** Files whose content is not on disk, reachable by name in memory. */
  unsynced(): Inode[] {
    const reachable = this.#reachable();
    return [...this.inodes.values()].filter((inode) => inode.writes.length > 0 && reachable.has(inode.node));
  }

  /** Every choice of content for the files that are not synced. */
  contentChoices(): ContentChoice[] {
    const files = this.unsynced().map((inode) => ({ node: inode.node, outcomes: contentOutcomes(inode, this.model) }));
    const [only] = files;
    if (!only) return [new Map()];
    if (files.length === 1) return only.outcomes.map((content) => new Map([[only.node, content]]));
    // More than one: all alike, and each one alone other than the rest. Nothing that we test asks two files at once.
    const nth = (n: number): ContentChoice =>
      new Map(files.map(({ node, outcomes }) => [node, outcomes[Math.min(n, outcomes.length - 1)] as Buffer]));
    const most = Math.max(...files.map(({ outcomes }) => outcomes.length));
    const alike = Array.from({ length: most }, (_, n) => nth(n));
    const lone = files.flatMap(({ node, outcomes }) => [
      new Map([...nth(most), [node, outcomes[0] as Buffer]]),
      new Map([...nth(0), [node, outcomes[outcomes.length - 1] as Buffer]]),
    ]);
    return [...alike, ...lone];
  }

  #push(changes: readonly MetadataChange[]): void {
    this.pending.push({ seq: ++this.#seq, changes });
  }

  #flush(concerned: (change: MetadataChange) => boolean): void {
    const concerns = (op: MetadataOp): boolean => op.changes.some(concerned);
    const last = this.pending.findLastIndex(concerns);
    const isDue = (op: MetadataOp, index: number): boolean => (this.model === 'ordered' ? index <= last : concerns(op));
    for (const op of this.pending.filter(isDue)) this.#persist(op);
    this.pending = this.pending.filter((op, index) => !isDue(op, index));
  }

  #persist(op: MetadataOp): void {
    for (const change of op.changes) {
      if (change.kind === 'attributes') {
        const before = this.#durable.attributes.get(change.node) ?? this.inode(change.node).attributes;
        this.#durable.attributes.set(change.node, { ...before, ...change.set });
        continue;
      }
      const names = this.#durable.entries.get(change.node) ?? new Map<string, number>();
      for (const [name, to] of change.sets)
        if (to === null) names.delete(name);
        else names.set(name, to);
      this.#durable.entries.set(change.node, names);
    }
  }

  #syncContent(inode: Inode): void {
    if (inode.writes.length === 0) return;
    // Not simply `content`: what a failed sync lost stays lost until it is written again.
    inode.durable = inode.writes.reduce(applied, inode.durable);
    inode.writes = [];
  }

  #reachable(): Set<number> {
    const seen = new Set<number>();
    const stack = [this.root];
    for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
      if (seen.has(node)) continue;
      seen.add(node);
      stack.push(...this.inode(node).entries.values());
    }
    return seen;
  }

  #dropUnreachable(): void {
    const reachable = this.#reachable();
    for (const node of this.inodes.keys()) if (!reachable.has(node)) this.inodes.delete(node);
    for (const node of this.#durable.entries.keys()) if (!reachable.has(node)) this.#durable.entries.delete(node);
    for (const node of this.#durable.attributes.keys()) if (!reachable.has(node)) this.#durable.attributes.delete(node);
    this.#nextNode = Math.max(...reachable) + 1;
    this.#seq = 0;
  }
}

const attributesWith = (mode: number): Attributes => ({ mode, uid: 0, gid: 0, modifiedNs: 0n });

function newInode({
  mode,
  ...of
}: Pick<Inode, 'node' | 'ino' | 'birth' | 'kind'> & { readonly mode: number; readonly target?: string }): Inode {
  const empty = Buffer.alloc(0);
  return {
    target: '',
    ...of,
    attributes: attributesWith(mode),
    content: empty,
    durable: empty,
    writes: [],
    entries: new Map(),
  };
}

const cloneInode = (inode: Inode): Inode => ({
  ...inode,
  writes: [...inode.writes],
  entries: new Map(inode.entries),
});
