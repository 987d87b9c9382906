import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { pino } from 'pino';
import { ERRORS, isForgeError, isRestoring } from '@tiny-forge/contracts/domain';
import { composeParts } from '../composition.ts';
import type { Parts } from '../parts.ts';
import { acquireHostLock } from '../recovery/index.ts';
import { viewOfLost } from '../recovery/lost-operation.ts';
import { systemClock } from '../state/index.ts';
import { recoverByHand } from './recover-by-hand.ts';
import { commandSettings } from './settings-of-command.ts';

const USAGE = `usage: npm run recover -- <workload id or name | --all | --sweep>

Finishes interrupted restores by their journals where Temporal is gone for good. The server must not run: while it does, it
recovers by itself. --sweep only puts directories right that a swap left in motion, needs no Docker, and leaves the rest to
the server: at boot it belongs before Docker (docs/tiny-forge-sweep.service).
Exit code 0: nothing is open any more, or nothing is in motion; 1: something needs an operator or failed; 2: nothing was done.`;

async function main(which: string | undefined): Promise<number> {
  if (which === undefined || which === '--help' || which === '-h') {
    console.log(USAGE);
    return which === undefined ? 2 : 0;
  }
  const settings = commandSettings(process.env);
  if (!existsSync(settings.dataDir)) {
    console.error(`the data folder ${settings.dataDir} does not exist; set TINY_FORGE_DATA as the server has it`);
    return 2;
  }
  const lock = acquireHostLock(settings.dataDir, new Date());
  // At boot it is no news that Docker does not answer yet.
  const log = pino({ level: which === '--sweep' ? 'error' : 'warn' }, pino.destination(2));
  const parts = await composeParts({ settings, log, clock: systemClock, newId: randomUUID });
  try {
    if (which === '--sweep') return await sweepOnly(parts);
    const workloads = await parts.state.workloads.all();
    const ids = workloads
      .filter((one) => which === '--all' || one.id === which || one.config.name === which)
      .map((one) => one.id);
    await parts.restoreEngine.sweep(new AbortController().signal);
    await parts.captureEngine.sweepPauses(new AbortController().signal);
    const open = (await parts.restoreEngine.openTransactions()).filter(
      (journal) => which === '--all' || journal.workloadId === which || ids.includes(journal.workloadId),
    );
    let isOpen = false;
    for (const journal of open) {
      console.log(`operation ${journal.operationId} of workload ${journal.workloadId}: journal at ${journal.record}`);
      const state = await recoverByHand(parts, journal, (line) => console.log(line));
      console.log(`operation ${journal.operationId}: ${state}`);
      isOpen ||= state === 'NEEDS_OPERATOR';
    }
    const ended = await endWithoutJournal(parts, which === '--all' ? null : [which, ...ids]);
    if (open.length + ended > 0) return isOpen ? 1 : 0;
    console.log(`nothing of ${which === '--all' ? 'any workload' : which} is open: nothing to recover`);
    return ids.length > 0 || which === '--all' ? 0 : 2;
  } finally {
    await parts.state.close();
    lock.release();
  }
}

/** What a server does first at its start (I7), by itself. */
async function sweepOnly({ restoreEngine }: Parts): Promise<number> {
  const report = await restoreEngine.sweep(new AbortController().signal);
  for (const tx of report.swappedForward) console.log(`transaction ${tx}: all volumes have the snapshot's data`);
  for (const tx of report.swappedBack) console.log(`transaction ${tx}: all volumes have the data of before`);
  for (const { txId, code, detail } of report.unresolved) console.error(`transaction ${txId}: ${code}: ${detail}`);
  for (const { file, detail } of report.corrupt) console.error(`journal ${file}: ${detail}`);
  const moved = report.swappedForward.length + report.swappedBack.length;
  const stuck = report.unresolved.length + report.corrupt.length;
  if (moved + stuck === 0) console.log('no directory is in motion');
  return stuck === 0 ? 0 : 1;
}

/** Restores that had begun and whose journal is closed, or was never opened: only their end was lost. @returns how many */
async function endWithoutJournal(parts: Parts, workloadIds: readonly string[] | null): Promise<number> {
  let ended = 0;
  for (const row of await parts.state.operations.open()) {
    if (!isRestoring(row.kind) || row.begunAt === null || row.state === 'NEEDS_OPERATOR') continue;
    if (workloadIds !== null && !workloadIds.includes(row.workloadId)) continue;
    const view = viewOfLost(row, await parts.restoreEngine.status(row.id), new Date().toISOString());
    await parts.state.transaction((stores) => stores.operations.end(row.id, view));
    console.log(`operation ${row.id}: ${view.state}`);
    ended += 1;
  }
  return ended;
}

try {
  process.exit(await main(process.argv[2]));
} catch (error) {
  const next = isForgeError(error) ? ` ${ERRORS[error.code].next}` : '';
  console.error(`recovery did not go through: ${error instanceof Error ? error.message : String(error)}${next}`);
  process.exit(1);
}
