import { setTimeout as sleep } from 'node:timers/promises';
import { ForgeError } from '@tiny-forge/contracts/domain';
import type { ContainerSummary, DockerPort } from '@tiny-forge/docker';
import type { PluginRegistry, QuiesceSession } from '@tiny-forge/plugin-api';
import type { Clock, EngineLog } from '../environment.ts';
import { instanceLabels } from '../plan/directory-users.ts';
import type { CaptureInput } from '../restore-engine.ts';
import type { PauseRecord, PauseRecords } from './pause-record.ts';

export interface QuiesceParts {
  readonly installation: string;
  readonly docker: DockerPort;
  readonly registry: PluginRegistry;
  readonly pauses: PauseRecords;
  readonly clock: Clock;
  readonly log: EngineLog;
}

const RESUME_ATTEMPTS = 5;
const PAUSE_SHOWS_MS = 1_000;

/** A pause that was lifted a moment ago may still show: such an instance runs, and must be paused again. */
async function settledInstances(
  parts: QuiesceParts,
  workloadId: string,
  signal: AbortSignal,
): Promise<readonly ContainerSummary[]> {
  const labels = instanceLabels(parts.installation, workloadId);
  const found = await parts.docker.listContainers(labels, signal);
  if (!found.some((one) => one.state === 'paused')) return found;
  await sleep(PAUSE_SHOWS_MS, undefined, { signal });
  return parts.docker.listContainers(labels, signal);
}

/**
 * Runs `work` while the workload's instances are paused or stopped. They are brought back whatever happens, not even an abort keeps them still; a
 * record on disk lets `resumeRecorded` do it after a kill.
 * @param before what is to be done while they still run; not called where none does
 * @throws PAUSE_TOO_LONG when a pause reached the workload's limit: `work` was aborted, the app goes on
 */
export async function whileQuiesced<T>(
  parts: QuiesceParts,
  input: CaptureInput,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
  before: () => Promise<void>,
): Promise<T> {
  const { workload, quiesce: mode, snapshotId } = input;
  const look = async (): Promise<readonly ContainerSummary[]> => {
    const instances = await settledInstances(parts, workload.id, signal);
    return instances.filter((one) => one.state === 'running' || one.state === 'restarting');
  };
  if (mode === 'none' || (await look()).length === 0) return work(signal);
  await before();
  // That took its time: an instance may have come or gone.
  const running = await look();
  if (running.length === 0) return work(signal);

  const { stopTimeoutSeconds, maxPauseSeconds, source } = workload.config;
  const record: PauseRecord = {
    snapshotId,
    workloadId: workload.id,
    sourceType: source.type,
    mode,
    containers: running.map((one) => one.id),
    restarting: running.filter((one) => one.state === 'restarting').map((one) => one.id),
    stopTimeoutSeconds,
    at: parts.clock.now().toISOString(),
  };
  await parts.pauses.write(record);
  const limit = new AbortController();
  const timer = mode === 'pause' ? setTimeout(() => limit.abort(), maxPauseSeconds * 1000) : undefined;
  const both = AbortSignal.any([signal, limit.signal]);
  try {
    await parts.registry.sourceType(source.type).instance.quiesce(session(parts, record, running, both));
    return await work(both);
  } catch (error) {
    if (!limit.signal.aborted || signal.aborted) throw error;
    throw new ForgeError({ code: 'PAUSE_TOO_LONG', params: { seconds: maxPauseSeconds }, cause: error });
  } finally {
    clearTimeout(timer);
    await resumeRecorded(parts, record, RESUME_ATTEMPTS);
  }
}

/** Brings back what a record names; the record goes when all of it is back. @throws DOCKER_AWAY */
export async function resumeRecorded(parts: QuiesceParts, record: PauseRecord, attempts: number): Promise<void> {
  // Not the caller's signal: an aborted capture must still unpause.
  const signal = AbortSignal.timeout(60_000);
  for (let attempt = 1; ; attempt++) {
    try {
      const all = await parts.docker.listContainers(instanceLabels(parts.installation, record.workloadId), signal);
      const containers = all
        .filter((one) => record.containers.includes(one.id))
        .map((one) => (record.restarting.includes(one.id) ? { ...one, state: 'restarting' as const } : one));
      const { instance } = parts.registry.sourceType(record.sourceType);
      await instance.resume(session(parts, record, containers, signal), record.containers);
      break;
    } catch (error) {
      if (attempt >= attempts) throw error;
      parts.log.warn({ snapshot: record.snapshotId, err: error }, 'bringing the app back failed; trying again');
      await sleep(1000);
    }
  }
  await parts.pauses.remove(record.snapshotId);
}

const session = (
  { docker }: QuiesceParts,
  { mode, stopTimeoutSeconds }: PauseRecord,
  containers: readonly ContainerSummary[],
  signal: AbortSignal,
): QuiesceSession => ({ docker, mode, containers, stopTimeoutSeconds, signal });
