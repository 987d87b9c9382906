import path from 'node:path';
import { mountUsers, type DockerPort } from '@tiny-forge/docker';
import type { PluginRegistry, ScopeContext } from '@tiny-forge/plugin-api';
import type { EngineParts, HealthOf } from './engine-parts.ts';
import type { Clock, EngineLog } from './environment.ts';
import { assertMayStart, heldBy } from './holds.ts';
import { WorkloadMutex } from './host-mutex.ts';
import { txIdOf } from './journal/journal-name.ts';
import { JournalStore } from './journal/journal-store.ts';
import { collectKept, keptTrees } from './kept/kept-trees.ts';
import { statusOfFound } from './transaction-status.ts';
import { acceptVerdict, examine, needsOperator } from './operator.ts';
import type { MountUsers } from './plan/directory-users.ts';
import { DEFAULT_RESERVE, type ReserveRule } from './plan/space-needs.ts';
import type { ArchivePort } from './ports/archive-port.ts';
import { archiveSafePort } from './ports/archive-safe-port.ts';
import { asForgeError } from './ports/fs-error.ts';
import type { FsPort } from './ports/fs-port.ts';
import type { RestoreEngine } from './restore-engine.ts';
import { extract } from './steps/extract.ts';
import { finish } from './steps/finish.ts';
import { makePlan, preflight } from './steps/preflight.ts';
import { recordSafe, stop } from './steps/stop.ts';
import { assertMayRedeploy, swap } from './steps/swap.ts';
import { close, dropStaging, removeNew, resume, swapBack } from './steps/undo.ts';
import { sweep } from './sweep.ts';

export interface RestoreEngineOptions {
  /** Canonical TINY_FORGE_DATA; the caller holds its lock. */
  readonly dataDir: string;
  readonly installation: string;
  readonly hostId: string;
  readonly fs: FsPort;
  readonly docker: DockerPort;
  readonly registry: PluginRegistry;
  readonly scopeContext: (workloadId: string) => ScopeContext | Promise<ScopeContext>;
  /** Of the installation, for archives: 32 bytes. */
  readonly key: Buffer;
  readonly clock: Clock;
  readonly log: EngineLog;
  /** Give both engines of a host the same one. */
  readonly mutex?: WorkloadMutex;
  /** How a running app is asked for its health before it is stopped. Default: Docker's own health check alone. */
  readonly healthOf?: HealthOf;
  readonly reserve?: ReserveRule;
  readonly archive?: ArchivePort;
  readonly mountUsers?: MountUsers;
}

export function createRestoreEngine(options: RestoreEngineOptions): RestoreEngine {
  return engineOver(partsOf(options), options.mutex ?? new WorkloadMutex());
}

/** What the steps work with, made of what a host has. */
export function partsOf(options: RestoreEngineOptions): EngineParts {
  const { dataDir, installation, fs, docker, registry, scopeContext, clock, log } = options;
  return {
    installation,
    dataDir,
    snapshotsFolder: path.join(dataDir, 'snapshots'),
    fs,
    docker,
    registry,
    scopeContext,
    journals: new JournalStore({ fs, dataDir, clock }),
    clock,
    log,
    archive: options.archive ?? archiveSafePort(options.key),
    mountUsers: options.mountUsers ?? mountUsers,
    healthOf: options.healthOf ?? (() => Promise.resolve(true)),
    reserve: options.reserve ?? DEFAULT_RESERVE,
    heldInMemory: new Map(),
  };
}

/** The engine over its parts, one attempt at a time per workload. */
export function engineOver(parts: EngineParts, mutex: WorkloadMutex): RestoreEngine {
  const { dataDir, journals } = parts;
  const never = new AbortController().signal;
  /** No error of the kernel leaves this room as it is. */
  const ours = <T>(work: Promise<T>): Promise<T> =>
    work.catch((error: unknown) => Promise.reject(asForgeError(error, 'file access', dataDir)));
  const alone = <T>(
    { workloadId }: { readonly workloadId: string },
    signal: AbortSignal,
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> => ours(mutex.run(workloadId, signal, work));

  return {
    plan: async (input, signal) => (await ours(makePlan(parts, input, signal))).plan,
    preflight: (input, context) =>
      alone({ workloadId: input.workload.id }, context.signal, (signal) =>
        preflight(parts, input, { ...context, signal }),
      ),
    extract: (plan, context) => alone(plan, context.signal, (signal) => extract(parts, plan, { ...context, signal })),
    stop: (plan, context) => alone(plan, context.signal, (signal) => stop(parts, plan, { ...context, signal })),
    recordSafe: (plan, snapshotId) => alone(plan, never, () => recordSafe(parts, plan, snapshotId)),
    recordOldTreesKept: (plan) => alone(plan, never, () => recordSafe(parts, plan, null)),
    keptTrees: () => ours(keptTrees(parts)),
    collectKept: (signal, spared) => ours(collectKept(parts, signal, spared)),
    swap: (plan, context) => alone(plan, context.signal, (signal) => swap(parts, plan, { ...context, signal })),
    assertMayRedeploy: (plan, signal) => alone(plan, signal, (inner) => assertMayRedeploy(parts, plan, inner)),
    finish: (plan, instances, context) =>
      alone(plan, context.signal, (signal) => finish(parts, plan, instances, { ...context, signal })),

    removeNew: (plan, signal) => alone(plan, signal, (inner) => removeNew(parts, plan, inner)),
    swapBack: (plan, signal) => alone(plan, signal, (inner) => swapBack(parts, plan, inner)),
    resume: (plan, redeploy, signal) => alone(plan, signal, (inner) => resume(parts, plan, redeploy, inner)),
    dropStaging: (plan, signal) => alone(plan, signal, (inner) => dropStaging(parts, plan, inner)),
    close: (plan, signal) => alone(plan, signal, (inner) => close(parts, plan, inner)),
    needsOperator: (plan, reason) => alone(plan, never, () => needsOperator(parts, plan, reason)),

    sweep: (signal) => ours(sweep(parts, signal)),
    openTransactions: async () => {
      const open = await ours(journals.list());
      return open.flatMap((found) => statusOfFound(found) ?? []).filter(({ record }) => record !== 'CLOSED');
    },
    status: async (operationId) => {
      const found = await ours(journals.find(txIdOf(operationId)));
      return found && statusOfFound(found);
    },
    examine: (operationId) => ours(examine(parts, operationId)),
    acceptVerdict: (operationId, verdict, by) => ours(acceptVerdict(parts, operationId, verdict, by)),
    assertMayStart: (workloadId, hostPaths, operationId) =>
      ours(assertMayStart(parts, workloadId, hostPaths, operationId)),
    heldBy: (workloadId) => ours(heldBy(parts, workloadId)),
  };
}
