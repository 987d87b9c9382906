import { ForgeError } from '@tiny-forge/contracts/domain';
import type { ContainerDetail, DockerPort } from '@tiny-forge/docker';
import type { PluginRegistry, ScopeContext } from '@tiny-forge/plugin-api';
import type { Clock, EngineLog } from './environment.ts';
import type { JournalStore } from './journal/journal-store.ts';
import { corrupt } from './journal/journal-store.ts';
import type { Transaction } from './journal/transaction.ts';
import type { MountUsers } from './plan/directory-users.ts';
import type { ReserveRule } from './plan/space-needs.ts';
import type { ArchivePort } from './ports/archive-port.ts';
import type { FsPort } from './ports/fs-port.ts';
import type { FrozenPlan } from './restore-engine.ts';

/** Whether a running container answers as its workload's health probe asks. Never throws for an unhealthy one. */
export type HealthOf = (container: ContainerDetail, workloadId: string, signal: AbortSignal) => Promise<boolean>;

/** What every step works with. */
export interface EngineParts {
  readonly installation: string;
  readonly dataDir: string;
  readonly snapshotsFolder: string;
  readonly fs: FsPort;
  readonly archive: ArchivePort;
  readonly docker: DockerPort;
  readonly mountUsers: MountUsers;
  readonly registry: PluginRegistry;
  readonly scopeContext: (workloadId: string) => ScopeContext | Promise<ScopeContext>;
  readonly journals: JournalStore;
  readonly healthOf: HealthOf;
  readonly reserve: ReserveRule;
  readonly clock: Clock;
  readonly log: EngineLog;
  /** Workloads held because OPERATOR itself could not be written: workload id to operation id. Ends with the process. */
  readonly heldInMemory: Map<string, string>;
}

/** The journal of a plan's transaction; null: there is none. @throws TX_CORRUPT */
export async function transactionOf(parts: EngineParts, plan: Pick<FrozenPlan, 'txId'>): Promise<Transaction | null> {
  const found = await parts.journals.find(plan.txId);
  if (!found) return null;
  if (found.kind === 'corrupt') throw corrupt(found.file, found.offset);
  return found.tx;
}

/**
 * The journal as it is on disk for whoever comes after a kill, before anything is removed on the word of it: a record whose fsync failed counts as
 * absent here and may be read by others all the same.
 */
export async function certain(parts: EngineParts, tx: Transaction): Promise<Transaction> {
  if (parts.journals.isSuspect(tx.txId)) return parts.journals.supersede(tx, null);
  await parts.journals.trust(tx);
  return tx;
}

/**
 * The journal, for a step that goes forward; trusted, so that what it says is on disk.
 * @throws TX_ROLLED_BACK, TX_STATE, TX_CORRUPT
 */
export async function forwardTransaction(
  parts: EngineParts,
  plan: FrozenPlan,
  step: string,
  needs: Transaction['state'],
): Promise<Transaction> {
  const tx = await transactionOf(parts, plan);
  if (!tx) throw new ForgeError({ code: 'TX_STATE', params: { step, needs, found: 'NONE' } });
  assertForward(tx, step, needs);
  if (tx.state !== 'CLOSED') await parts.journals.trust(tx);
  return tx;
}

/** A restore that is done answers every step with what was recorded. @throws TX_ROLLED_BACK, TX_STATE */
export function assertForward(tx: Transaction, step: string, needs: string): void {
  if (tx.state === 'CLOSED' && tx.done) return;
  if (tx.state === 'OPERATOR' || tx.state === 'CLOSED')
    throw new ForgeError({ code: 'TX_STATE', params: { step, needs, found: tx.state } });
  if (tx.rolledBack) throw new ForgeError({ code: 'TX_ROLLED_BACK' });
}

/** From QUIESCING on the first thing undo does. @returns null where there is nothing to undo. @throws TX_STATE after DONE */
export async function rollbackTransaction(
  parts: EngineParts,
  plan: FrozenPlan,
  step: string,
): Promise<Transaction | null> {
  const tx = await transactionOf(parts, plan);
  if (!tx) return null;
  if (tx.state === 'DONE' || tx.state === 'OPERATOR' || (tx.state === 'CLOSED' && tx.done))
    throw new ForgeError({ code: 'TX_STATE', params: { step, needs: 'ROLLBACK', found: tx.state } });
  if (tx.state === 'CLOSED') return tx;
  // ROLLBACK supersedes by itself what is not certain.
  if (tx.rolledBack || !tx.quiescing) return certain(parts, tx);
  await parts.journals.trust(tx);
  return parts.journals.append(tx, { type: 'ROLLBACK', reason: step });
}
