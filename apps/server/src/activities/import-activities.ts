import { ForgeError } from '@tiny-forge/contracts/domain';
import type { HostActivities } from '@tiny-forge/workflows';
import type { HostParts } from './host-parts.ts';
import type { WithContext } from './restore-activities.ts';
import { appState, atRevision, livingWorkload } from './workload-work.ts';

/** An upload into a snapshot. Touches neither the app nor its data, so a held workload may have one. */
export function importActivities(parts: HostParts): WithContext<HostActivities, 'importSnapshot' | 'discardImport'> {
  const { state, importEngine } = parts;
  return {
    importSnapshot: async ({ job, snapshotId, upload }, context) => {
      const record = await livingWorkload(parts, job.workloadId);
      const row = await state.snapshots.get(snapshotId);
      if (!row) throw new ForgeError({ code: 'NOT_FOUND', params: { what: `snapshot ${snapshotId}` } });
      const { id: uploadId, profile, links, target } = upload;
      const made = await importEngine.import(
        { workload: atRevision(record), snapshotId, uploadId, profile, links, target, codec: row.codec },
        context,
      );
      if (!(await state.snapshots.complete(snapshotId, { ...made, image: null, codec: row.codec }))) {
        throw new ForgeError({ code: 'NOT_FOUND', params: { what: `snapshot ${snapshotId}` } });
      }
      const app = await appState(parts, record, context.signal);
      return { app, contentBytes: made.contentBytes, entries: made.entries };
    },

    discardImport: ({ job, snapshotId, uploadId }) =>
      importEngine.discard({ workloadId: job.workloadId, snapshotId, uploadId }),
  };
}
