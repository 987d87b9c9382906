import { WorkflowNotFoundError, type Client } from '@temporalio/client';
import type { Logger } from 'pino';
import { isRestoring, workflowIds } from '@tiny-forge/contracts/domain';
import type { RestoreEngine, TransactionStatus } from '@tiny-forge/volsnap';
import type { OperationInput } from '@tiny-forge/workflows';
import type { Clock, OperationRecord, State } from '../state/index.ts';
import type { LaneClient } from '../temporal/lane-client.ts';
import { viewOfLost } from './lost-operation.ts';

export interface ReconcilerParts {
  readonly state: State;
  readonly clock: Clock;
  readonly newId: () => string;
  readonly log: Logger;
  readonly installation: string;
  readonly hostId: string;
  /** Journals of this host; null in a process without the host role: it leaves begun operations alone. */
  readonly engine: Pick<RestoreEngine, 'openTransactions' | 'status'> | null;
  /** null while Temporal is away: then nothing is positively known and nothing is done. */
  readonly client: () => Client | null;
  readonly lane: () => LaneClient | null;
  readonly submit: (input: OperationInput) => Promise<unknown>;
  readonly everyMs?: number;
}

const EVERY_MS = 60_000;
const ASK_MS = 5_000;
/** A row is settled by its request for so long; before that it is none of ours. */
const GRACE_MS = 10_000;

/**
 * Writer 3 of restore.md 6: settles rows that neither the API nor their workflow will settle, at start, each minute, and whenever Temporal comes
 * back. Acts only on what Temporal positively says.
 */
export class Reconciler {
  readonly #parts: ReconcilerParts;
  #timer: NodeJS.Timeout | null = null;
  #running: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(parts: ReconcilerParts) {
    this.#parts = parts;
  }

  start(): void {
    this.#timer = setInterval(() => void this.run(), this.#parts.everyMs ?? EVERY_MS);
    this.#timer.unref();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    if (this.#timer) clearInterval(this.#timer);
    await this.#running;
  }

  /** One pass; passes never overlap. Never throws. */
  run(): Promise<void> {
    this.#running = this.#running.then(() => this.#pass());
    return this.#running;
  }

  async #pass(): Promise<void> {
    if (this.#stopped) return;
    try {
      const journals = (await this.#parts.engine?.openTransactions()) ?? [];
      const rows = await this.#parts.state.operations.open();
      for (const row of rows) {
        if (this.#stopped || this.#parts.client() === null) return;
        await this.#settle(row, journals).catch((error: unknown) => this.#complain(row.id, error));
      }
      for (const journal of journals) {
        if (journal.record === 'OPERATOR' || rows.some((row) => row.id === journal.operationId)) continue;
        await this.#recover(journal).catch((error: unknown) => this.#complain(journal.operationId, error));
      }
    } catch (error) {
      this.#complain(null, error);
    }
  }

  async #settle(row: OperationRecord, journals: readonly TransactionStatus[]): Promise<void> {
    const { state, clock } = this.#parts;
    const now = clock.now().getTime();
    if (row.begunAt === null && row.acceptedAt === null) {
      if (Date.parse(row.notAfter) + GRACE_MS < now) {
        await state.transaction((stores) => stores.operations.expire(row.id));
      }
      return;
    }
    if (row.begunAt === null) return this.#settleQueued(row);
    if (row.state === 'NEEDS_OPERATOR' || (await this.#lives(row.id))) return;
    const journal = journals.find((candidate) => candidate.operationId === row.id);
    if (journal) return this.#recover(journal);
    if (this.#parts.engine === null && isRestoring(row.kind)) return;
    // Its own end may have been written since the row was read.
    const fresh = await state.operations.get(row.id);
    if (fresh?.endedAt !== null) return;
    this.#parts.log.warn({ part: 'reconciler', operationId: row.id, kind: row.kind }, 'Temporal no longer knows it');
    const closed = isRestoring(row.kind) ? ((await this.#parts.engine?.status(row.id)) ?? null) : null;
    const view = viewOfLost(fresh, closed, clock.now().toISOString());
    await state.transaction((stores) => stores.operations.end(row.id, view));
  }

  /** Accepted but not begun: what the lane does not know is submitted again. */
  async #settleQueued(row: OperationRecord): Promise<void> {
    const lane = this.#parts.lane();
    if (lane === null || (await this.#lives(row.id))) return;
    const known = await lane.state(row.workloadId, Date.now() + ASK_MS);
    if (known && [known.current, ...known.queue].includes(row.id)) return;
    await this.#resubmit(row, lane);
  }

  async #resubmit(row: OperationRecord, lane: LaneClient): Promise<void> {
    const open = (await this.#parts.state.operations.openInLane(row.workloadId))
      .filter((other) => other.id !== row.id && other.createdAt <= row.createdAt)
      .map((other) => ({ operationId: other.id, kind: other.kind }));
    const answer = await lane.submit(row.input, new Date(Date.now() + ASK_MS), open);
    this.#parts.log.info({ part: 'reconciler', operationId: row.id, answer }, 'submitted again');
  }

  /** An open journal whose operation nobody runs is finished by an operation of its own. */
  async #recover(journal: TransactionStatus): Promise<void> {
    const { state, log } = this.#parts;
    if (await this.#lives(journal.operationId)) return;
    const open = await state.operations.open(journal.workloadId);
    if (open.some((row) => row.kind === 'recover' && row.recovers === journal.operationId)) return;
    const input: OperationInput = {
      installation: this.#parts.installation,
      operationId: this.#parts.newId(),
      kind: 'recover',
      workloadId: journal.workloadId,
      hostId: this.#parts.hostId,
      snapshotId: null,
      requestedBy: 'recovery',
      operatorWaitSeconds: 0,
      options: { recovers: journal.operationId },
    };
    log.warn(
      { part: 'reconciler', operationId: journal.operationId, by: input.operationId, record: journal.record },
      'an interrupted restore is finished',
    );
    const now = this.#parts.clock.now();
    await state.transaction(async (stores) => {
      await stores.operations.insert({
        input,
        notAfter: new Date(now.getTime() + ASK_MS).toISOString(),
        situation: { app: 'stopped', data: 'unclear', since: now.toISOString() },
        recovers: journal.operationId,
      });
      await stores.audit.add({
        principal: 'recovery',
        from: 'reconciler',
        verb: 'recover',
        target: journal.workloadId,
        outcome: 'accepted',
        details: { operationId: input.operationId, recovers: journal.operationId },
      });
    });
    await this.#parts.submit(input);
  }

  /** @throws while Temporal does not answer: then it is not known */
  async #lives(operationId: string): Promise<boolean> {
    const client = this.#parts.client();
    if (client === null) throw new Error('Temporal is away');
    const handle = client.workflow.getHandle(workflowIds.operation(this.#parts.installation, operationId));
    try {
      const { status } = await client.withDeadline(Date.now() + ASK_MS, () => handle.describe());
      return status.name === 'RUNNING';
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return false;
      throw error;
    }
  }

  #complain(operationId: string | null, error: unknown): void {
    const why = error instanceof Error ? error.message : String(error);
    this.#parts.log.warn({ part: 'reconciler', operationId, why }, 'not settled; tried again in a minute');
  }
}
