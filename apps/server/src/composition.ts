import { realpathSync } from 'node:fs';
import path from 'node:path';
import type { Logger } from 'pino';
import { loadOrCreateKey } from '@tiny-forge/archive-safe';
import { isForgeError, type Settings } from '@tiny-forge/contracts/domain';
import { Deployer, systemClock as deployerClock } from '@tiny-forge/deployer';
import { connectDocker, type DockerPort } from '@tiny-forge/docker';
import { PluginRegistry, type ScopeContext } from '@tiny-forge/plugin-api';
import { absoluteScope, projectScope, stageScope } from '@tiny-forge/scope-host';
import { imageSourceType } from '@tiny-forge/source-image';
import {
  createCaptureEngine,
  createImportEngine,
  createRestoreEngine,
  NodeFsPort,
  WorkloadMutex,
  type HealthOf,
} from '@tiny-forge/volsnap';
import type { Parts } from './parts.ts';
import { makeDirectory, openState, type Clock, type State } from './state/index.ts';

/** The checkout this server was built in: apps/server/{src,dist} lie three below it. */
export const CHECKOUT = path.resolve(import.meta.dirname, '..', '..', '..');

/** Every plugin of this installation; the one place that names them. */
const plugins = [absoluteScope, stageScope, projectScope, imageSourceType];

export interface CompositionOptions {
  readonly settings: Settings;
  readonly log: Logger;
  readonly clock: Clock;
  readonly newId: () => string;
  /** Instead of the Engine of `settings.dockerHost`. */
  readonly docker?: DockerPort;
}

/**
 * Builds everything a process is made of, in every role, and connects nothing. The host role holds the lock of the data folder before it calls.
 * @throws ForgeError DATA_DIR_UNUSABLE, SETTING_INVALID
 */
export async function composeParts(options: CompositionOptions): Promise<Parts> {
  const { settings, log, clock, newId } = options;
  makeDirectory(settings.dataDir);
  const dataDir = realpathSync(settings.dataDir);
  const state = await openState({ dataDir, clock, newId });
  const installation = await state.meta.getOrCreate('installation', newId());
  const hostId = await state.meta.getOrCreate('host', newId());
  const docker = options.docker ?? connectDocker({ dockerHost: settings.dockerHost });
  const registry = new PluginRegistry(plugins);
  const deployer = new Deployer({ docker, registry, clock: deployerClock });
  const scopeContext = scopeContexts(settings, dataDir, docker, state);
  const healthOf: HealthOf = async (container, workloadId, signal) => {
    const workload = await state.workloads.getEvenDeleted(workloadId);
    const status = await deployer.status(installation, workloadId, workload?.config.health, signal);
    return status.instances.find((instance) => instance.containerId === container.id)?.health !== 'unhealthy';
  };
  const engine = {
    dataDir,
    installation,
    hostId,
    fs: new NodeFsPort(),
    docker,
    registry,
    scopeContext,
    key: await loadOrCreateKey(path.join(dataDir, 'keys', 'archive')),
    clock,
    log,
    mutex: new WorkloadMutex(),
  };
  const captureEngine = createCaptureEngine(engine);
  return {
    settings,
    dataDir,
    log,
    clock,
    newId,
    state,
    installation,
    hostId,
    registry,
    docker,
    deployer,
    restoreEngine: createRestoreEngine({ ...engine, healthOf }),
    captureEngine,
    importEngine: createImportEngine({ ...engine, capture: captureEngine }),
    archiveKey: engine.key,
    scopeContext,
  };
}

const ROOT_FRESH_MS = 10_000;
const ROOT_KEY = 'docker-root';

/** What a volume must never touch (I13). Docker's data root is remembered: a daemon that is away forbids what it forbade. */
function scopeContexts(
  settings: Settings,
  dataDir: string,
  docker: DockerPort,
  state: State,
): (workloadId: string) => Promise<ScopeContext> {
  let known: { readonly root: string; readonly at: number } | null = null;
  const dockerRoot = async (): Promise<string> => {
    if (known && performance.now() - known.at < ROOT_FRESH_MS) return known.root;
    try {
      const { rootDir } = await docker.info(AbortSignal.timeout(5_000));
      if ((await state.meta.get(ROOT_KEY)) !== rootDir) await state.meta.set(ROOT_KEY, rootDir);
      known = { root: rootDir, at: performance.now() };
      return rootDir;
    } catch (error) {
      const remembered = await state.meta.get(ROOT_KEY);
      if (remembered === null || !isForgeError(error) || error.code !== 'DOCKER_AWAY') throw error;
      return remembered;
    }
  };
  return async (workloadId) => ({
    dataDir,
    workloadId,
    allowedRoots: settings.allowedRoots,
    forbidden: [
      { path: dataDir, what: 'the data folder of Tiny Forge' },
      { path: await dockerRoot(), what: "Docker's data root" },
      { path: CHECKOUT, what: 'the checkout of Tiny Forge' },
    ],
  });
}
