import { LABELS } from '@tiny-forge/contracts/domain';
import { SimulatedDocker, type SimulatedHost } from '@tiny-forge/docker/testing';
import { identityKey, standingAt } from '../../identity/tree-identity.ts';
import { txIdOf } from '../../journal/journal-name.ts';
import type { MountUsers } from '../../plan/directory-users.ts';
import type { FrozenPlan, RestoreTarget } from '../../restore-engine.ts';
import { writeWhole } from '../json-archive-port.ts';
import { isInnerName } from '../../swap/inner-names.ts';
import type { PersistenceModel } from './crash-content.ts';
import type { Attributes } from './crash-disk.ts';
import { CrashFs } from './crash-fs.ts';
import { diskKey } from './disk-key.ts';

/** What a simulated restore is about. */
export interface WorldShape {
  readonly model: PersistenceModel;
  readonly volumes: readonly {
    /** File system that holds it; the data folder is on `a`. The volume on `m` is the root of it: its live directory is a mount point. */
    readonly disk: 'a' | 'b' | 'm';
    readonly live: 'present' | 'absent';
    readonly captured: 'present' | 'absent';
    /** Whether the directory above it is missing too. */
    readonly parent?: 'missing';
  }[];
  readonly app: 'running' | 'stopped' | 'absent';
  /** How much is in every tree: a file, or a file and one in a directory below. More changes at once, more machines. */
  readonly trees: 'small' | 'deep';
  /** Default: a snapshot. */
  readonly safety?: 'keep-old-tree';
}

export type Generation = 'before' | 'captured' | 'absent' | 'empty' | 'broken';

export const DATA = '/a/data';
export const INSTALLATION = 'simulated';
export const IMAGE = `sha256:${'1'.repeat(64)}`;
export const WORKLOAD = '22222222-2222-4222-8222-222222222222';
export const OPERATION = '11111111-1111-4111-8111-111111111111';
export const ARCHIVE = '/a/archive.json';
export const TX = txIdOf(OPERATION);

const filesOf = (shape: WorldShape, generation: string, volume: number): Record<string, string> => ({
  token: `${generation} ${volume}`,
  ...(shape.trees === 'deep' && { 'sub/token': `${generation} ${volume} below` }),
  // Names that only one side has, and directories, are moved like others.
  ...(isMounted(shape, volume) && { [`only-${generation}/file`]: generation }),
});
const isMounted = (shape: WorldShape, volume: number): boolean => shape.volumes[volume]?.disk === 'm';
/** Of a mounted root before the restore; the archive's is as the archive port makes it. */
const ROOT_BEFORE: Attributes = { mode: 0o2750, uid: 7, gid: 8, modifiedNs: 1_700_000_000_123_456_000n };
/** The kept old tree of another restore. */
export const NOT_OURS = '/m/.restore-aaaaaaaaaaaaaaaa.old';
const baseOf = (disk: string): string => `/${disk}/volumes`;
const parentOf = (shape: WorldShape, index: number): string => {
  const volume = shape.volumes[index];
  if (isMounted(shape, index)) return '/m';
  const base = baseOf(volume?.disk ?? 'a');
  return volume?.parent === 'missing' ? `${base}/above/v${index}` : base;
};
export const livePath = (shape: WorldShape, index: number): string =>
  isMounted(shape, index) ? '/m' : `${parentOf(shape, index)}/v${index}`;

/** Labels of an instance; `operation`: made by that operation. */
export const instanceLabels = (operation?: string): Record<string, string> => ({
  [LABELS.installation]: INSTALLATION,
  [LABELS.workload]: WORKLOAD,
  [LABELS.role]: 'instance',
  ...(operation !== undefined && { [LABELS.operation]: operation }),
});

/** One machine at one moment: its disks, its containers, and what must be true of them. */
export class CrashWorld {
  readonly shape: WorldShape;
  readonly fs: CrashFs;
  readonly docker: SimulatedDocker;
  /** What was wrong so far: broken invariants, each as a sentence. */
  readonly violations: string[] = [];

