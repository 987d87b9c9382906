import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { randomUUID } from 'node:crypto';
import { Client, Connection } from '@temporalio/client';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { pino } from 'pino';
import { workflowIds, type Settings } from '@tiny-forge/contracts/domain';
import { openState, systemClock } from '../state/index.ts';
import { connectionOptions } from '../temporal/connection-options.ts';
import { installRuntime } from '../temporal/runtime.ts';
import { loadBundle } from '../temporal/workflow-bundle.ts';
import { replayHistory } from './replay-history.ts';
import { commandSettings } from './settings-of-command.ts';

const USAGE = `usage: npm run replay -- <operation id | history.json>

Runs a recorded history through today's workflow code.
Exit code 0: deterministic; 1: not, the step is named; 2: no such history.`;

/** `npm run replay`: @returns the exit code */
async function main(what: string | undefined): Promise<number> {
  if (what === undefined || what === '--help' || what === '-h') {
    console.log(USAGE);
    return what === undefined ? 2 : 0;
  }
  let history: unknown;
  try {
    history = JSON.parse(existsSync(what) ? await readFile(what, 'utf8') : await historyOf(what));
  } catch (error) {
    console.error(`no history for ${what}: ${error instanceof Error ? error.message : String(error)}`);
    return 2;
  }
  installRuntime(pino({ level: 'silent' }));
  try {
    const verdict = await replayHistory(await loadBundle(), history);
    if (verdict.deterministic) {
      console.log(`deterministic: ${verdict.events} events of workflow ${verdict.workflowType} lead to the same steps`);
      return 0;
    }
    const where = verdict.step === null ? 'at a step that is not named' : `at step ${verdict.step}`;
    const event = verdict.eventId === null ? '' : ` (event ${verdict.eventId})`;
    console.log(`not deterministic: workflow ${verdict.workflowType} differs ${where}${event}\n${verdict.message}`);
    return 1;
  } catch (error) {
    console.error(`not a history that can be replayed: ${error instanceof Error ? error.message : String(error)}`);
    return 2;
  }
}

/** Of an operation of this installation: from Temporal while it has it, else what was stored when it ended. */
async function historyOf(operationId: string): Promise<string> {
  const settings = commandSettings(process.env);
  if (!existsSync(settings.dataDir)) throw new Error(`the data folder ${settings.dataDir} does not exist`);
  const state = await openState({ dataDir: settings.dataDir, clock: systemClock, newId: randomUUID });
  try {
    const row = await state.operations.get(operationId);
    if (!row) throw new Error('no such operation, and no such file');
    const live = await fromTemporal(settings, row.input.installation, operationId).catch(() => null);
    const text = live ?? (await state.operations.history(operationId));
    if (text === null) throw new Error('Temporal does not have it, and none was stored');
    return text;
  } finally {
    await state.close();
  }
}

async function fromTemporal(settings: Settings, installation: string, operationId: string): Promise<string> {
  const options = await connectionOptions(settings.temporal);
  const connection = await Connection.connect({ ...options, connectTimeout: '2s' });
  try {
    const client = new Client({ connection, namespace: settings.temporal.namespace });
    const handle = client.workflow.getHandle(workflowIds.operation(installation, operationId));
    return historyToJSON(await client.withDeadline(Date.now() + 5_000, () => handle.fetchHistory()));
  } finally {
    await connection.close();
  }
}

process.exit(await main(process.argv[2]));
