import { randomUUID } from 'node:crypto';
import { lstat, mkdir, mkdtemp, readFile, readdir, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { LABELS, type WorkloadConfig } from '@tiny-forge/contracts/domain';
import type { ContainerSpec, DockerPort, RestartPolicy } from '@tiny-forge/docker';
import { PluginRegistry, type Plugin } from '@tiny-forge/plugin-api';
import { createCaptureEngine } from '../capture/create-capture-engine.ts';
import { createRestoreEngine, type RestoreEngineOptions } from '../create-restore-engine.ts';
import { txIdOf } from '../journal/journal-name.ts';
import { NodeFsPort } from '../ports/node-fs-port.ts';
import type {
  CaptureEngine,
  CaptureInput,
  CaptureResult,
  FrozenPlan,
  PlanInput,
  RestoreEngine,
  SnapshotSource,
  StepContext,
  WorkloadAtRevision,
} from '../restore-engine.ts';

/** What a house is told on the command line of a child process. */
export interface HouseFacts {
  readonly root: string;
  readonly installation: string;
  readonly workloadId: string;
  readonly image: string;
}

const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };
/** Small hosts run these tests too. */
const noReserve = { fraction: 0, minBytes: 0 };

export const quietContext = (signal: AbortSignal = new AbortController().signal): StepContext => ({
  signal,
  onProgress: () => undefined,
});

/** The same restore as another operation; no image, because nothing is started. */
const again = (plan: FrozenPlan): FrozenPlan => {
  const operationId = randomUUID();
  return { ...plan, operationId, txId: txIdOf(operationId), image: null, holderContainerId: null };
};

/** One workload with two volumes in a folder of its own, on the real file system and a real Engine. */
export class RestoreHouse {
  readonly facts: HouseFacts;
  readonly docker: DockerPort;
  readonly dataDir: string;
  readonly volumes: string;
  readonly registry: PluginRegistry;
  readonly #fs = new NodeFsPort();

  constructor(facts: HouseFacts, docker: DockerPort, plugins: (volumes: string) => readonly Plugin[] = () => []) {
    this.facts = facts;
    this.docker = docker;
    this.dataDir = path.join(facts.root, 'data');
    this.volumes = path.join(facts.root, 'volumes');
    this.registry = new PluginRegistry(plugins(this.volumes));
  }

  static async build(
    docker: DockerPort,
    options: {
      readonly installation: string;
      readonly image: string;
      readonly plugins: (volumes: string) => readonly Plugin[];
      readonly under?: string;
    },
  ): Promise<RestoreHouse> {
    const root = await realpath(await mkdtemp(path.join(options.under ?? tmpdir(), 'tf-house-')));
    const { installation, image } = options;
    const house = new RestoreHouse({ root, installation, image, workloadId: randomUUID() }, docker, options.plugins);
    await mkdir(house.dataDir);
    await mkdir(house.volumes);
    return house;
  }

  async remove(): Promise<void> {
    await rm(this.facts.root, { recursive: true, force: true });
  }

  engine(more: Partial<RestoreEngineOptions> = {}): RestoreEngine {
    return createRestoreEngine({ ...this.options(), ...more });
  }

  capturer(more: Partial<RestoreEngineOptions> = {}): CaptureEngine {
    return createCaptureEngine({ ...this.options(), ...more });
  }

  options(): RestoreEngineOptions {
    return {
      dataDir: this.dataDir,
      installation: this.facts.installation,
      hostId: 'test-host',
      fs: this.#fs,
      docker: this.docker,
      registry: this.registry,
      scopeContext: (workloadId) => ({ dataDir: this.dataDir, workloadId, allowedRoots: [], forbidden: [] }),
      key: Buffer.alloc(32, 7),
      clock: { now: () => new Date() },
      log: silent,
      reserve: noReserve,
    };
  }

  workload(more: Partial<WorkloadConfig> = {}): WorkloadAtRevision {
    const config: WorkloadConfig = {
      name: 'guestbook',
      project: 'demo',
      stage: 'prod',
      host: 'local',
      source: { type: 'fake', image: this.facts.image, pull: 'never' },
      env: {},
      command: null,
      ports: [],
      volumes: ['data', 'files'].map((source) => ({
        scope: 'fake',
        source,
        target: `/${source}`,
        readOnly: false,
        links: 2 as const,
        shared: false,
      })),
      health: { type: 'stable', stableSeconds: 0, timeoutSeconds: 10, intervalSeconds: 1 },
      strategy: 'recreate',
      stopTimeoutSeconds: 5,
      maxPauseSeconds: 30,
      codec: null,
      ...more,
    };
    const { name, project, stage } = config;
    return { id: this.facts.workloadId, revision: 1, name, project, stage, config };
  }