  private constructor(shape: WorldShape, fs: CrashFs, docker: (host: SimulatedHost) => SimulatedDocker) {
    this.shape = shape;
    this.fs = fs;
    this.docker = docker({ treeAt: (path) => this.treeAt(path), onStart: () => this.checkRunning('a start') });
  }

  static async build(shape: WorldShape): Promise<{ readonly world: CrashWorld; readonly plan: FrozenPlan }> {
    const ids = [...new Set(['a', ...shape.volumes.map(({ disk }) => disk)])];
    // Whoever loses both names of a tree in a rename cannot be helped. The journal stays where renames may be torn.
    const fs = CrashFs.withDisks(ids, shape.model, ['m']);
    const world = new CrashWorld(shape, fs, (host) => new SimulatedDocker(host, [IMAGE]));
    await fs.mkdir(DATA, 0o700);
    await fs.mkdir(`${DATA}/journal`, 0o700);
    await fs.mkdir(`${DATA}/journal/closed`, 0o700);
    for (const disk of fs.disks.keys()) {
      if (disk === 'm') {
        await makeTree(fs, NOT_OURS, { file: 'not ours' });
        await fs.chown('/m', ROOT_BEFORE.uid, ROOT_BEFORE.gid);
        await fs.chmod('/m', ROOT_BEFORE.mode);
        await fs.touch('/m', ROOT_BEFORE.modifiedNs);
        continue;
      }
      await fs.mkdir(baseOf(disk), 0o755);
      await makeTree(fs, `${baseOf(disk)}/neighbour`, { file: 'not ours' });
      await makeTree(fs, `${baseOf(disk)}/.trash-of-somebody`, { file: 'not ours' });
    }
    const targets: RestoreTarget[] = [];
    for (const [index, volume] of shape.volumes.entries()) {
      const hostPath = livePath(shape, index);
      if (volume.live === 'present') await makeTree(fs, hostPath, filesOf(shape, 'before', index));
      const standing = await standingAt(fs, hostPath);
      targets.push({
        index,
        target: `/v${index}`,
        scope: 'simulated',
        source: `v${index}`,
        hostPath,
        parent: parentOf(shape, index),
        base: isMounted(shape, index) ? '/m' : baseOf(volume.disk),
        live: standing.kind === 'tree' ? standing.identity : null,
        absentInSnapshot: volume.captured === 'absent',
        ...(isMounted(shape, index) && { swap: 'inner' as const }),
      });
    }
    const volumes = shape.volumes.map(({ captured }, index) => ({
      index,
      files: captured === 'absent' ? null : filesOf(shape, 'captured', index),
    }));
    await writeWhole(fs, ARCHIVE, Buffer.from(JSON.stringify({ manifest: { volumes: [] }, volumes })));
    fs.settle();
    if (shape.app !== 'absent') {
      const id = await world.makeInstance('app', 'always');
      if (shape.app === 'running') await world.docker.startContainer(id);
    }
    return { world, plan: { ...planOf(targets), safety: shape.safety ?? 'snapshot' } };
  }

  get livePaths(): string[] {
    return this.shape.volumes.map((_, index) => livePath(this.shape, index));
  }

  makeInstance = async (name: string, restartPolicy: 'always' | 'no', operation?: string): Promise<string> => {
    const { id } = await this.docker.createContainer({
      name,
      image: IMAGE,
      env: {},
      command: null,
      labels: instanceLabels(operation),
      mounts: this.shape.volumes.map((_, index) => ({
        source: livePath(this.shape, index),
        target: `/v${index}`,
        readOnly: false,
      })),
      ports: [],
      restartPolicy,
      stopTimeoutSeconds: 1,
    });
    return id;
  };

  /** As a deploy makes the directory of a volume. */
  makeMissing = async (path: string): Promise<void> => {
    if (this.fs.look(path) !== null) return;
    const above = path.slice(0, path.lastIndexOf('/'));
    await this.makeMissing(above);
    await this.fs.mkdir(path, 0o755);
    await this.fs.syncDirectory(above);
  };

