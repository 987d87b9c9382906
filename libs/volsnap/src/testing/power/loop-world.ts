import { lstatSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { chmod, chown, mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { SimulatedDocker, type SimulatedHost } from '@tiny-forge/docker/testing';
import { standingAt } from '../../identity/tree-identity.ts';
import { NodeFsPort } from '../../ports/node-fs-port.ts';
import type { FsPort } from '../../ports/fs-port.ts';
import type { FrozenPlan, RestoreEngine, RestoreTarget } from '../../restore-engine.ts';
import { isInnerName } from '../../swap/inner-names.ts';
import { IMAGE, instanceLabels, planOf } from '../crash/crash-world.ts';
import { engineOn, realEngine } from '../crash/simulated-engine.ts';
import type { WalkMachine } from '../crash/walks.ts';
import { LoopDisk, type LoopKind } from './loop-disk.ts';

const TOKENS = ['token', 'sub/token'];

/** Where the volume of the second file system lies: in a folder of it, or it is that file system, so that it is swapped inside its mount point. */
export type LoopShape = 'beside' | 'mount point';

/** Of the root of a volume that is a mount point, before the restore. No setgid: the test's archives hold no owner, which it would give. */
const ROOT_BEFORE = { mode: 0o1750, uid: 7, gid: 8 };

/**
 * A restore of two volumes on two real file systems, the first of which holds the journal. Containers are simulated: they must die with the power,
 * and their daemon must come up before us.
 */
export class LoopWorld implements WalkMachine {
  readonly folder: string;
  readonly shape: LoopShape;
  readonly disks: readonly [LoopDisk, LoopDisk];
  docker: SimulatedDocker;
  readonly violations: string[] = [];
  #plan: FrozenPlan | null = null;
  #dockerBefore: SimulatedDocker;

  private constructor(folder: string, shape: LoopShape) {
    this.folder = folder;
    this.shape = shape;
    const disk = (name: string): LoopDisk => new LoopDisk(path.join(folder, `${name}.img`), path.join(folder, name));
    this.disks = [disk('a'), disk('b')];
    this.docker = new SimulatedDocker(this.#host, [IMAGE]);
    this.#dockerBefore = this.docker;
  }

  /** @param under a folder with room for a few images */
  static async build(kind: LoopKind, shape: LoopShape, under: string): Promise<LoopWorld> {
    const world = new LoopWorld(await realpath(await mkdtemp(path.join(under, 'tf-power-'))), shape);
    const [a] = world.disks;
    for (const [index, disk] of world.disks.entries()) {
      await disk.make(kind);
      await disk.mount();
      if (world.#isMounted(index)) continue;
      await mkdir(path.join(disk.mountPoint, 'volumes'));
      await mkdir(path.join(disk.mountPoint, 'volumes', 'neighbour'));
    }
    await mkdir(world.dataDir);
    const archive = path.join(a.mountPoint, 'archive.json');
    const fs = new NodeFsPort();
    const targets: RestoreTarget[] = [];
    const stored: { index: number; files: Record<string, string> }[] = [];
    for (const [index, hostPath] of world.livePaths.entries()) {
      await mkdir(path.join(hostPath, 'sub'), { recursive: true });
      await mkdir(path.join(hostPath, 'only before'));
      for (const name of [...TOKENS, 'only before/token']) await writeFile(path.join(hostPath, name), 'before');
      const captured = [...TOKENS, 'only captured/token'].map((name) => [name, 'captured'] as const);
      stored.push({ index, files: Object.fromEntries(captured) });
      const isMounted = world.#isMounted(index);
      if (isMounted) {
        await chown(hostPath, ROOT_BEFORE.uid, ROOT_BEFORE.gid);
        await chmod(hostPath, ROOT_BEFORE.mode);
      }
      const standing = await standingAt(fs, hostPath);
      if (standing.kind !== 'tree') throw new Error(`nothing at ${hostPath}`);
      const parent = isMounted ? hostPath : path.dirname(hostPath);
      const live = { index, target: `/v${index}`, scope: 'simulated', source: `v${index}`, hostPath, parent };
      targets.push({
        ...live,
        base: parent,
        live: standing.identity,
        absentInSnapshot: false,
        ...(isMounted && { swap: 'inner' as const }),
      });
    }
    await writeFile(archive, JSON.stringify({ manifest: { volumes: [] }, volumes: stored }));
    world.#plan = planOf(targets, archive);
    const id = await world.#create('app', 'always');
    await world.docker.startContainer(id);
    world.#dockerBefore = world.docker.cloneOn(world.#host);
    await world.unmount();
    for (const disk of world.disks) await disk.copyTo(`${disk.image}.base`);
    return world;
  }

  get plan(): FrozenPlan {
    if (!this.#plan) throw new Error('not built');
    return this.#plan;
  }

  get dataDir(): string {
    return path.join(this.disks[0].mountPoint, 'data');
  }

  get livePaths(): string[] {
    return this.disks.map((disk, index) =>
      this.#isMounted(index) ? disk.mountPoint : path.join(disk.mountPoint, 'volumes', `v${index}`),
    );
  }

  #isMounted(index: number): boolean {
    return this.shape === 'mount point' && index === 1;
  }

  /** The machine as it was built, up. */
  async reset(): Promise<void> {
    await this.unmount();
    for (const disk of this.disks) await disk.takeFrom(`${disk.image}.base`);
    this.docker = this.#dockerBefore.cloneOn(this.#host);
    this.violations.length = 0;
    await this.mount();
  }

  async mount(): Promise<void> {
    for (const disk of this.disks) await disk.mount();
  }

  async unmount(): Promise<void> {
    for (const disk of this.disks) await disk.unmount();
  }

  async remove(): Promise<void> {
    await this.unmount().catch(() => undefined);
    await rm(this.folder, { recursive: true, force: true });
  }

  /** What this process and the containers were is gone; the daemon comes up first. Disks are mounted. */
  boot(docker: SimulatedDocker): void {
    this.docker = docker.cloneOn(this.#host);
    this.docker.powerCut();
  }

  engine(fs: FsPort): RestoreEngine {
    const mountUsers = () => Promise.resolve([]);
    return engineOn({ mountUsers, dataDir: this.dataDir }, { fs, docker: this.docker, make: realEngine });
  }

  /** `old`, `new`, or what is where. */
  side(): string {
    const found = this.livePaths.map((live) => {
      const names = readdirSync(live).filter((name) => name !== 'lost+found' && !isInnerName(name));
      const only = names.filter((name) => name.startsWith('only ')).map((name) => name.slice('only '.length));
      const tokens = [...TOKENS, ...only.map((name) => `only ${name}/token`)].map((name) => {
        try {
          return readFileSync(path.join(live, name), 'utf8');
        } catch (error) {
          return String((error as NodeJS.ErrnoException).code);
        }
      });
      return names.length === 3 ? [...new Set([...tokens, ...only])].join('/') : names.join(' and ');
    });
    const [only, ...others] = new Set(found);
    if (others.length > 0) return found.join(', ');
    return only === 'before' ? 'old' : only === 'captured' ? 'new' : `${only}`;
  }

  /** Owner and mode of a root that is a mount point, where they are not those of `side`. Its time is the running app's. */
  wrongRoots(side: 'old' | 'new'): string[] {
    return this.livePaths.flatMap((live, index) => {
      if (!this.#isMounted(index)) return [];
      const { mode, uid, gid } = statSync(live);
      const found = { mode: mode & 0o7777, uid, gid };
      const wanted = side === 'old' ? ROOT_BEFORE : { mode: 0o755, uid: 0, gid: 0 };
      return isDeepStrictEqual(found, wanted) ? [] : [`${live}: ${JSON.stringify(found)}`];
    });
  }

  leftovers(): string[] {
    const left = this.disks.flatMap((disk, index) => {
      if (this.#isMounted(index)) return readdirSync(disk.mountPoint).filter(isInnerName);
      return readdirSync(path.join(disk.mountPoint, 'volumes'))
        .filter((name) => name !== 'neighbour' && name !== `v${index}`)
        .map((name) => `${disk.mountPoint}/volumes/${name}`);
    });
    const journal = path.join(this.dataDir, 'journal');
    const open = readdirSync(this.dataDir).includes('journal') ? readdirSync(journal) : [];
    return [...left, ...open.filter((name) => name !== 'closed')];
  }

  makeMissing = (directory: string): Promise<void> => mkdir(directory, { recursive: true }).then(() => undefined);

  makeInstance = (name: string, policy: 'always' | 'no', operation: string): Promise<string> =>
    this.#create(name, policy, operation);

  async #create(name: string, restartPolicy: 'always' | 'no', operation?: string): Promise<string> {
    const mounts = this.livePaths.map((source, index) => ({ source, target: `/v${index}`, readOnly: false }));
    const { id } = await this.docker.createContainer({
      name,
      image: IMAGE,
      env: {},
      command: null,
      labels: instanceLabels(operation),
      mounts,
      ports: [],
      restartPolicy,
      stopTimeoutSeconds: 1,
    });
    return id;
  }

  get #host(): SimulatedHost {
    return {
      treeAt: (directory) => {
        try {
          const { ino, birthtimeNs } = lstatSync(directory, { bigint: true });
          return `${ino}.${birthtimeNs}`;
        } catch {
          return null;
        }
      },
      onStart: () => {
        const side = this.side();
        if (side !== 'old' && side !== 'new') this.violations.push(`I5: the app was started on ${side}`);
      },
    };
  }
}