  /** Gives every volume (or those named) one generation of content. */
  async write(token: string, volumes: readonly string[] = ['data', 'files']): Promise<void> {
    for (const name of volumes) {
      const directory = path.join(this.volumes, name);
      await mkdir(path.join(directory, 'sub'), { recursive: true });
      await writeFile(path.join(directory, 'token'), token);
      await writeFile(path.join(directory, 'sub', 'token'), token);
    }
  }

  /** Generation of each volume: its token, `absent`, or `mixed`. */
  async generations(volumes: readonly string[] = ['data', 'files']): Promise<string[]> {
    return Promise.all(
      volumes.map(async (name) => {
        const directory = path.join(this.volumes, name);
        if (!(await lstat(directory).catch(() => null))) return 'absent';
        const tokens = ['token', 'sub/token'].map((file) => readFile(path.join(directory, file), 'utf8'));
        const [outer, inner] = await Promise.all(tokens).catch(() => ['', 'missing']);
        return outer === inner ? (outer as string) : 'mixed';
      }),
    );
  }

  /** Names beside the volumes that are not volumes: what a restore left. */
  async leftovers(): Promise<string[]> {
    return (await readdir(this.volumes)).filter((name) => name !== 'data' && name !== 'files').sort();
  }

  captureInput(): CaptureInput {
    return {
      workload: this.workload(),
      snapshotId: randomUUID(),
      kind: 'manual',
      quiesce: 'pause',
      codec: 'zstd',
      links: 'by-volume',
      targets: null,
      reserve: true,
    };
  }

  async capture(more: Partial<CaptureInput> = {}, engine: CaptureEngine = this.capturer()): Promise<CaptureResult> {
    return engine.capture({ ...this.captureInput(), ...more }, quietContext());
  }

  source(result: CaptureResult): SnapshotSource {
    const { file, archiveSha256, bytes, contentBytes, manifest, volumes } = result;
    return {
      id: path.basename(file).split('.')[0] as string,
      workloadId: this.facts.workloadId,
      createdAt: '2026-01-01T00:00:00.000Z',
      file,
      archiveSha256,
      bytes,
      contentBytes,
      manifest,
      volumes,
      image: null,
    };
  }

  input(result: CaptureResult, more: Partial<PlanInput> = {}): PlanInput {
    return {
      workload: this.workload(),
      snapshot: this.source(result),
      safety: 'snapshot',
      lastGoodImage: null,
      safetyDays: 7,
      nameIsAmbiguous: false,
      lastRestore: null,
      ...more,
    };
  }

  async preflight(engine: RestoreEngine, result: CaptureResult, more: Partial<PlanInput> = {}): Promise<FrozenPlan> {
    const confirm = { operationId: randomUUID(), confirmedPlanHash: null };
    return engine.preflight({ ...this.input(result, more), ...confirm }, quietContext());
  }

  /** Every step up to SAFE, with a made-up safety snapshot. `like`: the plan of an earlier restore whose undo left the same trees. */
  async upToSafe(engine: RestoreEngine, result: CaptureResult, like?: FrozenPlan): Promise<FrozenPlan> {
    const plan = like ? again(like) : await this.preflight(engine, result);
    await engine.extract(plan, quietContext());
    await engine.stop(plan, quietContext());
    await engine.recordSafe(plan, randomUUID());
    return plan;
  }

  async undo(engine: RestoreEngine, plan: FrozenPlan): Promise<void> {
    const { signal } = new AbortController();
    await engine.removeNew(plan, signal);
    await engine.swapBack(plan, signal);
    await engine.resume(plan, () => Promise.reject(new Error('no container may be gone')), signal);
    await engine.dropStaging(plan, signal);
    await engine.close(plan, signal);
  }

  /** Makes and starts an instance as the deployer would; `operation` labels it as made inside that restore. */
  async startInstance(
    options: {
      readonly operation?: string;
      readonly policy?: RestartPolicy;
      readonly spec?: Partial<ContainerSpec>;
    } = {},
  ): Promise<string> {
    const { installation, workloadId, image } = this.facts;
    const { id } = await this.docker.createContainer({
      name: `tf-test-${randomUUID()}`,
      image,
      env: {},
      command: null,
      labels: {
        [LABELS.installation]: installation,
        [LABELS.workload]: workloadId,
        [LABELS.role]: 'instance',
        ...(options.operation !== undefined && { [LABELS.operation]: options.operation }),
      },
      mounts: ['data', 'files'].map((name) => ({
        source: path.join(this.volumes, name),
        target: `/${name}`,
        readOnly: false,
      })),
      ports: [],
      network: 'none',
      restartPolicy: options.policy ?? 'unless-stopped',
      stopTimeoutSeconds: 2,
      ...options.spec,
    });
    await this.docker.startContainer(id);
    return id;
  }

  async removeContainers(): Promise<void> {
    const labels = { [LABELS.installation]: this.facts.installation, [LABELS.workload]: this.facts.workloadId };
    for (const { id } of await this.docker.listContainers(labels))
      await this.docker.removeContainer(id, { force: true });
  }
}
