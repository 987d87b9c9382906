import {
  ForgeError,
  LABELS,
  type HealthConfig,
  type ImageRef,
  type WorkloadStatus,
} from '@tiny-forge/contracts/domain';
import type { ContainerSummary, DockerPort } from '@tiny-forge/docker';
import {
  resolveVolumes,
  type PluginRegistry,
  type ScopeContext,
  type SourceWorkload,
  type WorkloadVolume,
} from '@tiny-forge/plugin-api';
import { applyDeploy, type ServingInstance } from './apply-deploy.ts';
import type { Clock } from './clock.ts';
import { gatherDesired, gatherExisting } from './deploy-facts.ts';
import { resolveImage, resolvePinned, type Pull } from './image-resolution.ts';
import { isUp, planDeploy, type DeployCause } from './plan-deploy.ts';
import { ensureVolumeDirectories } from './volume-directories.ts';
import { isInstance, listInstances, listOwn, replacesOf, type WorkloadKey } from './workload-containers.ts';
import { workloadStatus } from './workload-status.ts';

export interface DeployerPorts {
  readonly docker: DockerPort;
  readonly registry: PluginRegistry;
  readonly clock: Clock;
}

export interface DispatchInput {
  /** env with secrets resolved; they go to Docker and nowhere else. */
  readonly workload: SourceWorkload;
  readonly revision: number;
  readonly installation: string;
  readonly operationId: string;
  readonly cause: DeployCause;
  /** The recorded image; null: the configured one, or for `start` that of the stopped container. Required by `resume`. */
  readonly pinnedImage: ImageRef | null;
  readonly restartPolicy: 'unless-stopped' | 'no';
  readonly context: ScopeContext;
  readonly signal: AbortSignal;
  readonly onProgress?: (detail: string) => void;
  /** Asked before anything is created, and again right before every start: a pull between the two may take minutes. */
  readonly guard: {
    assertMayStart(workloadId: string, hostPaths: readonly string[], operationId: string): Promise<void>;
  };
}

export interface DispatchResult {
  readonly instances: readonly ServingInstance[];
  readonly image: ImageRef;
  /** false: the very same thing already ran and was healthy. */
  readonly changed: boolean;
}

export interface RevertInput extends Pick<
  DispatchInput,
  'installation' | 'operationId' | 'context' | 'guard' | 'signal'
> {
  readonly workload: Pick<SourceWorkload, 'id' | 'volumes' | 'stopTimeoutSeconds'>;
}

export interface StopInput extends WorkloadKey {
  readonly timeoutSeconds: number;
  readonly signal: AbortSignal;
}

/**
 * Makes Docker create and start containers; nothing else in the product does. Touches only containers that carry the label of the installation.
 * Calls for one workload are serialised by its lane, not here.
 */
export class Deployer {
  readonly #docker: DockerPort;
  readonly #registry: PluginRegistry;
  readonly #clock: Clock;

  constructor(ports: DeployerPorts) {
    this.#docker = ports.docker;
    this.#registry = ports.registry;
    this.#clock = ports.clock;
  }

