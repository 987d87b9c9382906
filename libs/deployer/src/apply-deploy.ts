import { ForgeError, isForgeError, LABELS, type HealthConfig } from '@tiny-forge/contracts/domain';
import type { ContainerSummary, DockerPort } from '@tiny-forge/docker';
import type { Clock } from './clock.ts';
import type { DesiredInstance } from './desired-instance.ts';
import { awaitHealthy } from './health-gate.ts';
import type { DeployAction, DeployPlan } from './plan-deploy.ts';
import { isUp } from './plan-deploy.ts';
import { persist } from './persistence.ts';
import { listInstances, type WorkloadKey } from './workload-containers.ts';

export interface ApplyInput {
  readonly docker: DockerPort;
  readonly clock: Clock;
  readonly key: WorkloadKey;
  readonly operationId: string;
  readonly revision: number;
  /** `tf-<project>-<stage>-<name>`; a number makes it unique on the Engine. */
  readonly namePrefix: string;
  readonly restartPolicy: 'unless-stopped' | 'no';
  readonly stopTimeoutSeconds: number;
  readonly desired: readonly DesiredInstance[];
  /** Instances as listed before the plan was made. */
  readonly found: readonly ContainerSummary[];
  readonly health: HealthConfig;
  readonly signal: AbortSignal;
  readonly onProgress: (detail: string) => void;
  /** Called before every start, also of an old container. */
  readonly assertMayStart: () => Promise<void>;
}

export interface ServingInstance {
  readonly containerId: string;
  readonly name: string;
  readonly imageId: string;
}

const NAME_ATTEMPTS = 20;

/**
 * Carries a plan out. On a failure before the gate is passed everything is undone as the plan says, whatever became of `signal`, and the first
 * error is thrown; its param `old` says whether the old version runs again where there was one.
 * @returns the containers that serve, by service
 */
export async function applyDeploy(plan: DeployPlan, input: ApplyInput): Promise<ReadonlyMap<string, ServingInstance>> {
  const serving = new Map<string, ServingInstance>();
  for (const [service, containerId] of Object.entries(plan.keep)) {
    const found = input.found.find((container) => container.id === containerId);
    serving.set(service, { containerId, name: found?.name ?? '', imageId: found?.imageId ?? '' });
  }
  try {
    for (const action of plan.actions) {
      if (input.signal.aborted) throw new ForgeError({ code: 'CANCELLED', cause: input.signal.reason });
      await applyAction(action, input, serving, input.signal);
    }
  } catch (error) {
    const old = await undo(plan, input);
    throw old === null || !isForgeError(error) ? error : withOld(error, old);
  }
  const { signal: _, ...forward } = input;
  const failures: unknown[] = [];
  for (const action of plan.afterwards) {
    // Without the caller's signal: the new version serves, what is left is only cleaning up.
    const failure = await persist(input.clock, (signal) =>
      applyAction(action, { ...forward, signal }, serving, signal),
    );
    if (failure !== null) failures.push(failure);
  }
  // A second version that could not be stopped is no detail; a stopped leftover is: the next deploy takes it away.
  if (failures.length > 0 && plan.afterwards.some((action) => action.do === 'stop')) throw failures[0];
  return serving;
}

async function applyAction(
  action: DeployAction,
  input: ApplyInput,
  serving: Map<string, ServingInstance>,
  signal: AbortSignal,
): Promise<void> {
  const { docker, onProgress } = input;
  switch (action.do) {
    case 'create':
      onProgress('creating the container');
      serving.set(action.service, await createInstance(action, input, signal));
      return;
    case 'remove':
      await docker.removeContainer(action.id, { force: true }, signal);
      return;
    case 'stop':
      onProgress('stopping the old version');
      await docker.stopContainer(action.id, input.stopTimeoutSeconds, signal);
      return;
    case 'set-policy':
      await docker.setRestartPolicy(action.id, action.policy, signal);
      return;
    case 'start-new':
    case 'start-existing': {
      onProgress('starting the container');
      const id = servingId(serving, action.service);
      await input.assertMayStart();
      if ((await docker.startContainer(id, signal)) === 'gone') {
        throw new ForgeError({ code: 'DEPLOY_FAILED', params: { why: `container ${id.slice(0, 12)} is gone` } });
      }
      return;
    }
    case 'gate': {
      onProgress('waiting until the app is healthy');
      await awaitHealthy({
        docker,
        clock: input.clock,
        containerId: servingId(serving, action.service),
        health: input.health,
        signal,
        restartsBefore: 0,
        onAnswer: (answer) => onProgress(`waiting until the app is healthy: ${answer}`),
      });
    }
  }
}

