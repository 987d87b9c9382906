import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { ContainerSummary, DockerPort } from '@tiny-forge/docker';
import { testDocker, type TestDocker } from '@tiny-forge/docker/testing';
import { PluginRegistry, type ScopeContext, type SourceWorkload } from '@tiny-forge/plugin-api';
import { fakeSourceType, fakeVolumeScope } from '@tiny-forge/plugin-api/testing';
import { systemClock, type Clock } from '../clock.ts';
import { Deployer, type DispatchInput, type DispatchResult } from '../deployer.ts';
import { listInstances, type WorkloadKey } from '../workload-containers.ts';

/** What tests of the deployer stand on: the real Engine, a directory, one scope and one source type. */
export interface DeployBench {
  readonly docker: TestDocker;
  readonly deployer: Deployer;
  readonly base: string;
  readonly tag: string;
  readonly imageId: string;
  readonly signal: AbortSignal;
  deployerOn(port: DockerPort): Deployer;
  workload(more?: Partial<SourceWorkload>): SourceWorkload;
  input(more: Partial<DispatchInput> & Pick<DispatchInput, 'workload'>): DispatchInput;
  dispatch(more: Partial<DispatchInput> & Pick<DispatchInput, 'workload'>): Promise<DispatchResult>;
  instances(workloadId: string): Promise<ContainerSummary[]>;
  key(workload: SourceWorkload): WorkloadKey;
  close(): Promise<void>;
}

/** @param options.hasty waits between attempts and probes are cut to 20 ms */
export async function deployBench(options: { readonly hasty?: boolean } = {}): Promise<DeployBench> {
  const docker = testDocker();
  const base = await mkdtemp(path.join(tmpdir(), 'tf-deployer-'));
  const image = await docker.image();
  const registry = new PluginRegistry([
    fakeVolumeScope(base),
    fakeVolumeScope(base, { id: 'fixed', capabilities: { createsDirectory: false } }),
    fakeSourceType(),
  ]);
  const signal = new AbortController().signal;
  const clock: Clock = options.hasty
    ? { ...systemClock, sleep: (milliseconds, aborted) => systemClock.sleep(Math.min(milliseconds, 20), aborted) }
    : systemClock;
  const deployerOn = (port: DockerPort): Deployer => new Deployer({ docker: port, registry, clock });
  const deployer = deployerOn(docker.docker);
  const context = (workloadId: string): ScopeContext => ({
    dataDir: '/nonexistent',
    workloadId,
    allowedRoots: [],
    forbidden: [],
  });
  const input: DeployBench['input'] = (more) => ({
    revision: 1,
    installation: docker.installation,
    operationId: 'op-1',
    cause: 'deploy',
    pinnedImage: null,
    restartPolicy: 'unless-stopped',
    context: context(more.workload.id),
    signal,
    guard: { assertMayStart: async () => {} },
    ...more,
  });
  return {
    docker,
    deployer,
    base,
    tag: image.tag,
    imageId: image.id,
    signal,
    deployerOn,
    workload: (more = {}) => ({
      id: randomUUID(),
      name: `app-${randomUUID().slice(0, 8)}`,
      project: 'demo',
      stage: 'prod',
      host: 'local',
      source: { type: 'fake', image: image.tag, pull: 'never' },
      env: {},
      command: null,
      ports: [],
      volumes: [{ scope: 'fake', source: 'data', target: '/data', readOnly: false, links: 2, shared: false }],
      health: { type: 'stable', stableSeconds: 0, timeoutSeconds: 5, intervalSeconds: 1 },
      strategy: 'recreate',
      stopTimeoutSeconds: 2,
      maxPauseSeconds: 10,
      codec: null,
      ...more,
    }),
    input,
    dispatch: (more) => deployer.dispatch(input(more)),
    instances: (workloadId) => listInstances(docker.docker, { installation: docker.installation, workloadId }),
    key: (workload) => ({ installation: docker.installation, workloadId: workload.id }),
    async close() {
      await docker.cleanUp();
      await rm(base, { recursive: true, force: true });
    },
  };
}
