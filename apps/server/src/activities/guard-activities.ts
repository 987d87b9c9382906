import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import type { Logger } from 'pino';
import { ForgeError, isForgeError, type StepProgress } from '@tiny-forge/contracts/domain';
import type { Job } from '@tiny-forge/workflows';
import { applicationFailure, isCancellation, type FailureExtras } from './activity-failure.ts';

/** A third of the heartbeat time-out. From a timer on the main thread: engine I/O runs in worker threads. */
const HEARTBEAT_MS = 10_000;

export interface ActivityContext {
  /** Aborts when the operation is aborted, the worker stops, or Temporal gave the attempt up. */
  readonly signal: AbortSignal;
  readonly onProgress: (progress: StepProgress) => void;
}

export interface GuardOptions {
  readonly log: Logger;
  readonly newId: () => string;
  /** Host activities: whose work this worker does. null: control activities, which belong to no host. */
  readonly host: { readonly installation: string; readonly hostId: string } | null;
  /** Told of every progress, and with null of the end of the activity. */
  readonly onProgress?: (operationId: string, step: string, progress: StepProgress | null) => void;
  /** What the journal adds to a failure. */
  readonly extras?: (step: string, request: unknown, error: ForgeError) => Promise<FailureExtras>;
  readonly heartbeatMs?: number;
}

type Guarded<T> = {
  [K in keyof T]: T[K] extends (request: infer R, context: ActivityContext) => infer A ? (request: R) => A : never;
};

/**
 * Makes activities of plain functions: refuses another host's work before anything is touched, heartbeats from a timer, hands in the signal and
 * turns every error into the one shape the workflow reads. Errors of ours are never retried by Temporal; a cancelled attempt is reported as
 * such, so that it is handed back at once when the worker stops.
 */
export function guardActivities<T extends object>(activities: T, options: GuardOptions): Guarded<T> {
  const guarded = Object.entries(activities).map(([name, run]) => [
    name,
    (request: unknown) =>
      attempt(name, run as (request: unknown, context: ActivityContext) => unknown, request, options),
  ]);
  return Object.fromEntries(guarded) as Guarded<T>;
}

async function attempt(
  step: string,
  run: (request: unknown, context: ActivityContext) => unknown,
  request: unknown,
  options: GuardOptions,
): Promise<unknown> {
  const context = Context.current();
  let progress: StepProgress | null = null;
  const timer = setInterval(() => context.heartbeat(progress), options.heartbeatMs ?? HEARTBEAT_MS);
  const job = (request as { job?: Job } | undefined)?.job;
  try {
    if (options.host !== null) assertOurs(job, options.host);
    return await run(request, {
      signal: context.cancellationSignal,
      onProgress: (next) => {
        progress = next;
        if (job) options.onProgress?.(job.operationId, step, next);
      },
    });
  } catch (error) {
    if (context.cancellationSignal.aborted && isCancellation(error)) return await context.cancelled;
    throw await failureOf(error, step, request, options);
  } finally {
    clearInterval(timer);
    if (job && progress !== null) options.onProgress?.(job.operationId, step, null);
  }
}

async function failureOf(error: unknown, step: string, request: unknown, options: GuardOptions): Promise<Error> {
  if (error instanceof ApplicationFailure) return error;
  if (isForgeError(error)) {
    const extras = await options.extras?.(step, request, error).catch(() => ({}));
    return applicationFailure(error, extras);
  }
  const reportId = options.newId();
  const message = error instanceof Error ? error.message : String(error);
  options.log.error({ part: 'activities', step, reportId, err: error }, 'an activity failed unexpectedly');
  // Control activities only touch our own tables: what is wrong with them passes, and Temporal repeats them for ever.
  if (options.host === null) return error instanceof Error ? error : new Error(message);
  return applicationFailure(new ForgeError({ code: 'INTERNAL', params: { reportId }, cause: error }));
}

function assertOurs(job: Job | undefined, host: { readonly installation: string; readonly hostId: string }): void {
  if (job?.installation === host.installation && job.hostId === host.hostId) return;
  throw new ForgeError({
    code: 'WRONG_HOST',
    params: { host: host.hostId, expected: job?.hostId ?? 'unknown' },
  });
}
