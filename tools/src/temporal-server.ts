import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { lastLines } from './commands.ts';
import { exclusively } from './exclusive.ts';
import { freePorts, isFree } from './free-port.ts';
import { isTemporalServing } from './grpc-health.ts';
import {
  argumentOf,
  commandLineOf,
  findProcesses,
  identityOf,
  isRunning,
  stopProcess,
  waitUntil,
  type ProcessIdentity,
} from './process-identity.ts';
import { ProvisionError } from './provision-error.ts';
import { hasFields, readRecord, writeRecord } from './run-record.ts';

/** An embedded Temporal development server and where it answers. */
export interface TemporalRecord extends ProcessIdentity {
  /** `127.0.0.1:port` */
  readonly address: string;
  readonly uiUrl: string;
  readonly namespace: string;
  readonly dbFile: string;
}

export interface TemporalPlan {
  readonly recordFile: string;
  readonly logFile: string;
  readonly dbFile: string;
  readonly namespace: string;
}

const LOOPBACK = '127.0.0.1';
const START_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 20_000;
const START_TRIES = 3;

export function planTemporal(dataDir: string, namespace: string): TemporalPlan {
  return {
    recordFile: path.join(dataDir, 'run', 'temporal.json'),
    logFile: path.join(dataDir, 'run', 'temporal.log'),
    dbFile: path.join(dataDir, 'temporal', 'temporal.db'),
    namespace,
  };
}

function isTemporalRecord(value: unknown): value is TemporalRecord {
  return hasFields(value, {
    pid: 'number',
    startTime: 'string',
    bootId: 'string',
    address: 'string',
    uiUrl: 'string',
    namespace: 'string',
    dbFile: 'string',
  });
}

/** What was last written about this data folder's Temporal, alive or not. */
export function readTemporalRecord(recordFile: string): TemporalRecord | null {
  return readRecord(recordFile, isTemporalRecord);
}

const isServerOf = (args: readonly string[], dbFile: string): boolean =>
  args.includes('start-dev') && (argumentOf(args, '--db-filename') ?? argumentOf(args, '-f')) === dbFile;

/**
 * The living server on exactly `plan.dbFile`, null when there is none. It proves to be ours by pid, start time, boot and
 * arguments; where the record was lost, by its arguments alone. A foreign record is never followed, no process is signalled.
 */
export function findLivingTemporal(plan: TemporalPlan): TemporalRecord | null {
  const recorded = readTemporalRecord(plan.recordFile);
  if (
    recorded !== null &&
    recorded.dbFile === plan.dbFile &&
    isRunning(recorded) &&
    isServerOf(commandLineOf(recorded.pid) ?? [], plan.dbFile)
  ) {
    return recorded;
  }
  const [found] = findProcesses((args) => isServerOf(args, plan.dbFile));
  const args = found === undefined ? null : commandLineOf(found.pid);
  if (found === undefined || args === null) return null;
  const port = argumentOf(args, '--port') ?? '7233';
  const uiPort = argumentOf(args, '--ui-port') ?? String(Number(port) + 1000);
  return {
    ...found,
    address: `${LOOPBACK}:${port}`,
    uiUrl: `http://${LOOPBACK}:${uiPort}`,
    namespace: argumentOf(args, '--namespace') ?? plan.namespace,
    dbFile: plan.dbFile,
  };
}

export interface TemporalStart {
  readonly record: TemporalRecord;
  readonly adopted: boolean;
}

/**
 * Adopts the living server of this data folder or starts one, never a second on the same file (two of them would both serve).
 * @param ports keep the ports of the last run: a running product knows no others
 * @throws ProvisionError TEMPORAL_FAILED with the server's last words
 */
export async function ensureTemporalServer(
  binary: string,
  plan: TemporalPlan,
  ports: 'same' | 'any' = 'any',
): Promise<TemporalStart> {
  return exclusively(`${plan.recordFile}.lock`, async () => {
    const living = findLivingTemporal(plan);
    if (living !== null) {
      const serves = await waitUntil(
        async () => !isRunning(living) || (await isTemporalServing(living.address)),
        START_TIMEOUT_MS,
      );
      if (!serves) throw silent(living, plan);
      if (isRunning(living)) {
        writeRecord(plan.recordFile, living);
        return { record: living, adopted: true };
      }
    }
    return { record: await launch(binary, plan, ports), adopted: false };
  });
}

