import { isExclusive } from '@tiny-forge/contracts/domain';
import type { Parts } from '../parts.ts';
import { timestamp, type SnapshotRecord, type Stores } from '../state/index.ts';

export type JanitorParts = Pick<Parts, 'state' | 'clock' | 'log' | 'captureEngine' | 'restoreEngine'>;

const EVERY_MS = 10 * 60_000;

/**
 * Removes safety snapshots past TINY_FORGE_SAFETY_DAYS, and old trees that were kept instead of one (I10). What may still be needed stays, and is
 * looked at again: a pin, an operation that restores or may have to, a restore that can still be undone, an open journal of the workload, its last
 * READY snapshot. On the host that has the files, after recovery. Every removal leaves an audit record.
 */
export class SafetyJanitor {
  readonly #parts: JanitorParts;
  readonly #everyMs: number;
  readonly #stop = new AbortController();
  #timer: NodeJS.Timeout | null = null;
  #running: Promise<unknown> = Promise.resolve();

  constructor(parts: JanitorParts, everyMs = EVERY_MS) {
    this.#parts = parts;
    this.#everyMs = everyMs;
  }

  start(): void {
    void this.run();
    this.#timer = setInterval(() => void this.run(), this.#everyMs);
    this.#timer.unref();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    if (this.#timer) clearInterval(this.#timer);
    await this.#running;
  }

  /** One pass; passes never overlap. Never throws. @returns ids of the snapshots that were removed */
  run(): Promise<readonly string[]> {
    const pass = this.#running.then(() => this.#pass());
    this.#running = pass;
    return pass;
  }

  async #pass(): Promise<readonly string[]> {
    const { state, restoreEngine, log } = this.#parts;
    const removed: string[] = [];
    try {
      const moving = new Set((await restoreEngine.openTransactions()).map(({ workloadId }) => workloadId));
      for (const snapshot of await state.snapshots.expired()) {
        if (this.#stop.signal.aborted) break;
        if (moving.has(snapshot.workloadId) || (await restoreEngine.heldBy(snapshot.workloadId)) !== null) continue;
        if (await this.#remove(snapshot)) removed.push(snapshot.id);
      }
      await this.#collectKept(moving);
    } catch (error) {
      if (!this.#stop.signal.aborted) log.warn({ part: 'retention', err: error }, 'not through; tried again later');
    }
    if (removed.length > 0) log.info({ part: 'retention', removed }, 'safety snapshots past their time were removed');
    return removed;
  }

  /** Where directories are in motion or unclear, whatever else was kept of them is kept on. */
  async #collectKept(moving: ReadonlySet<string>): Promise<void> {
    const { state, restoreEngine, log } = this.#parts;
    const kept = await restoreEngine.keptTrees();
    const spared = new Set(moving);
    for (const { workloadId } of kept) if ((await restoreEngine.heldBy(workloadId)) !== null) spared.add(workloadId);
    const { collected, problems } = await restoreEngine.collectKept(this.#stop.signal, spared);
    for (const { txId, operationId, workloadId, keptUntil, trees } of kept) {
      if (!collected.includes(txId)) continue;
      await state.audit.add({
        principal: 'retention',
        from: 'janitor',
        verb: 'expireOldTrees',
        target: `operation ${operationId}`,
        outcome: 'removed',
        details: { operationId, workloadId, expiresAt: keptUntil, paths: trees.map(({ path }) => path).join(' ') },
      });
    }
    if (collected.length > 0) log.info({ part: 'retention', collected }, 'old trees past their time were removed');
    if (problems.length > 0) log.warn({ part: 'retention', problems }, 'old trees past their time are still there');
  }

  async #remove({ id, workloadId }: SnapshotRecord): Promise<boolean> {
    const { state, captureEngine, clock, log } = this.#parts;
    const gone = await state.transaction(async (stores) => {
      if (await isNeeded(stores, id, timestamp(clock))) return false;
      const snapshot = await stores.snapshots.get(id);
      if (snapshot === null || (await stores.snapshots.delete(id)) !== null) return false;
      await stores.audit.add({
        principal: 'retention',
        from: 'janitor',
        verb: 'expireSnapshot',
        target: `snapshot ${id}`,
        outcome: 'removed',
        details: { snapshotId: id, workloadId, operationId: snapshot.operationId, expiresAt: snapshot.expiresAt },
      });
      return true;
    });
    if (!gone) return false;
    await captureEngine.remove(workloadId, id).catch((error: unknown) => {
      // The catalogue no longer has it, so it is gone for everybody; the file is only space.
      log.warn({ err: error, snapshotId: id }, 'the file of an expired snapshot is still there');
    });
    return true;
  }
}

/** Looked at in the transaction that removes: a request that pins it is either seen here or finds nothing to pin. */
async function isNeeded(stores: Stores, id: string, now: string): Promise<boolean> {
  const snapshot = await stores.snapshots.get(id);
  if (snapshot?.expiresAt == null || snapshot.expiresAt > now || snapshot.kind !== 'pre-restore') return true;
  if ((await stores.snapshots.pins(id)).length > 0) return true;
  const open = await stores.operations.open(snapshot.workloadId);
  if (open.some((row) => isExclusive(row.kind) || row.snapshotId === id || row.id === snapshot.operationId))
    return true;
  const maker = snapshot.operationId === null ? null : await stores.operations.get(snapshot.operationId);
  if (maker?.state === 'SUCCEEDED' && maker.view.undo !== undefined && maker.view.undo.until > now) return true;
  return snapshot.state === 'READY' && (await stores.snapshots.countReadyBut(snapshot.workloadId, id)) === 0;
}