  /** The machine after a crash: `disks` are what is left, containers what the daemon makes of them. */
  crashed(fs: CrashFs, how: 'kill' | 'power-cut'): CrashWorld {
    const next = new CrashWorld(this.shape, fs, (host) => this.docker.cloneOn(host));
    if (how === 'power-cut') next.docker.powerCut();
    return next;
  }

  /** Equal for machines that nothing can tell apart. */
  key(): string {
    return [...this.fs.disks.values()].map(diskKey).concat(this.docker.key()).join('\n\n');
  }

  generations(): Generation[] {
    return this.shape.volumes.map((_, index) => this.#generation(index));
  }

  /** `old`: as before the restore; `new`: as captured; with absent directories counted as what they should be. */
  side(): 'old' | 'new' | 'mixed' {
    const { volumes } = this.shape;
    const now = this.generations();
    // A deploy makes the missing directory of a volume.
    const isNone = (generation: Generation | undefined): boolean => generation === 'absent' || generation === 'empty';
    const is = (side: 'live' | 'captured', word: Generation): boolean =>
      volumes.every((volume, index) => (volume[side] === 'absent' ? isNone(now[index]) : now[index] === word));
    return is('live', 'before') ? 'old' : is('captured', 'captured') ? 'new' : 'mixed';
  }

  /** I4 and I5: while a container of the workload runs, all volumes are of one side, and are the trees it has mounted. */
  checkRunning(when: string): void {
    const mounted = this.docker.mounted();
    if (mounted.length === 0) return;
    if (this.side() === 'mixed')
      this.violations.push(`I5: the app runs on ${this.generations().join(', ')} at ${when}`);
    for (const { source, tree } of mounted)
      if (this.treeAt(source) !== tree) this.violations.push(`I5: ${source} moved below a running app at ${when}`);
  }

  /** Instances of the workload, and names of whatever else of ours there is. */
  containers() {
    const all = this.docker.all();
    const isInstance = (one: (typeof all)[number]): boolean => one.labels[LABELS.role] === 'instance';
    return { instances: all.filter(isInstance), others: all.filter((one) => !isInstance(one)).map(({ name }) => name) };
  }

  /** Everything that a restore left behind or that it must not have touched. */
  leftovers(): string[] {
    const found: string[] = [];
    for (const disk of this.fs.disks.keys()) {
      if (disk === 'm') {
        const own = this.#names('/m').filter((name) => name.startsWith('.') && `/m/${name}` !== NOT_OURS);
        found.push(...own.map((name) => `/m/${name}`));
        if (this.#read(`${NOT_OURS}/file`) !== 'not ours') found.push(`${NOT_OURS} was touched`);
        continue;
      }
      const expected = new Set(['neighbour', '.trash-of-somebody']);
      const base = baseOf(disk);
      const live = this.livePaths;
      const walk = (directory: string): void => {
        for (const name of this.#names(directory)) {
          const path = `${directory}/${name}`;
          if (live.includes(path) || expected.delete(name)) continue;
          if (live.some((one) => one.startsWith(`${path}/`)) && this.#names(path).length > 0) walk(path);
          else found.push(path);
        }
      };
      walk(base);
      for (const name of expected) found.push(`${base}/${name} is gone`);
      for (const name of ['neighbour', '.trash-of-somebody'])
        if (this.#read(`${base}/${name}/file`) !== 'not ours') found.push(`${base}/${name} was touched`);
    }
    for (const name of this.#names(`${DATA}/journal`))
      if (!['closed', 'probes', 'kept'].includes(name)) found.push(`${DATA}/journal/${name}`);
    for (const folder of ['probes', 'kept'])
      for (const name of this.#names(`${DATA}/journal/${folder}`)) found.push(`${DATA}/journal/${folder}/${name}`);
    return found;
  }

  treeAt(path: string): string | null {
    const found = this.fs.look(path);
    if (found?.inode.kind !== 'directory') return null;
    const { disk, inode } = found;
    return identityKey({
      fileSystem: `uuid:${disk.id}`,
      inode: `${inode.ino}`,
      birthTimeNs: `${inode.birth}000000`,
    });
  }

  /** What the kernel would tell of running containers. */
  mountUsers: MountUsers = (trees) =>
    Promise.resolve(
      this.docker.mounted().flatMap((mount) =>
        trees
          .filter(({ path }) => this.treeAt(path) === mount.tree)
          .map(({ path }) => ({
            path,
            pid: 1,
            relation: 'same' as const,
            mountPoint: '/d',
            containerId: mount.id,
            command: 'app',
          })),
      ),
    );

  /** Whether the tree at `path` is one of those from before the restore, with all that was in it. */
  isWholeBefore(path: string): boolean {
    return this.shape.volumes.some((_, index) =>
      Object.entries(filesOf(this.shape, 'before', index)).every(
        ([name, text]) => this.#read(`${path}/${name}`) === text,
      ),
    );
  }

  #generation(index: number): Generation {
    const path = livePath(this.shape, index);
    const found = this.fs.look(path);
    if (found === null) return 'absent';
    const mounted = isMounted(this.shape, index);
    const names = this.#names(path).filter((name) => !mounted || !isInnerName(name));
    const isTree = (generation: string): boolean =>
      isRoot(found.inode.attributes, mounted && generation === 'before' ? ROOT_BEFORE : ROOT) &&
      names.join() === topLevel(filesOf(this.shape, generation, index)).join() &&
      this.#names(`${path}/sub`).join() === (this.shape.trees === 'deep' ? 'token' : '') &&
      Object.entries(filesOf(this.shape, generation, index)).every(
        ([name, text]) => this.#read(`${path}/${name}`) === text,
      );
    if (found.inode.kind === 'directory' && names.length === 0) return 'empty';
    return isTree('before') ? 'before' : isTree('captured') ? 'captured' : 'broken';
  }

  #names(path: string): string[] {
    return [...(this.fs.look(path)?.inode.entries.keys() ?? [])].sort();
  }

  #read(path: string): string | null {
    return this.fs.look(path)?.inode.content.toString() ?? null;
  }
}

const ROOT: Attributes = { mode: 0o755, uid: 0, gid: 0, modifiedNs: 0n };
const isRoot = (found: Attributes, wanted: Attributes): boolean =>
  found.mode === wanted.mode &&
  found.uid === wanted.uid &&
  found.gid === wanted.gid &&
  found.modifiedNs === wanted.modifiedNs;
const topLevel = (files: Readonly<Record<string, string>>): string[] =>
  [...new Set(Object.keys(files).map((name) => name.split('/')[0] as string))].sort();

async function makeTree(fs: CrashFs, root: string, files: Readonly<Record<string, string>>): Promise<void> {
  if (fs.look(root) === null) await fs.mkdir(root, 0o755);
  for (const name of topLevel(files)) if (!(name in files)) await fs.mkdir(`${root}/${name}`, 0o755);
  for (const [name, content] of Object.entries(files)) await writeWhole(fs, `${root}/${name}`, Buffer.from(content));
}

export const planOf = (targets: readonly RestoreTarget[], archiveFile = ARCHIVE): FrozenPlan => ({
  txId: TX,
  operationId: OPERATION,
  workloadId: WORKLOAD,
  workloadName: 'app',
  revision: 1,
  snapshotId: '33333333-3333-4333-8333-333333333333',
  archiveFile,
  archiveSha256: '0'.repeat(64),
  planHash: '0'.repeat(64),
  safety: 'snapshot',
  targets,
  image: { reference: 'app:1', imageId: IMAGE, digest: null },
  holderContainerId: null,
  stopTimeoutSeconds: 1,
  // Kept until the very moment of DONE: the janitor may come at once.
  safetyDays: 0,
});
