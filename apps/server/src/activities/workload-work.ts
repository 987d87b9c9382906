import { ForgeError, type ImageRef, type SituationApp } from '@tiny-forge/contracts/domain';
import type { DeployCause, DispatchResult } from '@tiny-forge/deployer';
import type { SourceWorkload } from '@tiny-forge/plugin-api';
import type { WorkloadAtRevision } from '@tiny-forge/volsnap';
import type { WorkloadRecord } from '../state/index.ts';
import type { HostParts } from './host-parts.ts';

export interface DispatchRequest {
  readonly record: WorkloadRecord;
  /** The operation whose label the containers carry and whose own journal may start them. */
  readonly operationId: string;
  readonly cause: DeployCause;
  readonly pinnedImage: ImageRef | null;
  readonly restartPolicy: 'unless-stopped' | 'no';
  readonly signal: AbortSignal;
}

/** The living workload at its current revision. @throws WORKLOAD_GONE */
export async function livingWorkload(parts: HostParts, workloadId: string): Promise<WorkloadRecord> {
  const record = await parts.state.workloads.get(workloadId);
  if (!record) throw new ForgeError({ code: 'WORKLOAD_GONE' });
  return record;
}

/** The config an operation has frozen. @throws WORKLOAD_GONE */
export async function frozenWorkload(parts: HostParts, workloadId: string, revision: number): Promise<WorkloadRecord> {
  const record = await parts.state.workloads.atRevision(workloadId, revision);
  if (!record) throw new ForgeError({ code: 'WORKLOAD_GONE' });
  return record;
}

export const atRevision = (record: WorkloadRecord): WorkloadAtRevision => ({
  id: record.id,
  revision: record.revision,
  name: record.config.name,
  project: record.config.project,
  stage: record.config.stage,
  config: record.config,
});

/** Held while an operation needs an operator: nothing of it may be started, captured or removed. @throws WORKLOAD_HELD */
export async function assertNotHeld(parts: HostParts, workloadId: string, operationId: string): Promise<void> {
  const holder = await parts.restoreEngine.heldBy(workloadId);
  if (holder !== null && holder !== operationId) {
    throw new ForgeError({ code: 'WORKLOAD_HELD', params: { operationId: holder } });
  }
}

/** The one dispatch; its outcome becomes a row of `deployments`. */
export async function dispatch(parts: HostParts, request: DispatchRequest): Promise<DispatchResult> {
  const { record, operationId, cause, pinnedImage, restartPolicy, signal } = request;
  const env = await parts.state.workloads.env(record.id, record.revision);
  const workload: SourceWorkload = { ...record.config, id: record.id, env };
  const result = await parts.deployer.dispatch({
    workload,
    revision: record.revision,
    installation: parts.installation,
    operationId,
    cause,
    pinnedImage,
    restartPolicy,
    context: await parts.scopeContext(record.id),
    signal,
    guard: parts.restoreEngine,
  });
  const last = await parts.state.deployments.lastGood(record.id);
  if (last?.operationId !== operationId) {
    await parts.state.deployments.add({
      workloadId: record.id,
      operationId,
      revision: record.revision,
      image: result.image,
      good: true,
    });
  }
  return result;
}

const APP_OF_STATUS: Readonly<Record<string, SituationApp>> = {
  running: 'running',
  degraded: 'unhealthy',
  stopped: 'stopped',
  absent: 'absent',
};

export async function appState(parts: HostParts, record: WorkloadRecord, signal: AbortSignal): Promise<SituationApp> {
  const { state } = await parts.deployer.status(parts.installation, record.id, record.config.health, signal);
  return APP_OF_STATUS[state] ?? 'absent';
}
