import { applied, type PersistenceModel } from './crash-content.ts';
import { CrashDisk, type Inode } from './crash-disk.ts';
import type { DirectoryTraits, FileStat, FsPort } from '../../ports/fs-port.ts';

interface Place {
  readonly disk: CrashDisk;
  readonly inode: Inode;
}

/** Where a name is or would be. */
interface Slot {
  readonly disk: CrashDisk;
  readonly parent: Inode;
  readonly name: string;
  readonly found: Place | null;
}

const fail = (code: string, call: string, path: string): never => {
  throw Object.assign(new Error(`${code}: ${call} ${path}`), { code });
};

const BYTES = 1024 ** 4;
const INODES = 1_000_000;
/** More than any run makes. */
const BIRTHS_OF_AN_ERA = 100_000;

/**
 * A machine's file systems in memory, each mounted at `/<id>`. Every call does what the real one does (`fsPortContract`); `disks` tell at any moment
 * what a power cut could leave.
 */
export class CrashFs implements FsPort {
  readonly disks: ReadonlyMap<string, CrashDisk>;
  #files = new Map<number, Place>();
  #nextFd = 3;
  #births: number;

  /** How often this machine has crashed. */
  readonly era: number;

  constructor(disks: readonly CrashDisk[], era = 0) {
    this.disks = new Map(disks.map((disk) => [disk.id, disk]));
    this.era = era;
    // No two inodes of a machine are born at one time, those included that a crash or a removal took: journals remember them.
    const present = disks.flatMap((disk) => [...disk.inodes.values()].map((inode) => inode.birth));
    this.#births = 1 + Math.max(era * BIRTHS_OF_AN_ERA, ...present);
  }

  /** What a crash leaves of the machine. */
  after(disks: readonly CrashDisk[]): CrashFs {
    return new CrashFs(disks, this.era + 1);
  }

  /** The same machine for another process, with the same changes in memory. */
  forked(): CrashFs {
    return this.after([...this.disks.values()].map((disk) => disk.clone()));
  }

  /** @param whole disks on which the weak model does not tear renames either */
  static withDisks(ids: readonly string[], model: PersistenceModel, whole: readonly string[] = []): CrashFs {
    return new CrashFs(ids.map((id) => new CrashDisk(id, model, whole.includes(id) ? 'whole' : undefined)));
  }

  /** Everything is on disk: where a test begins. */
  settle(): void {
    for (const disk of this.disks.values()) disk.syncAll();
  }

  /** The next fsync of an open file fails, and the kernel calls its lost pages clean. */
  loseContentOf(fd: number): void {
    const { disk, inode } = this.#open(fd);
    disk.loseContent(inode.node);
  }

  /** Without a call of the port: for tests that look while an engine runs. */
  look(path: string): { readonly disk: CrashDisk; readonly inode: Inode } | null {
    try {
      return this.#slot('look', path).found;
    } catch {
      return null;
    }
  }