function silent(living: TemporalRecord, plan: TemporalPlan): ProvisionError {
  return new ProvisionError({
    code: 'TEMPORAL_FAILED',
    what: 'the embedded Temporal server runs but does not answer',
    why: `process ${living.pid} holds ${plan.dbFile} and is silent on ${living.address}`,
    getIt: [`kill ${living.pid}`],
    log: readLog(plan.logFile),
  });
}

/** The ports of the last run where they are free: links and other processes keep working. */
async function choosePorts(plan: TemporalPlan, ports: 'same' | 'any'): Promise<readonly [number, number]> {
  const last = readTemporalRecord(plan.recordFile);
  if (last !== null && last.dbFile === plan.dbFile) {
    const [port, uiPort] = [Number(last.address.split(':').at(-1)), Number(new URL(last.uiUrl).port)];
    if (ports === 'same' || ((await isFree(LOOPBACK, port)) && (await isFree(LOOPBACK, uiPort)))) return [port, uiPort];
  }
  const [port = 0, uiPort = 0] = await freePorts(2);
  return [port, uiPort];
}

/** It takes further ports of its own while it starts, and another program may be quicker at one: then it is started again. */
async function launch(binary: string, plan: TemporalPlan, wanted: 'same' | 'any'): Promise<TemporalRecord> {
  for (let tries = 1; ; tries += 1) {
    const result = await launchOnce(binary, plan, await choosePorts(plan, wanted));
    if (typeof result !== 'string') return result;
    const log = readLog(plan.logFile);
    if (tries < START_TRIES && log.some((line) => line.includes('address already in use'))) continue;
    throw new ProvisionError({
      code: 'TEMPORAL_FAILED',
      what: 'the embedded Temporal server does not start',
      why: result,
      getIt: [
        `read ${plan.logFile}`,
        `if the database came from another version: mv ${plan.dbFile} ${plan.dbFile}.old (running operations are then settled from the journal)`,
      ],
      log,
    });
  }
}

/** Resolves with what went wrong when it does not serve; nothing of it runs then. */
async function launchOnce(
  binary: string,
  plan: TemporalPlan,
  [port, uiPort]: readonly [number, number],
): Promise<TemporalRecord | string> {
  fs.mkdirSync(path.dirname(plan.dbFile), { recursive: true, mode: 0o700 });
  fs.mkdirSync(path.dirname(plan.logFile), { recursive: true, mode: 0o700 });
  const log = fs.openSync(plan.logFile, 'w', 0o600);
  const args = ['server', 'start-dev', '--db-filename', plan.dbFile, '--namespace', plan.namespace];
  args.push(
    '--ip',
    LOOPBACK,
    '--ui-ip',
    LOOPBACK,
    '--port',
    String(port),
    '--ui-port',
    String(uiPort),
    '--log-level',
    'error',
  );
  // A session of its own: Ctrl-C in the terminal is for us, and it outlives us when another process still needs it.
  const child = spawn(binary, args, { detached: true, stdio: ['ignore', log, log], cwd: path.dirname(plan.dbFile) });
  fs.closeSync(log);
  let ended: string | null = null;
  child.on('error', (error) => (ended = error.message));
  child.on('exit', (code, signal) => (ended ??= `it ended with ${code ?? signal}`));
  const identity = child.pid === undefined ? null : identityOf(child.pid);
  if (identity !== null) {
    const record: TemporalRecord = {
      ...identity,
      address: `${LOOPBACK}:${port}`,
      uiUrl: `http://${LOOPBACK}:${uiPort}`,
      namespace: plan.namespace,
      dbFile: plan.dbFile,
    };
    writeRecord(plan.recordFile, record);
    const up = await waitUntil(
      async () => ended !== null || (await isTemporalServing(record.address)),
      START_TIMEOUT_MS,
    );
    if (up && ended === null) {
      child.unref();
      return record;
    }
    await stopProcess(identity, 'SIGKILL', STOP_TIMEOUT_MS);
  }
  return ended ?? `no answer after ${START_TIMEOUT_MS / 1000} s`;
}

/** Stops the server of `plan` if one lives. Gives the file back whole: SIGTERM first, SIGKILL after 20 s (it recovers from that too). */
export async function stopTemporalServer(plan: TemporalPlan): Promise<boolean> {
  const living = findLivingTemporal(plan);
  if (living === null) return false;
  if (!(await stopProcess(living, 'SIGTERM', STOP_TIMEOUT_MS))) await stopProcess(living, 'SIGKILL', STOP_TIMEOUT_MS);
  return true;
}

function readLog(file: string): string[] {
  try {
    return lastLines(fs.readFileSync(file, 'utf8'), 8);
  } catch {
    return [];
  }
}