function servingId(serving: ReadonlyMap<string, ServingInstance>, service: string): string {
  const id = serving.get(service)?.containerId;
  if (id === undefined) throw new TypeError(`plan starts or gates ${service} before it exists`);
  return id;
}

async function createInstance(
  action: Extract<DeployAction, { do: 'create' }>,
  input: ApplyInput,
  signal: AbortSignal,
): Promise<ServingInstance> {
  const wanted = input.desired.find((candidate) => candidate.service === action.service);
  if (wanted === undefined) throw new TypeError(`plan creates ${action.service}, which nobody wants`);
  const labels: Record<string, string> = {
    [LABELS.installation]: input.key.installation,
    [LABELS.workload]: input.key.workloadId,
    [LABELS.role]: 'instance',
    [LABELS.operation]: input.operationId,
    [LABELS.revision]: String(input.revision),
    [LABELS.spec]: wanted.specHash,
    [LABELS.service]: wanted.service,
    [LABELS.image]: wanted.imageReference,
    [LABELS.replaces]: action.replaces.join(','),
  };
  const prefix = wanted.service === 'main' ? input.namePrefix : `${input.namePrefix}-${wanted.service}`;
  // Read only, to choose a name: other installations and people have containers here too.
  const names = new Set((await input.docker.listContainers({}, signal)).map((container) => container.name));
  for (let number = 1, attempt = 1; ; number += 1) {
    const name = `${prefix}-${number}`;
    if (names.has(name)) continue;
    try {
      const created = await input.docker.createContainer(
        {
          name,
          image: wanted.imageId,
          env: wanted.env,
          command: wanted.command,
          labels,
          mounts: wanted.mounts,
          ports: wanted.ports,
          restartPolicy: input.restartPolicy,
          stopTimeoutSeconds: wanted.stopTimeoutSeconds,
        },
        signal,
      );
      return { containerId: created.id, name, imageId: wanted.imageId };
    } catch (error) {
      // Somebody took the name between the list and the call.
      if (!isForgeError(error) || error.params['conflict'] !== 'name' || attempt === NAME_ATTEMPTS) throw error;
      attempt += 1;
    }
  }
}

/** @returns whether the old version runs again; null: there was none to bring back. */
async function undo(plan: DeployPlan, input: ApplyInput): Promise<'running' | 'not running' | null> {
  const { docker, clock, key, operationId } = input;
  input.onProgress('undoing the deploy');
  const kept = new Set(Object.values(plan.keep));
  // Found by label, not remembered: a create whose answer was lost made a container all the same.
  const removed = await persist(clock, async (signal) => {
    for (const container of await listInstances(docker, key, signal)) {
      if (container.labels[LABELS.operation] !== operationId || kept.has(container.id)) continue;
      if (plan.undo.remove === 'unstarted' && container.state !== 'created') continue;
      // It may be writing to the volumes: a chance to end well, whatever comes of it.
      if (isUp(container)) await docker.stopContainer(container.id, input.stopTimeoutSeconds, signal).catch(() => {});
      await docker.removeContainer(container.id, { force: true }, signal);
    }
  });
  for (const id of plan.undo.stop) {
    await persist(clock, async (signal) => void (await docker.stopContainer(id, input.stopTimeoutSeconds, signal)));
  }
  if (plan.undo.start.length === 0) return null;
  // Two writers on one directory are worse than none.
  if (removed !== null) return (await anyUp(input, plan.undo.start)) ? 'running' : 'not running';
  const started = await persist(clock, async (signal) => {
    await input.assertMayStart();
    for (const id of plan.undo.start) {
      await docker.startContainer(id, signal);
    }
  });
  return started === null && (await anyUp(input, plan.undo.start)) ? 'running' : 'not running';
}

async function anyUp(input: ApplyInput, ids: readonly string[]): Promise<boolean> {
  let up = false;
  await persist(input.clock, async (signal) => {
    const instances = await listInstances(input.docker, input.key, signal);
    up = instances.some((container) => ids.includes(container.id) && isUp(container));
  });
  return up;
}

function withOld(error: ForgeError, old: string): ForgeError {
  return new ForgeError({
    code: error.code,
    kind: error.kind,
    retryable: error.retryable,
    params: { ...error.params, old },
    message: error.message,
    cause: error.cause,
  });
}
