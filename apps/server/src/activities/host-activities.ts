import type { HostActivities } from '@tiny-forge/workflows';
import type { ProgressMemory } from '../temporal/progress-memory.ts';
import { guardActivities, type ActivityContext } from './guard-activities.ts';
import type { HostParts } from './host-parts.ts';
import { importActivities } from './import-activities.ts';
import { journalExtras, restoreActivities } from './restore-activities.ts';
import { isUntouched, workloadActivities } from './workload-activities.ts';
import { WorkloadTurns } from './workload-turns.ts';

/** All activities of the host's queue, guarded, one at a time per workload. */
export function hostActivities(
  parts: HostParts,
  options: { readonly progress: ProgressMemory; readonly heartbeatMs?: number },
): HostActivities {
  const turns = new WorkloadTurns();
  const own = { ...restoreActivities(parts), ...workloadActivities(parts), ...importActivities(parts) };
  const serial = Object.fromEntries(
    Object.entries(own).map(([name, run]) => [
      name,
      (request: { job: { workloadId: string } }, context: ActivityContext) =>
        turns.run(request.job.workloadId, context.signal, (signal) =>
          (run as (request: unknown, context: ActivityContext) => Promise<unknown>)(request, { ...context, signal }),
        ),
    ]),
  ) as unknown as typeof own;
  return guardActivities(serial, {
    log: parts.log,
    newId: parts.newId,
    host: { installation: parts.installation, hostId: parts.hostId },
    onProgress: (operationId, step, progress) =>
      progress === null ? options.progress.clear(operationId, step) : options.progress.set(operationId, step, progress),
    extras: async (step, request, error) =>
      step === 'deploy' ? { untouched: isUntouched(error.code) } : journalExtras(parts, step, request),
    ...(options.heartbeatMs === undefined ? {} : { heartbeatMs: options.heartbeatMs }),
  });
}
