import { ForgeError } from '@tiny-forge/contracts/domain';
import type {
  ContainerDetail,
  ContainerSpec,
  ContainerState,
  ContainerSummary,
  DockerPort,
  ImageDetail,
  RestartPolicy,
} from '../docker-port.ts';

interface SimulatedContainer {
  readonly id: string;
  readonly spec: ContainerSpec;
  readonly imageId: string;
  name: string;
  state: ContainerState;
  restartPolicy: RestartPolicy;
  /** Docker remembers it for `unless-stopped`. */
  stoppedByHand: boolean;
  exitCode: number | null;
  /** What each mount source was when the container started: it keeps that tree through a rename. */
  bound: readonly { readonly source: string; readonly tree: string }[];
}

export interface SimulatedHost {
  /** Identity of the directory at `path` now; null: there is none, and a start that mounts it fails. */
  readonly treeAt: (path: string) => string | null;
  /** Called whenever a container has begun to run, by us or by the daemon itself. */
  readonly onStart?: (container: { readonly name: string; readonly labels: Readonly<Record<string, string>> }) => void;
}

const MADE = new Date('2026-01-01T00:00:00Z');

/**
 * Containers as the engines see them, without processes: states, policies, labels, mounts, and what a daemon does by itself after a power cut. Passes
 * `dockerLifecycleContract`. For simulated crashes, where thousands of daemons would be needed.
 */
export class SimulatedDocker implements DockerPort {
  readonly #host: SimulatedHost;
  readonly #images: readonly ImageDetail[];
  #containers: SimulatedContainer[] = [];
  #made = 0;
  #changes = 0;

  constructor(host: SimulatedHost, images: readonly string[]) {
    this.#host = host;
    this.#images = images.map((id) => ({ id, repoDigests: [], repoTags: [], architecture: 'amd64' }));
  }

  /** Counts what changed anything. */
  get changes(): number {
    return this.#changes;
  }

  /** The same daemon on another host: after a crash. */
  cloneOn(host: SimulatedHost): SimulatedDocker {
    const copy = new SimulatedDocker(
      host,
      this.#images.map(({ id }) => id),
    );
    copy.#containers = this.#containers.map((one) => ({ ...one }));
    copy.#made = this.#made;
    return copy;
  }

  /** Everything that ran is dead; then the daemon comes up, before anything of ours, and starts what its policies say. */
  powerCut(): void {
    const ran = this.#containers.filter((one) => isUp(one.state));
    for (const one of ran) Object.assign(one, { state: 'exited', exitCode: 137, bound: [] });
    for (const one of this.#containers) {
      const comesBack =
        one.restartPolicy === 'always' || (one.restartPolicy === 'unless-stopped' && !one.stoppedByHand);
      const hadRun = ran.includes(one) || one.exitCode !== null;
      if (comesBack && hadRun) this.#run(one);
    }
  }

  /** Who has which tree mounted now, as the kernel would tell. */
  mounted(): { readonly id: string; readonly source: string; readonly tree: string }[] {
    return this.#containers
      .filter((one) => isUp(one.state))
      .flatMap(({ id, bound }) => bound.map((mount) => ({ id, ...mount })));
  }

