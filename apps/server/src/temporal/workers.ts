import type { Client } from '@temporalio/client';
import { Worker, type NativeConnection, type WorkerOptions } from '@temporalio/worker';
import type { Logger } from 'pino';
import { taskQueues } from '@tiny-forge/contracts/domain';
import type { ControlActivities, HostActivities } from '@tiny-forge/workflows';

export interface RunningWorkers {
  /** Why a worker ended by itself; null while all run. */
  readonly failure: string | null;
  /** Running activities finish within the grace time or are handed back; resolves when all is quiet. Idempotent. */
  stop(): Promise<void>;
}

export type StartWorkers = (connection: NativeConnection, client: Client) => Promise<RunningWorkers>;

export interface WorkersOptions {
  readonly installation: string;
  readonly hostId: string;
  readonly namespace: string;
  /** Differs at each start, so that what an earlier life left behind is recognised. */
  readonly bootId: string;
  readonly roles: readonly ('control' | 'host')[];
  readonly bundle: { readonly code: string };
  readonly control: (client: Client) => ControlActivities;
  /** null without the host role. */
  readonly host: HostActivities | null;
  readonly log: Logger;
  /** How long a stop lets running activities finish before it hands them back, ms. */
  readonly graceMs?: number;
}

const GRACE_MS = 4_000;
/** After the hand-back signal engines end their I/O; only a hang meets this. */
const FORCE_MS = 10_000;
/** 80 % of the heartbeat time-out would be 24 s: too close to it. */
const HEARTBEAT_THROTTLE = '10s';

export const workerIdentity = (hostId: string, bootId: string): string => `tf/${hostId}/${bootId}`;

export function workersOf(options: WorkersOptions): StartWorkers {
  return async (connection, client) => {
    const workers: Worker[] = [];
    const common: Omit<WorkerOptions, 'taskQueue'> = {
      connection,
      namespace: options.namespace,
      identity: workerIdentity(options.hostId, options.bootId),
      shutdownGraceTime: options.graceMs ?? GRACE_MS,
      shutdownForceTime: (options.graceMs ?? GRACE_MS) + FORCE_MS,
      maxHeartbeatThrottleInterval: HEARTBEAT_THROTTLE,
      defaultHeartbeatThrottleInterval: HEARTBEAT_THROTTLE,
    };
    if (options.roles.includes('control')) {
      workers.push(
        await Worker.create({
          ...common,
          taskQueue: taskQueues.control(options.installation),
          workflowBundle: options.bundle,
          activities: options.control(client),
          maxConcurrentActivityTaskExecutions: 200,
          maxCachedWorkflows: 200,
          // A killed life's queue looks alive to Temporal for 10 s. A submit that waited there so long would have been answered 503.
          stickyQueueScheduleToStartTimeout: '500ms',
          reuseV8Context: true,
        }),
      );
    }
    if (options.roles.includes('host') && options.host) {
      workers.push(
        await Worker.create({
          ...common,
          taskQueue: taskQueues.host(options.installation, options.hostId),
          activities: options.host,
          maxConcurrentActivityTaskExecutions: 32,
        }),
      );
    }
    return running(workers, connection, options.log);
  };
}

function running(workers: readonly Worker[], connection: NativeConnection, log: Logger): RunningWorkers {
  let failure: string | null = null;
  let stopping = false;
  const runs = workers.map((worker) =>
    worker.run().catch((error: unknown) => {
      const why = error instanceof Error ? error.message : String(error);
      if (!stopping) failure = why.slice(0, 300);
      log.error({ part: 'workers', why: why.slice(0, 300) }, 'a worker ended');
    }),
  );
  let stopped: Promise<void> | null = null;
  return {
    get failure() {
      return failure;
    },
    stop: () =>
      (stopped ??= (async () => {
        stopping = true;
        for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
        await Promise.all(runs);
        await connection.close();
      })()),
  };
}
