import type { Logger } from 'pino';
import type { Settings } from '@tiny-forge/contracts/domain';
import { controlActivities } from '../activities/control-activities.ts';
import { guardActivities } from '../activities/guard-activities.ts';
import { hostActivities } from '../activities/host-activities.ts';
import type { HostParts } from '../activities/host-parts.ts';
import { Reconciler } from '../recovery/reconciler.ts';
import type { Clock, State } from '../state/index.ts';
import { handBackOfEarlierLives } from './hand-back.ts';
import { ProgressMemory } from './progress-memory.ts';
import { installRuntime } from './runtime.ts';
import { TemporalGateway } from './temporal-gateway.ts';
import { TemporalLink } from './temporal-link.ts';
import { loadBundle } from './workflow-bundle.ts';
import { workersOf } from './workers.ts';
import type { SubmitTimes } from './operation-submit.ts';
import type { Timings } from '@tiny-forge/workflows';

export interface OperationsRuntimeOptions {
  readonly settings: Settings;
  readonly installation: string;
  readonly hostId: string;
  readonly state: State;
  readonly clock: Clock;
  readonly newId: () => string;
  readonly log: Logger;
  /** What the host role works with; unused by the others. */
  readonly host: Omit<HostParts, 'installation' | 'hostId' | 'settings' | 'state' | 'clock' | 'newId' | 'log'> | null;
  /** For tests. */
  readonly times?: Partial<SubmitTimes>;
  readonly timings?: Partial<Timings>;
  readonly reconcileEveryMs?: number;
  readonly graceMs?: number;
  readonly heartbeatMs?: number;
}

/** The running side of one process: its tie to Temporal, its workers by role, the gateway that REST uses, and the reconciler. */
export interface OperationsRuntime {
  readonly gateway: TemporalGateway;
  readonly reconciler: Reconciler;
  /** After the sweep of the host role: from now on its workers poll. Returns at once; `gateway.health` tells. */
  start(): void;
  /** Running activities finish or are handed back. Idempotent. */
  stop(): Promise<void>;
}

export function createOperationsRuntime(options: OperationsRuntimeOptions): OperationsRuntime {
  const { settings, installation, hostId, state, clock, newId, log } = options;
  installRuntime(log);
  const progress = new ProgressMemory();
  const roles = rolesOf(settings.role);
  const bootId = newId();
  const hostParts: HostParts | null = options.host
    ? { ...options.host, installation, hostId, settings, state, clock, newId, log }
    : null;
  if (roles.includes('host') && hostParts === null) throw new Error('the host role needs its engines');

  const link: TemporalLink = new TemporalLink({
    settings: settings.temporal,
    log,
    startWorkers:
      roles.length === 0
        ? null
        : async (connection, client) => {
            if (roles.includes('host'))
              await handBackOfEarlierLives({ client, installation, hostId, bootId, state, log });
            return workersOf({
              installation,
              hostId,
              namespace: settings.temporal.namespace,
              bootId,
              roles,
              bundle: roles.includes('control') ? await loadBundle() : { code: '' },
              control: (worker) =>
                guardActivities(controlActivities({ state, clock, client: worker, log, installation }), {
                  log,
                  newId,
                  host: null,
                  ...(options.heartbeatMs === undefined ? {} : { heartbeatMs: options.heartbeatMs }),
                }),
              host: hostParts
                ? hostActivities(hostParts, {
                    progress,
                    ...(options.heartbeatMs === undefined ? {} : { heartbeatMs: options.heartbeatMs }),
                  })
                : null,
              log,
              ...(options.graceMs === undefined ? {} : { graceMs: options.graceMs }),
            })(connection, client);
          },
    onConnected: () => reconciler.run(),
  });
  const gateway: TemporalGateway = new TemporalGateway({
    state,
    clock,
    installation,
    hostId,
    link,
    progress,
    log,
    ...(options.times === undefined ? {} : { times: options.times }),
    ...(options.timings === undefined ? {} : { timings: options.timings }),
  });
  const reconciler: Reconciler = new Reconciler({
    state,
    clock,
    newId,
    log,
    installation,
    hostId,
    engine: roles.includes('host') && options.host ? options.host.restoreEngine : null,
    client: () => link.client,
    lane: () => gateway.lane(),
    submit: (input) => gateway.submit(input),
    ...(options.reconcileEveryMs === undefined ? {} : { everyMs: options.reconcileEveryMs }),
  });
  return {
    gateway,
    reconciler,
    start: () => {
      link.start();
      // One process on a data folder settles rows: the one that knows the journals.
      if (roles.includes('host')) reconciler.start();
    },
    stop: async () => {
      await reconciler.stop();
      await link.stop();
    },
  };
}

function rolesOf(role: Settings['role']): readonly ('control' | 'host')[] {
  if (role === 'api') return [];
  return role === 'all' ? ['control', 'host'] : [role];
}