  all(): {
    readonly id: string;
    readonly name: string;
    readonly running: boolean;
    readonly restartPolicy: RestartPolicy;
    readonly labels: Readonly<Record<string, string>>;
  }[] {
    return this.#containers.map(({ id, name, state, restartPolicy, spec }) => ({
      id,
      name,
      restartPolicy,
      running: isUp(state),
      labels: spec.labels,
    }));
  }

  /** Equal for daemons that nothing can tell apart. */
  key(): string {
    return JSON.stringify(
      this.#containers.map(({ id, name, state, restartPolicy, stoppedByHand, bound }) => [
        id,
        name,
        state,
        restartPolicy,
        stoppedByHand,
        bound,
      ]),
    );
  }

  info = async () => {
    await Promise.resolve();
    return { id: 'simulated', version: '0', apiVersion: '0', rootDir: '/docker', architecture: 'amd64' };
  };

  listContainers = async (labels: Readonly<Record<string, string>> = {}): Promise<ContainerSummary[]> => {
    await Promise.resolve();
    const wanted = Object.entries(labels);
    return this.#containers
      .filter(({ spec }) => wanted.every(([name, value]) => spec.labels[name] === value))
      .map(summaryOf);
  };

  inspectContainer = async (id: string): Promise<ContainerDetail | null> => {
    await Promise.resolve();
    const one = this.#find(id);
    if (!one) return null;
    return {
      ...summaryOf(one),
      pid: isUp(one.state) ? 1 : 0,
      exitCode: isUp(one.state) ? null : one.exitCode,
      startedAt: isUp(one.state) ? MADE : null,
      restartCount: 0,
      restartPolicy: one.restartPolicy,
      health: 'none',
      ports: [],
      ipAddress: null,
    };
  };

  createContainer = async (spec: ContainerSpec): Promise<{ readonly id: string }> => {
    await Promise.resolve();
    const image = await this.inspectImage(spec.image);
    if (!image) throw new ForgeError({ code: 'IMAGE_MISSING', params: { image: spec.image } });
    if (this.#containers.some(({ name }) => name === spec.name))
      throw new ForgeError({ code: 'DEPLOY_FAILED', params: { why: 'the name is taken', conflict: 'name' } });
    const missing = spec.mounts.find(({ source }) => this.#host.treeAt(source) === null);
    if (missing) throw new ForgeError({ code: 'DEPLOY_FAILED', params: { why: `${missing.source} is missing` } });
    const id = `${++this.#made}`.padStart(64, '0');
    this.#changes++;
    const { name, restartPolicy } = spec;
    this.#containers.push({
      id,
      name,
      spec,
      restartPolicy,
      imageId: image.id,
      state: 'created',
      stoppedByHand: false,
      exitCode: null,
      bound: [],
    });
    return { id };
  };

  startContainer = (id: string) =>
    this.#on(id, 'started', (one) => {
      if (!isUp(one.state)) this.#run(one, 'asked');
    });

  stopContainer = (id: string, _timeoutSeconds: number) =>
    this.#on(id, 'stopped', (one) => {
      one.stoppedByHand = true;
      if (isUp(one.state)) Object.assign(one, { state: 'exited', exitCode: 0, bound: [] });
    });

  removeContainer = (id: string, { force }: { readonly force: boolean }) =>
    this.#on(id, 'removed', (one) => {
      if (isUp(one.state) && !force) throw new ForgeError({ code: 'DEPLOY_FAILED', params: { why: 'it runs' } });
      this.#containers = this.#containers.filter((other) => other !== one);
    });

  renameContainer = (id: string, name: string) =>
    this.#on(id, 'renamed', (one) => {
      if (this.#containers.some((other) => other !== one && other.name === name))
        throw new ForgeError({ code: 'DEPLOY_FAILED', params: { why: 'the name is taken' } });
      one.name = name;
    });

  pauseContainer = async (id: string): Promise<'paused' | 'not-running' | 'gone'> => {
    await Promise.resolve();
    const one = this.#find(id);
    if (!one) return 'gone';
    if (!isUp(one.state)) return 'not-running';
    one.state = 'paused';
    this.#changes++;
    return 'paused';
  };

  unpauseContainer = (id: string) =>
    this.#on(id, 'unpaused', (one) => {
      if (one.state === 'paused') one.state = 'running';
    });

  setRestartPolicy = (id: string, policy: RestartPolicy) =>
    this.#on(id, 'set', (one) => {
      one.restartPolicy = policy;
    });

  inspectImage = async (reference: string): Promise<ImageDetail | null> => {
    await Promise.resolve();
    return this.#images.find(({ id }) => id === reference) ?? null;
  };

  pullImage = async (reference: string): Promise<ImageDetail> => {
    await Promise.resolve();
    throw new ForgeError({ code: 'IMAGE_MISSING', params: { image: reference } });
  };

  loadImage = (): Promise<never> => refused('loadImage');
  logs = (): Promise<never> => refused('logs');
  exec = (): Promise<never> => refused('exec');
  waitContainer = (): Promise<never> => refused('waitContainer');

  #find(id: string): SimulatedContainer | undefined {
    return this.#containers.find((one) => one.id === id);
  }

  async #on<T extends string>(id: string, done: T, act: (one: SimulatedContainer) => void): Promise<T | 'gone'> {
    await Promise.resolve();
    const one = this.#find(id);
    if (!one) return 'gone';
    this.#changes++;
    act(one);
    return done;
  }

  #run(one: SimulatedContainer, by: 'asked' | 'policy' = 'policy'): void {
    const bound: { source: string; tree: string }[] = [];
    for (const { source } of one.spec.mounts) {
      const tree = this.#host.treeAt(source);
      if (tree === null) {
        // `Mounts` never create a source: the start fails, and the daemon tries no further.
        if (by === 'policy') return;
        throw new ForgeError({ code: 'DEPLOY_FAILED', params: { why: `${source} is missing` } });
      }
      bound.push({ source, tree });
    }
    Object.assign(one, { state: 'running', stoppedByHand: false, exitCode: null, bound });
    this.#host.onStart?.({ name: one.name, labels: one.spec.labels });
  }
}

const isUp = (state: ContainerState): boolean => state === 'running' || state === 'paused' || state === 'restarting';

const refused = (call: string): Promise<never> =>
  Promise.reject(new Error(`a simulated container has no processes: ${call}`));

const summaryOf = ({ id, name, imageId, state, spec }: SimulatedContainer): ContainerSummary => ({
  id,
  name,
  image: spec.image,
  imageId,
  state,
  labels: spec.labels,
  mounts: spec.mounts.map(({ source, target }) => ({ type: 'bind', source, target })),
  createdAt: MADE,
});
