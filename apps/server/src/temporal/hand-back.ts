import { WorkflowNotFoundError, type Client } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import type { Logger } from 'pino';
import { workflowIds } from '@tiny-forge/contracts/domain';
import type { State } from '../state/index.ts';
import { workerIdentity } from './workers.ts';

const STARTED = 2;
const DEADLINE_MS = 10_000;

export interface HandBackOptions {
  readonly client: Client;
  readonly installation: string;
  readonly hostId: string;
  readonly bootId: string;
  readonly state: State;
  readonly log: Logger;
}

/**
 * Activities that an earlier, killed life of this host still holds are failed in its name, so that they are tried again at once and not after the
 * heartbeat time-out. Safe because the lock on the data folder proves that life over; best effort, for the time-out does the same later.
 */
export async function handBackOfEarlierLives(options: HandBackOptions): Promise<void> {
  const { client, state, log } = options;
  const rows = (await state.operations.open()).filter((row) => row.begunAt !== null || row.acceptedAt !== null);
  const workflows = new Set(rows.map((row) => workflowIds.operation(options.installation, row.id)));
  for (const row of rows) workflows.add(workflowIds.lane(options.installation, row.workloadId));
  for (const workflowId of workflows) {
    await client
      .withDeadline(Date.now() + DEADLINE_MS, () => handBack(options, workflowId))
      .catch((error: unknown) => {
        if (error instanceof WorkflowNotFoundError) return;
        const why = error instanceof Error ? error.message : String(error);
        log.debug({ part: 'workers', workflowId, why }, 'not handed back; its time-out will');
      });
  }
}

async function handBack({ client, hostId, bootId, log }: HandBackOptions, workflowId: string): Promise<void> {
  const { raw, runId } = await client.workflow.getHandle(workflowId).describe();
  const own = workerIdentity(hostId, '');
  for (const activity of raw.pendingActivities ?? []) {
    const { lastWorkerIdentity, activityId, state } = activity;
    if (Number(state) !== STARTED || !activityId || !lastWorkerIdentity?.startsWith(own)) continue;
    if (lastWorkerIdentity === workerIdentity(hostId, bootId)) continue;
    await client.activity.fail(
      { workflowId, runId, activityId },
      ApplicationFailure.retryable('the server ended while it ran', 'WORKER_LOST'),
    );
    log.info({ part: 'workers', workflowId, activity: activity.activityType?.name }, 'handed back');
  }
}