  stat = (path: string): Promise<FileStat | null> =>
    this.#do(() => {
      let place: Place | null;
      try {
        place = this.#slot('lstat', path).found;
      } catch (error) {
        const { code } = error as { code: string };
        if (code === 'ENOENT' || code === 'ENOTDIR') return null;
        throw error;
      }
      if (place === null) return null;
      const { inode } = place;
      return {
        kind: inode.kind,
        inode: BigInt(inode.ino),
        birthTimeNs: BigInt(inode.birth) * 1_000_000n,
        ...inode.attributes,
        size: inode.kind === 'file' ? inode.content.length : inode.target.length,
      };
    });

  readDirectory = (path: string): Promise<string[]> =>
    this.#do(() => [...this.#directory('scandir', path).inode.entries.keys()].sort());

  readFile = (path: string): Promise<Buffer> =>
    this.#do(() => {
      const { inode } = this.#existing('open', path);
      if (inode.kind === 'directory') return fail('EISDIR', 'read', path);
      return inode.content;
    });

  space = (path: string) =>
    this.#do(() => {
      this.#existing('statfs', path);
      return { totalBytes: BYTES, freeBytes: BYTES / 2, totalInodes: INODES, freeInodes: INODES / 2 };
    });

  fileSystemNames = (path: string): Promise<readonly string[]> =>
    this.#do(() => [`uuid:${this.#existing('statfs', path).disk.id}`]);

  mountInfo = (): Promise<string> =>
    this.#do(() => {
      const lines = [...this.disks.keys()].map(
        (id, index) => `${index + 2} 1 8:${index + 1} / /${id} rw,relatime - ext4 /dev/${id} rw`,
      );
      return ['1 1 0:1 / / ro - rootfs rootfs ro', ...lines, ''].join('\n');
    });

  traits = (path: string): Promise<DirectoryTraits> =>
    this.#do(() => {
      this.#directory('open', path);
      return { flags: [], securityLabel: null };
    });

  mkdir = (path: string, mode: number): Promise<void> =>
    this.#do(() => {
      const slot = this.#free('mkdir', path);
      const { node } = slot.disk.make('directory', mode, this.#births++);
      slot.disk.setNames([{ node: slot.parent.node, sets: [[slot.name, node]] }]);
    });

  rename = (from: string, to: string): Promise<void> =>
    this.#do(() => {
      const source = this.#slot('rename', from);
      const moved = source.found ?? fail('ENOENT', 'rename', from);
      if (source.name === '') fail('EBUSY', 'rename', from);
      const target = this.#slot('rename', to);
      if (target.name === '') fail('EBUSY', 'rename', to);
      if (source.disk !== target.disk) fail('EXDEV', 'rename', to);
      if (to.startsWith(`${from}/`)) fail('EINVAL', 'rename', to);
      const replaced = target.found?.inode;
      if (replaced === moved.inode) return;
      if (replaced) {
        if (moved.inode.kind === 'directory' && replaced.kind !== 'directory') fail('ENOTDIR', 'rename', to);
        if (moved.inode.kind !== 'directory' && replaced.kind === 'directory') fail('EISDIR', 'rename', to);
        if (replaced.entries.size > 0) fail('ENOTEMPTY', 'rename', to);
      }
      const { node } = moved.inode;
      if (source.parent === target.parent)
        source.disk.setNames([
          {
            node: source.parent.node,
            sets: [
              [source.name, null],
              [target.name, node],
            ],
          },
        ]);
      else
        source.disk.setNames([
          { node: source.parent.node, sets: [[source.name, null]] },
          { node: target.parent.node, sets: [[target.name, node]] },
        ]);
    });

  unlink = (path: string): Promise<void> =>
    this.#do(() => {
      const slot = this.#taken('unlink', path);
      if (slot.found.inode.kind === 'directory') fail('EISDIR', 'unlink', path);
      slot.disk.setNames([{ node: slot.parent.node, sets: [[slot.name, null]] }]);
    });

  rmdir = (path: string): Promise<void> =>
    this.#do(() => {
      const slot = this.#taken('rmdir', path);
      if (slot.found.inode.kind !== 'directory') fail('ENOTDIR', 'rmdir', path);
      if (slot.found.inode.entries.size > 0) fail('ENOTEMPTY', 'rmdir', path);
      slot.disk.setNames([{ node: slot.parent.node, sets: [[slot.name, null]] }]);
    });

  chmod = (path: string, mode: number): Promise<void> =>
    this.#do(() => {
      const { disk, inode } = this.#existing('chmod', path);
      if (inode.kind === 'symlink') fail('ELOOP', 'chmod', path);
      disk.setAttributes(inode.node, { mode });
    });

  chown = (path: string, uid: number, gid: number): Promise<void> =>
    this.#do(() => {
      const { disk, inode } = this.#existing('lchown', path);
      disk.setAttributes(inode.node, { uid, gid });
    });

  touch = (path: string, modifiedNs: bigint): Promise<void> =>
    this.#do(() => {
      const { disk, inode } = this.#existing('lutimes', path);
      disk.setAttributes(inode.node, { modifiedNs: (modifiedNs / 1000n) * 1000n });
    });

  symlink = (target: string, path: string): Promise<void> =>
    this.#do(() => {
      const slot = this.#free('symlink', path);
      const { node } = slot.disk.make('symlink', 0o777, this.#births++, target);
      slot.disk.setNames([{ node: slot.parent.node, sets: [[slot.name, node]] }]);
    });

  link = (from: string, to: string): Promise<void> =>
    this.#do(() => {
      const { disk, inode } = this.#existing('link', from);
      const slot = this.#free('link', to);
      if (slot.disk !== disk) fail('EXDEV', 'link', to);
      disk.setNames([{ node: slot.parent.node, sets: [[slot.name, inode.node]] }]);
    });

  create = (path: string): Promise<number> =>
    this.#do(() => {
      const slot = this.#free('open', path);
      const inode = slot.disk.make('file', 0o600, this.#births++);
      slot.disk.setNames([{ node: slot.parent.node, sets: [[slot.name, inode.node]] }]);
      return this.#descriptor({ disk: slot.disk, inode });
    });

  open = (path: string): Promise<number> =>
    this.#do(() => {
      const place = this.#existing('open', path);
      if (place.inode.kind === 'symlink') fail('ELOOP', 'open', path);
      if (place.inode.kind === 'directory') fail('EISDIR', 'open', path);
      return this.#descriptor(place);
    });

  write = (fd: number, offset: number, bytes: Uint8Array): Promise<void> =>
    this.#do(() => {
      const { disk, inode } = this.#open(fd);
      if (bytes.length === 0) return;
      const write = { offset, bytes: Buffer.from(bytes) };
      disk.write(inode.node, write, applied(inode.content, write));
    });

  truncate = (fd: number, size: number): Promise<void> =>
    this.#do(() => {
      const { disk, inode } = this.#open(fd);
      const write = { truncatedTo: size };
      disk.write(inode.node, write, applied(inode.content, write));
    });

  sync = (fd: number): Promise<void> =>
    this.#do(() => {
      const { disk, inode } = this.#open(fd);
      disk.syncFile(inode.node);
    });

  close = (fd: number): Promise<void> =>
    this.#do(() => {
      this.#open(fd);
      this.#files.delete(fd);
    });

  syncDirectory = (path: string): Promise<void> =>
    this.#do(() => {
      const { disk, inode } = this.#directory('open', path);
      disk.syncDirectory(inode.node);
    });

  syncFileSystem = (path: string): Promise<void> => this.#do(() => this.#existing('sync', path).disk.syncAll());

  async #do<T>(work: () => T): Promise<T> {
    await Promise.resolve();
    return work();
  }

  #descriptor(place: Place): number {
    const fd = this.#nextFd++;
    this.#files.set(fd, place);
    return fd;
  }

  #open(fd: number): Place {
    return this.#files.get(fd) ?? fail('EBADF', 'fd', String(fd));
  }

  #existing(call: string, path: string): Place {
    return this.#slot(call, path).found ?? fail('ENOENT', call, path);
  }

  #directory(call: string, path: string): Place {
    const place = this.#existing(call, path);
    return place.inode.kind === 'directory' ? place : fail('ENOTDIR', call, path);
  }

  #free(call: string, path: string): Slot {
    const slot = this.#slot(call, path);
    return slot.found === null ? slot : fail('EEXIST', call, path);
  }

  #taken(call: string, path: string): Slot & { readonly found: Place } {
    const slot = this.#slot(call, path);
    return slot.found === null ? fail('ENOENT', call, path) : { ...slot, found: slot.found };
  }

  /** Symlinks in the middle are refused: nothing of the engine goes through one, and a bug that does shall not pass. */
  #slot(call: string, path: string): Slot {
    const [, id, ...names] = path.split('/');
    const disk = this.disks.get(id ?? '') ?? fail('ENOENT', call, path);
    let current = disk.inode(disk.root);
    let slot: Slot = { disk, parent: current, name: '', found: { disk, inode: current } };
    for (const name of names) {
      if (slot.found === null) fail('ENOENT', call, path);
      if (current.kind === 'symlink') fail('ELOOP', call, path);
      if (current.kind !== 'directory') fail('ENOTDIR', call, path);
      const parent = current;
      const node = parent.entries.get(name);
      if (node !== undefined) current = disk.inode(node);
      slot = { disk, parent, name, found: node === undefined ? null : { disk, inode: current } };
    }
    return slot;
  }
}
