import 'reflect-metadata';
import { randomUUID } from 'node:crypto';
import path from 'node:path';
import { pino } from 'pino';
import { PinoPretty } from 'pino-pretty';
import { isForgeError, parseSettings, ERRORS } from '@tiny-forge/contracts/domain';
import { CHECKOUT } from './composition.ts';
import { startServer, type RunningServer } from './server.ts';
import { systemClock } from './state/index.ts';

/** A second stop request while the first is under way ends the process at once; so does a stop that takes longer. */
const STOP_LIMIT_MS = 60_000;

// Lines for machines go to stderr; a person at a terminal is told of trouble only, in words.
const log = process.stderr.isTTY
  ? pino(
      { level: 'warn', base: null },
      PinoPretty({
        destination: 2,
        sync: true,
        translateTime: 'SYS:HH:MM:ss',
        singleLine: true,
        messageFormat: '{if part}{part}: {end}{msg}{if why}: {why}{end}',
        ignore: 'part,why',
      }),
    )
  : pino({ level: 'info', base: { pid: process.pid } }, pino.destination(2));
const say = (line: string): void => void process.stdout.write(`${line}\n`);

function fail(error: unknown): never {
  if (isForgeError(error)) {
    process.stderr.write(`tiny-forge: ${error.code}: ${error.message} ${ERRORS[error.code].next}\n`);
  } else if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') {
    process.stderr.write(`tiny-forge: ${(error as Error).message}. Set TINY_FORGE_PORT, or stop what listens there.\n`);
  } else {
    process.stderr.write(`tiny-forge: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  }
  process.exit(1);
}

let server: RunningServer | null = null;
let stopping = false;

async function stop(why: string): Promise<void> {
  if (stopping) {
    if (why === 'disconnect') return;
    process.exit(1);
  }
  stopping = true;
  log.info({ why }, 'stopping');
  setTimeout(() => {
    log.error('stopping took too long');
    process.exit(1);
  }, STOP_LIMIT_MS).unref();
  // A signal may come while the server is still starting: what is up then ends with the process.
  await server?.stop();
  process.exit(0);
}

for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void stop(signal));
// The parent that holds our channel died, by SIGKILL too.
process.on('disconnect', () => void stop('disconnect'));
process.on('unhandledRejection', (error) => log.error({ err: error }, 'unhandled rejection'));

try {
  const settings = parseSettings(process.env, path.join(CHECKOUT, '.tiny-forge'));
  server = await startServer({ settings, log, clock: systemClock, newId: randomUUID, say });
  log.info({ url: server.url, role: settings.role, dataDir: settings.dataDir }, 'listening');
  process.send?.({ type: 'listening', url: server.url });
} catch (error) {
  fail(error);
}
