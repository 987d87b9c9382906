import { constants } from 'node:fs';
import { open, readFile, readdir, readlink, realpath } from 'node:fs/promises';
import path from 'node:path';
import { ForgeError } from '@tiny-forge/contracts/domain';
import { parseMountinfo, type MountEntry } from './mountinfo.ts';

/** A directory of this host by its path now. Absent is allowed: then its place below the nearest existing parent is meant. */
export interface TreeRef {
  readonly path: string;
}

/** Where a directory really is: file system and path within it. Two paths of one directory (bind mounts) have the same location. */
export interface HostLocation {
  readonly device: string;
  /** Path from the root of the file system, `/` for that root itself. */
  readonly root: string;
}

export interface MountUser {
  /** As asked. */
  readonly path: string;
  readonly pid: number;
  /** `same`: the directory itself is mounted; `inside`: a directory below it; `around`: one above it. */
  readonly relation: 'same' | 'inside' | 'around';
  /** Where, as that process sees it. */
  readonly mountPoint: string;
  /** 64 hex digits; null for a process of no Docker container. */
  readonly containerId: string | null;
  /** Name of the process as the kernel has it. */
  readonly command: string;
}

/**
 * Processes in other mount namespaces that have one of `trees` mounted, told by device and root field of `/proc/<pid>/mountinfo`: after a rename
 * of the directory these follow it, while `docker inspect` goes on naming the old path (facts: crash-safety 4). A container that was created but
 * does not run is no user. `around` is told of containers only: every service with a namespace of its own has `/` mounted; for the same reason a mount
 * of this host that a process merely has a copy of, in the same place below the same `/`, is none. That is how a container looks for a moment while it
 * is being made, too; where this process has another `/` than the Engine it is told then, so whoever blocks on the answer looks again.
 * One entry per process, directory and mount.
 * @throws ForgeError IO_ERROR when the mounts of a process may not be read: what cannot be seen is not reported as free
 */
export async function mountUsers(trees: readonly TreeRef[]): Promise<MountUser[]> {
  const located = await Promise.all(trees.map(async (tree) => ({ tree, at: await locateDirectory(tree.path) })));
  // Mount ids are unique across namespaces: an entry of ours is no other namespace's mount, whoever shows it.
  const ours = parseMountinfo(await readFile('/proc/self/mountinfo', 'utf8'));
  const own = new Set(ours.map((entry) => entry.mountId));
  const places = new Set(ours.map(placeOf));
  const byNamespace = new Map<string, readonly Hit[]>();
  const users: MountUser[] = [];
  for (const pid of await readdir('/proc')) {
    if (!/^[1-9][0-9]*$/.test(pid)) continue;
    // The link may be forbidden where mountinfo is not; it only saves reading the same mounts again.
    const namespace = await readlink(`/proc/${pid}/ns/mnt`).catch(() => null);
    let hits = namespace === null ? undefined : byNamespace.get(namespace);
    if (hits === undefined) {
      const text = await ofProcess(pid, () => readFile(`/proc/${pid}/mountinfo`, 'utf8'));
      // Empty: a zombie, which has no mounts while others of its namespace may live.
      if (text === null || text === '') continue;
      hits = hitsIn(parseMountinfo(text), located, { own, places });
      if (namespace !== null) byNamespace.set(namespace, hits);
    }
    if (hits.length === 0) continue;
    const containerId = await containerOf(pid);
    const command = (await ofProcess(pid, () => readFile(`/proc/${pid}/comm`, 'utf8')))?.trim() ?? '';
    for (const { isCopy, ...user } of hits) {
      if (isCopy || (containerId === null && user.relation === 'around')) continue;
      users.push({ ...user, pid: Number(pid), containerId, command });
    }
  }
  return users;
}

interface Hit extends Pick<MountUser, 'path' | 'relation' | 'mountPoint'> {
  /** The namespace shares our root, and this host has the very same mounted in the very same place. */
  readonly isCopy: boolean;
}

const placeOf = ({ device, root, mountPoint }: MountEntry): string => [device, root, mountPoint].join(' ');

function hitsIn(
  entries: readonly MountEntry[],
  located: readonly { readonly tree: TreeRef; readonly at: HostLocation }[],
  { own, places }: { readonly own: ReadonlySet<number>; readonly places: ReadonlySet<string> },
): Hit[] {
  const sharesRoot = entries.some((entry) => entry.mountPoint === '/' && places.has(placeOf(entry)));
  return entries
    .filter((entry) => !own.has(entry.mountId))
    .flatMap((entry) =>
      located.flatMap(({ tree, at }) => {
        const relation = entry.device === at.device ? relate(entry.root, at.root) : null;
        const isCopy = sharesRoot && places.has(placeOf(entry));
        return relation === null ? [] : [{ path: tree.path, relation, mountPoint: entry.mountPoint, isCopy }];
      }),
    );
}

/**
 * @param directory absolute path; missing last components are allowed
 * @throws ForgeError IO_ERROR
 */
export async function locateDirectory(directory: string): Promise<HostLocation> {
  let existing = directory;
  const missing: string[] = [];
  for (;;) {
    try {
      existing = await realpath(existing);
      break;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || existing === '/')
        throw ioError('realpath', existing, error);
      missing.unshift(path.basename(existing));
      existing = path.dirname(existing);
    }
  }
  const mount = await mountOf(existing);
  return {
    device: mount.device,
    root: path.posix.join(mount.root, path.posix.relative(mount.mountPoint, existing), ...missing),
  };
}

/** The kernel tells the mount of an open directory; guessing from the longest mount point fails where one mount hides another. */
async function mountOf(existing: string): Promise<MountEntry> {
  const O_PATH = 0o10000000;
  try {
    const handle = await open(existing, O_PATH | constants.O_NOFOLLOW);
    try {
      const info = await readFile(`/proc/self/fdinfo/${handle.fd}`, 'utf8');
      const mountId = Number(/^mnt_id:\s+(\d+)$/m.exec(info)?.[1]);
      const entries = parseMountinfo(await readFile('/proc/self/mountinfo', 'utf8'));
      const entry = entries.find((candidate) => candidate.mountId === mountId);
      if (entry === undefined) throw new Error(`no mount ${mountId}`);
      return entry;
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw ioError('open', existing, error);
  }
}

/** How `mounted` lies to `tree`, both as path from the root of one file system. */
export function relate(mounted: string, tree: string): MountUser['relation'] | null {
  if (mounted === tree) return 'same';
  if (mounted.startsWith(tree === '/' ? '/' : `${tree}/`)) return 'inside';
  if (tree.startsWith(mounted === '/' ? '/' : `${mounted}/`)) return 'around';
  return null;
}

/** Container of a process by its control group: `/docker/<id>`, `docker-<id>.scope` and nested ones. */
async function containerOf(pid: string): Promise<string | null> {
  const text = await ofProcess(pid, () => readFile(`/proc/${pid}/cgroup`, 'utf8'));
  return text?.match(/[0-9a-f]{64}/g)?.at(-1) ?? null;
}

/** null when the process has ended meanwhile. */
async function ofProcess<T>(pid: string, read: () => Promise<T>): Promise<T | null> {
  try {
    return await read();
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ESRCH' || code === 'EINVAL') return null;
    throw ioError('read', `/proc/${pid}`, error);
  }
}

function ioError(call: string, subject: string, error: unknown): ForgeError {
  const why = (error as NodeJS.ErrnoException).code ?? String(error);
  return new ForgeError({ code: 'IO_ERROR', params: { call, path: subject, why }, cause: error });
}
