import { rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { readFile } from 'node:fs/promises';
import { ForgeError, isForgeError, type ImageRef } from '@tiny-forge/contracts/domain';
import { parseMountinfo } from '@tiny-forge/docker';
import { resolveVolumes } from '@tiny-forge/plugin-api';
import type { HostActivities } from '@tiny-forge/workflows';
import type { WorkloadRecord } from '../state/index.ts';
import type { HostParts } from './host-parts.ts';
import type { WithContext } from './restore-activities.ts';
import { appState, assertNotHeld, atRevision, dispatch, livingWorkload } from './workload-work.ts';

type WorkloadActivity = 'deploy' | 'undoDeploy' | 'stopApp' | 'startApp' | 'capture' | 'deleteWorkload';

/** Errors of a deploy that come before anything was made, stopped or removed. */
const UNTOUCHED = new Set([
  'IMAGE_MISSING',
  'VALIDATION_FAILED',
  'VOLUME_MISSING',
  'VOLUME_OUTSIDE_ROOTS',
  'VOLUME_PATH_UNSAFE',
  'VOLUME_FORBIDDEN',
  'VOLUME_OVERLAP',
  'VOLUME_IN_USE',
  'UNKNOWN_SCOPE',
  'UNKNOWN_SOURCE_TYPE',
  'WORKLOAD_HELD',
  'WORKLOAD_GONE',
]);
export const isUntouched = (code: string): boolean => UNTOUCHED.has(code);

/** The kinds of one step. */
export function workloadActivities(parts: HostParts): WithContext<HostActivities, WorkloadActivity> {
  const { installation, deployer, state } = parts;

  const bringUp = async (
    job: { readonly workloadId: string; readonly operationId: string },
    cause: 'deploy' | 'start',
    signal: AbortSignal,
  ) => {
    await assertNotHeld(parts, job.workloadId, job.operationId);
    const record = await livingWorkload(parts, job.workloadId);
    const { changed } = await dispatch(parts, {
      record,
      operationId: job.operationId,
      cause,
      pinnedImage: null,
      restartPolicy: 'unless-stopped',
      signal,
    });
    return { app: await appState(parts, record, signal), changed };
  };

  return {
    deploy: ({ job }, { signal }) => bringUp(job, 'deploy', signal),
    startApp: ({ job }, { signal }) => bringUp(job, 'start', signal),

    // The dispatch takes back what it did; what is left is what a killed server left.
    undoDeploy: async ({ job }, { signal }) => {
      const record = await state.workloads.getEvenDeleted(job.workloadId);
      if (!record) {
        await deployer.removeByOperation(installation, job.workloadId, job.operationId, { signal });
        return { app: 'absent' };
      }
      const { volumes, stopTimeoutSeconds } = record.config;
      await deployer.revertDispatch({
        workload: { id: record.id, volumes, stopTimeoutSeconds },
        installation,
        operationId: job.operationId,
        context: await parts.scopeContext(record.id),
        guard: parts.restoreEngine,
        signal,
      });
      return { app: await appState(parts, record, signal) };
    },

    stopApp: async ({ job }, { signal }) => {
      const record = await livingWorkload(parts, job.workloadId);
      await deployer.stopWorkload({
        installation,
        workloadId: record.id,
        timeoutSeconds: record.config.stopTimeoutSeconds,
        signal,
      });
      return { app: await appState(parts, record, signal) };
    },

    capture: async ({ job, snapshotId, quiesce }, context) => {
      await assertNotHeld(parts, job.workloadId, job.operationId);
      const record = await livingWorkload(parts, job.workloadId);
      const row = await state.snapshots.get(snapshotId);
      if (!row) throw new ForgeError({ code: 'NOT_FOUND', params: { what: `snapshot ${snapshotId}` } });
      const image = await runningImage(parts, record, context.signal);
      const captured = await parts.captureEngine.capture(
        {
          workload: atRevision(record),
          snapshotId,
          kind: 'manual',
          quiesce,
          codec: row.codec,
          links: 'by-volume',
          targets: null,
          reserve: true,
        },
        context,
      );
      if (!(await state.snapshots.complete(snapshotId, { ...captured, image, codec: row.codec }))) {
        throw new ForgeError({ code: 'NOT_FOUND', params: { what: `snapshot ${snapshotId}` } });
      }
      const app = await appState(parts, record, context.signal);
      return { app, contentBytes: captured.contentBytes, entries: captured.entries };
    },

    deleteWorkload: async ({ job, deleteData }, { signal }) => {
      await assertNotHeld(parts, job.workloadId, job.operationId);
      const record = await state.workloads.getEvenDeleted(job.workloadId);
      if (!record) throw new ForgeError({ code: 'WORKLOAD_GONE' });
      const { stopTimeoutSeconds: timeoutSeconds } = record.config;
      await deployer.removeWorkload({ installation, workloadId: record.id, timeoutSeconds, signal });
      if (deleteData) await deleteVolumes(parts, record, job.operationId);
      await state.workloads.markDeleted(record.id);
    },
  };
}

/** null: nothing runs. */
async function runningImage(parts: HostParts, record: WorkloadRecord, signal: AbortSignal): Promise<ImageRef | null> {
  const { instances } = await parts.deployer.status(parts.installation, record.id, undefined, signal);
  const running = instances.find((instance) => instance.state === 'running');
  return running ? { reference: running.image, imageId: running.imageId, digest: running.digest } : null;
}

/** Only directories whose scope allows it, that no other workload lives in, and that nothing is mounted below. */
async function deleteVolumes(parts: HostParts, record: WorkloadRecord, operationId: string): Promise<void> {
  const mine = await hostPaths(parts, record, true);
  const others = (await parts.state.workloads.all()).filter((other) => other.id !== record.id);
  const used = (await Promise.all(others.map((other) => hostPaths(parts, other, false)))).flat();
  const mounts = parseMountinfo(await readFile('/proc/self/mountinfo', 'utf8')).map((entry) => entry.mountPoint);
  for (const hostPath of mine) {
    if (used.some((other) => meets(other, hostPath))) continue;
    const mount = mounts.find((point) => point === hostPath || point.startsWith(`${hostPath}/`));
    if (mount !== undefined) throw new ForgeError({ code: 'VOLUME_IS_MOUNT_POINT', params: { path: hostPath, mount } });
    const trash = path.join(path.dirname(hostPath), `.trash-${operationId}-${path.basename(hostPath)}`);
    await rename(hostPath, trash).catch(ignoreAbsent);
    await rm(trash, { recursive: true, force: true });
  }
}

async function hostPaths(parts: HostParts, record: WorkloadRecord, deletableOnly: boolean): Promise<readonly string[]> {
  try {
    const volumes = await resolveVolumes(record.config.volumes, parts.registry, await parts.scopeContext(record.id));
    return volumes
      .filter(({ resolved }) => !deletableOnly || resolved.capabilities.deletable)
      .map(({ resolved }) => resolved.hostPath);
  } catch (error) {
    // Another workload whose paths are refused today uses none of them.
    if (!deletableOnly && isForgeError(error)) return [];
    throw error;
  }
}

const meets = (one: string, other: string): boolean =>
  one === other || one.startsWith(`${other}/`) || other.startsWith(`${one}/`);

function ignoreAbsent(error: unknown): void {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
}
