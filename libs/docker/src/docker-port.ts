import type { Readable } from 'node:stream';

/**
 * The few Docker calls the product makes. Obligations of every implementation:
 * - a call whose `signal` is aborted gives CANCELLED; its effect may still have happened;
 * - an Engine that does not answer (connection refused, socket gone, time-out) gives `ForgeError` DOCKER_AWAY, retryable;
 * - "no such container/image" is an answer (`null`, `'gone'`), never an error, where the signature says so;
 * - every call honours `signal` and settles within `signal`'s abort or its own time limit;
 * - nothing is ever started implicitly.
 */
export interface DockerPort {
  /** `rootDir` is the Engine's data root on its host; `id` survives restarts of the Engine. */
  info(signal?: AbortSignal): Promise<DockerInfo>;
  /** All containers (running or not) whose labels contain every given pair; without `labels`: all on the Engine. */
  listContainers(labels?: Readonly<Record<string, string>>, signal?: AbortSignal): Promise<ContainerSummary[]>;
  inspectContainer(id: string, signal?: AbortSignal): Promise<ContainerDetail | null>;
  /** Creates, never starts. A taken port surfaces at start. Missing image: IMAGE_MISSING. Name taken: DEPLOY_FAILED with param `conflict: 'name'`. */
  createContainer(spec: ContainerSpec, signal?: AbortSignal): Promise<{ readonly id: string }>;
  /** Idempotent: a running container stays. A taken host port: PORT_TAKEN. Missing mount source or other refusal: DEPLOY_FAILED. */
  startContainer(id: string, signal?: AbortSignal): Promise<'started' | 'gone'>;
  /** SIGTERM (or the image's stop signal), after `timeoutSeconds` SIGKILL; unpauses first. Still running after that + 10 s: STOP_TIMEOUT. */
  stopContainer(id: string, timeoutSeconds: number, signal?: AbortSignal): Promise<'stopped' | 'gone'>;
  /** Anonymous volumes of the image are kept unless asked otherwise: they may hold what nobody declared. Running and not forced: DEPLOY_FAILED. */
  removeContainer(
    id: string,
    options: { readonly force: boolean; readonly anonymousVolumes?: 'keep' | 'remove' },
    signal?: AbortSignal,
  ): Promise<'removed' | 'gone'>;
  renameContainer(id: string, name: string, signal?: AbortSignal): Promise<'renamed' | 'gone'>;
  pauseContainer(id: string, signal?: AbortSignal): Promise<'paused' | 'not-running' | 'gone'>;
  /** Idempotent: a container that is not paused stays as it is. */
  unpauseContainer(id: string, signal?: AbortSignal): Promise<'unpaused' | 'gone'>;
  setRestartPolicy(id: string, policy: RestartPolicy, signal?: AbortSignal): Promise<'set' | 'gone'>;
  /** `reference` may be a name, `name@sha256:…` or an image id `sha256:…`. */
  inspectImage(reference: string, signal?: AbortSignal): Promise<ImageDetail | null>;
  /** Registry refuses or lacks it: IMAGE_MISSING. */
  pullImage(reference: string, signal?: AbortSignal): Promise<ImageDetail>;
  /** `docker load` of a tar in the docker-archive format; returns the ids or names loaded. */
  loadImage(archive: Readable, signal?: AbortSignal): Promise<string[]>;
  /** The last `tail` lines, stdout and stderr joined, raw bytes decoded as UTF-8 with replacement. null: gone. */
  logs(id: string, tail: number, signal?: AbortSignal): Promise<string | null>;
  /**
   * Runs in a running container; output cut at 64 KiB. Past `timeoutMs` the answer is exit code 124 and the process goes on in the container:
   * Docker cannot end it. `gone`: no such container, or it does not run.
   */
  exec(
    id: string,
    command: readonly string[],
    timeoutMs: number,
    signal?: AbortSignal,
  ): Promise<{ readonly exitCode: number; readonly output: string } | 'gone'>;
  /** Waits for the end of a container; null: gone. */
  waitContainer(id: string, signal?: AbortSignal): Promise<{ readonly exitCode: number } | null>;
}

export interface DockerInfo {
  readonly id: string;
  readonly version: string;
  readonly apiVersion: string;
  readonly rootDir: string;
  readonly architecture: string;
}

export type RestartPolicy = 'no' | 'always' | 'unless-stopped' | 'on-failure';

export interface MountSpec {
  /** Absolute host path; must exist: `Mounts` never create it. */
  readonly source: string;
  readonly target: string;
  readonly readOnly: boolean;
}

export interface ContainerSpec {
  readonly name: string;
  /** Image id (`sha256:…`), so that a moved tag changes nothing. */
  readonly image: string;
  readonly env: Readonly<Record<string, string>>;
  /** null: the image's own. */
  readonly command: readonly string[] | null;
  readonly labels: Readonly<Record<string, string>>;
  readonly mounts: readonly MountSpec[];
  readonly ports: readonly {
    readonly container: number;
    readonly published?: number | undefined;
    readonly protocol: 'tcp' | 'udp';
    readonly hostIp?: string | undefined;
  }[];
  readonly restartPolicy: RestartPolicy;
  readonly stopTimeoutSeconds: number;
  /** `none` for probes and holders. Default: Docker's bridge. */
  readonly network?: 'none' | undefined;
}

export type ContainerState = 'created' | 'running' | 'paused' | 'restarting' | 'removing' | 'exited' | 'dead';

export interface ContainerSummary {
  readonly id: string;
  readonly name: string;
  readonly image: string;
  readonly imageId: string;
  readonly state: ContainerState;
  readonly labels: Readonly<Record<string, string>>;
  /** Bind sources as Docker was told; after a rename they lie (facts/crash-safety.md 4): never proof of use. */
  readonly mounts: readonly { readonly type: string; readonly source: string; readonly target: string }[];
  readonly createdAt: Date;
}

export interface ContainerDetail extends ContainerSummary {
  /** Host pid of the main process; 0 when not running. */
  readonly pid: number;
  readonly exitCode: number | null;
  readonly startedAt: Date | null;
  readonly restartCount: number;
  readonly restartPolicy: RestartPolicy;
  /** Docker's own health check; `none` where the image has none. */
  readonly health: 'none' | 'starting' | 'healthy' | 'unhealthy';
  readonly ports: readonly {
    readonly container: number;
    readonly published: number | null;
    readonly protocol: string;
    readonly hostIp: string | null;
  }[];
  /** Address on Docker's bridge, for health probes of unpublished ports; null when not running. */
  readonly ipAddress: string | null;
}

export interface ImageDetail {
  /** `sha256:` of the image's config. */
  readonly id: string;
  /** Registry digests `name@sha256:…`; empty for local images. */
  readonly repoDigests: readonly string[];
  readonly repoTags: readonly string[];
  readonly architecture: string;
}