  /**
   * The one dispatch of every entry point. Idempotent by `operationId`: a second call goes on where a killed one ended. A deploy that fails
   * leaves the old version serving; inside a restore (`restore`, `undo`) it leaves the old one stopped and nothing of its own; a failed `resume`
   * leaves its container up.
   * @throws ForgeError VOLUME_* and whatever the guard throws, before anything is touched; IMAGE_MISSING, VALIDATION_FAILED, DEPLOY_FAILED,
   * PORT_TAKEN, STOP_TIMEOUT, APP_EXITED, APP_UNHEALTHY, DOCKER_AWAY, CANCELLED
   */
  async dispatch(input: DispatchInput): Promise<DispatchResult> {
    const { workload, signal, operationId } = input;
    const key: WorkloadKey = { installation: input.installation, workloadId: workload.id };
    const onProgress = input.onProgress ?? (() => {});
    const volumes = await resolveVolumes(workload.volumes, this.#registry, input.context);
    const hostPaths = volumes.map(({ resolved }) => resolved.hostPath);
    const assertMayStart = (): Promise<void> => input.guard.assertMayStart(workload.id, hostPaths, operationId);
    this.#assertStrategy(input, volumes);
    await assertMayStart();
    const found = await listInstances(this.#docker, key, signal);
    const wanted = this.#registry.sourceType(workload.source.type).instance.desired(workload);
    const { cause, pinnedImage } = input;
    const facts = { docker: this.#docker, clock: this.#clock, found, signal };
    const { desired, image } = await gatherDesired({ ...facts, cause, wanted, pinnedImage, volumes, onProgress });
    await ensureVolumeDirectories(volumes);
    const existing = await gatherExisting({ ...facts, desired, health: workload.health });
    const plan = planDeploy({
      cause,
      strategy: workload.strategy,
      operationId,
      restartPolicy: input.restartPolicy,
      desired,
      existing,
    });
    const serving = await applyDeploy(plan, {
      docker: this.#docker,
      clock: this.#clock,
      key,
      operationId,
      revision: input.revision,
      namePrefix: `tf-${workload.project}-${workload.stage}-${workload.name}`,
      restartPolicy: input.restartPolicy,
      stopTimeoutSeconds: workload.stopTimeoutSeconds,
      desired,
      found,
      health: workload.health,
      signal,
      onProgress,
      assertMayStart,
    });
    return { instances: [...serving.values()], image, changed: plan.changed };
  }

  /** `dispatch` with cause `start`: what was stopped is started as it is, unless the config changed since. */
  startWorkload(input: Omit<DispatchInput, 'cause'>): Promise<DispatchResult> {
    return this.dispatch({ ...input, cause: 'start' });
  }

  /**
   * Stops every instance that is up; policies stay, as Docker keeps a container down that was stopped by hand.
   * @returns ids of those that were up
   * @throws ForgeError STOP_TIMEOUT after all were tried, DOCKER_AWAY
   */
  async stopWorkload(input: StopInput): Promise<readonly string[]> {
    const up = (await listInstances(this.#docker, input, input.signal)).filter(isUp);
    const results = await Promise.allSettled(
      up.map((container) => this.#docker.stopContainer(container.id, input.timeoutSeconds, input.signal)),
    );
    const failed = results.find((result) => result.status === 'rejected');
    if (failed) throw failed.reason;
    return up.map((container) => container.id);
  }

  /** With `health` each running instance is asked once (2 s); without it only what Docker knows is told. Reads only. */
  async status(
    installation: string,
    workloadId: string,
    health?: HealthConfig,
    signal?: AbortSignal,
  ): Promise<WorkloadStatus> {
    const instances = await listInstances(this.#docker, { installation, workloadId }, signal);
    return workloadStatus({
      docker: this.#docker,
      clock: this.#clock,
      instances,
      health: health ?? null,
      signal: signal ?? AbortSignal.timeout(30_000),
    });
  }

  /** Stops and removes every container of the workload, holders included. Volumes stay. */
  async removeWorkload(input: StopInput): Promise<void> {
    await this.stopWorkload(input);
    for (const container of await listOwn(this.#docker, input, input.signal)) {
      const anonymousVolumes = isInstance(container) ? 'keep' : 'remove';
      await this.#docker.removeContainer(container.id, { force: true, anonymousVolumes }, input.signal);
    }
  }

  /**
   * Stops and removes the instances an operation made, and proves that none is left. Holders stay: they keep the image for what comes next.
   * @returns ids of those removed
   * @throws ForgeError STOP_TIMEOUT, CONTAINER_APPEARED, DOCKER_AWAY
   */
  async removeByOperation(
    installation: string,
    workloadId: string,
    operationId: string,
    options: { readonly timeoutSeconds?: number; readonly signal?: AbortSignal } = {},
  ): Promise<readonly string[]> {
    const { timeoutSeconds = 10, signal } = options;
    const ofOperation = async (): Promise<ContainerSummary[]> =>
      (await listInstances(this.#docker, { installation, workloadId }, signal)).filter(
        (container) => container.labels[LABELS.operation] === operationId,
      );
    const found = await ofOperation();
    for (const container of found) {
      if (isUp(container)) await this.#docker.stopContainer(container.id, timeoutSeconds, signal);
      await this.#docker.removeContainer(container.id, { force: true }, signal);
    }
    const left = (await ofOperation())[0];
    if (left !== undefined) {
      throw new ForgeError({ code: 'CONTAINER_APPEARED', params: { container: left.name, path: 'its volumes' } });
    }
    return found.map((container) => container.id);
  }

  /**
   * Takes back a dispatch (`deploy`, `start`) of an operation that ended without an answer, because its server was killed: its containers go and
   * what they were made to replace runs again. Where the old version is gone already the new one had passed its gate: it stays. Idempotent.
   * @returns which version is there now; `none`: nothing ran before
   * @throws ForgeError whatever the guard throws, STOP_TIMEOUT, PORT_TAKEN, DEPLOY_FAILED, DOCKER_AWAY
   */
  async revertDispatch(input: RevertInput): Promise<'old' | 'new' | 'none'> {
    const { workload, operationId, signal } = input;
    const key: WorkloadKey = { installation: input.installation, workloadId: workload.id };
    const instances = await listInstances(this.#docker, key, signal);
    const own = instances.filter((container) => container.labels[LABELS.operation] === operationId);
    const replaced = new Set(own.flatMap(replacesOf));
    const old = instances.filter((container) => replaced.has(container.id));
    if (own.some(isUp) && replaced.size > 0 && old.length === 0) return 'new';
    if (old.some((container) => !isUp(container))) {
      const volumes = await resolveVolumes(workload.volumes, this.#registry, input.context);
      const hostPaths = volumes.map(({ resolved }) => resolved.hostPath);
      await input.guard.assertMayStart(workload.id, hostPaths, operationId);
    }
    // Stopped first, started next, removed last: a kill in between must not lose the label that says what ran.
    for (const { id } of own.filter(isUp)) {
      await this.#docker.stopContainer(id, workload.stopTimeoutSeconds, signal);
    }
    for (const { id } of old) await this.#docker.startContainer(id, signal);
    for (const { id } of own) await this.#docker.removeContainer(id, { force: true }, signal);
    return old.length > 0 || instances.some((container) => isUp(container) && !own.includes(container))
      ? 'old'
      : 'none';
  }

  /** Resolves a reference to an image id, pulling as told. @throws ForgeError IMAGE_MISSING */
  resolveImage(reference: string, pull: Pull, signal?: AbortSignal): Promise<ImageRef> {
    return resolveImage(this.#docker, reference, pull, signal);
  }

  /** The recorded image by id, else by registry digest. @throws ForgeError IMAGE_MISSING */
  resolvePinned(pinned: ImageRef, signal?: AbortSignal): Promise<ImageRef> {
    return resolvePinned(this.#docker, pinned, signal);
  }

  /** Two versions at once mean two writers, and one port for two. Inside a restore the strategy is always recreate. */
  #assertStrategy({ workload, cause }: DispatchInput, volumes: readonly WorkloadVolume[]): void {
    if (workload.strategy !== 'blue-green' || (cause !== 'deploy' && cause !== 'start')) return;
    const writable = volumes.some(({ volume }) => !volume.readOnly && !volume.shared);
    const published = workload.ports.some((port) => port.published !== undefined);
    if (!writable && !published) return;
    const why = writable ? 'blue-green with a writable volume that is not shared' : 'blue-green with a published port';
    throw new ForgeError({
      code: 'VALIDATION_FAILED',
      params: { count: 1, fields: 'strategy', why },
    });
  }
}
