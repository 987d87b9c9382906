import { Client, Connection } from '@temporalio/client';
import { NativeConnection } from '@temporalio/worker';
import type { Logger } from 'pino';
import type { Settings } from '@tiny-forge/contracts/domain';
import type { PartHealth } from '../operations/operation-gateway.ts';
import { connectionOptions } from './connection-options.ts';
import { describeNamespace, ensureNamespace } from './namespace.ts';
import type { RunningWorkers, StartWorkers } from './workers.ts';

export interface LinkOptions {
  readonly settings: Settings['temporal'];
  readonly log: Logger;
  /** null: this process runs no workers (role `api`). */
  readonly startWorkers: StartWorkers | null;
  /** Called each time Temporal is there after it was not, and when its database is another one than before. Errors are logged. */
  readonly onConnected: () => Promise<void>;
  /** How often Temporal is asked whether it is there, ms. */
  readonly probeMs?: number;
}

const PROBE_MS = 900;
const PROBE_DEADLINE_MS = 3_000;
const RETRY_MS = [250, 500, 1_000, 2_000];

/**
 * The process's tie to Temporal. Comes up when Temporal does, survives its absence, and starts anew (namespace, attributes, workers) when it
 * comes back with another database. Never ends the process.
 */
export class TemporalLink {
  readonly #options: LinkOptions;
  #connection: Connection | null = null;
  #client: Client | null = null;
  #workers: RunningWorkers | null = null;
  #temporal: PartHealth = { status: 'starting', detail: null };
  #stopping = false;
  #wake: () => void = () => undefined;
  #loop: Promise<void> | null = null;

  constructor(options: LinkOptions) {
    this.#options = options;
  }

  /** Returns at once; health tells when it is there. */
  start(): void {
    this.#loop ??= this.#run();
  }

  /** Workers hand back or finish what they do, then the connections close. Idempotent. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#wake();
    await this.#loop;
  }

  /** null while Temporal is away. A call may still find it gone. */
  get client(): Client | null {
    return this.#temporal.status === 'ok' ? this.#client : null;
  }

  get namespace(): string {
    return this.#options.settings.namespace;
  }

  get temporal(): PartHealth {
    return this.#temporal;
  }

  /** null: this process has none. */
  get workers(): PartHealth | null {
    if (this.#options.startWorkers === null) return null;
    if (this.#workers === null)
      return { status: this.#temporal.status === 'failed' ? 'failed' : 'starting', detail: null };
    if (this.#workers.failure !== null) return { status: 'failed', detail: this.#workers.failure };
    return this.#temporal.status === 'ok'
      ? { status: 'ok', detail: null }
      : { status: 'away', detail: 'Temporal is away' };
  }

  async #run(): Promise<void> {
    for (let failures = 0; !this.#stopping;) {
      try {
        await this.#live(() => (failures = 0));
      } catch (error) {
        this.#away(error);
        await this.#sleep(RETRY_MS[Math.min(failures, RETRY_MS.length - 1)] ?? 2_000);
        failures += 1;
      } finally {
        await this.#close();
      }
    }
  }

  /** One life: until we stop, the database is another one, or a worker fails. */
  async #live(onUp: () => void): Promise<void> {
    const { settings, startWorkers, log } = this.#options;
    const options = await connectionOptions(settings);
    const connection = await Connection.connect({ ...options, connectTimeout: '5s' });
    this.#connection = connection;
    const id = await connection.withDeadline(Date.now() + 30_000, () =>
      ensureNamespace(connection, settings.namespace),
    );
    this.#client = new Client({ connection, namespace: settings.namespace });
    if (startWorkers) {
      const native = await NativeConnection.connect(options);
      this.#workers = await startWorkers(native, this.#client).catch(async (error: unknown) => {
        await native.close();
        throw error;
      });
    }
    onUp();
    this.#up();
    log.info({ part: 'temporal', address: options.address, namespace: settings.namespace }, 'Temporal is there');
    while (!this.#stopping) {
      await this.#sleep(this.#options.probeMs ?? PROBE_MS);
      if (this.#stopping) return;
      if (this.#workers?.failure) throw new Error(this.#workers.failure);
      const now = await this.#probe(connection);
      if (now === 'away') continue;
      if (now === null || now.id !== id)
        throw new Error('Temporal lost its database: namespace and attributes are made anew');
      if (this.#temporal.status !== 'ok') this.#up();
    }
  }

  async #probe(connection: Connection): Promise<{ readonly id: string } | null | 'away'> {
    try {
      return await connection.withDeadline(Date.now() + PROBE_DEADLINE_MS, () =>
        describeNamespace(connection, this.namespace),
      );
    } catch (error) {
      this.#away(error);
      return 'away';
    }
  }

  #up(): void {
    this.#temporal = { status: 'ok', detail: null };
    this.#options.onConnected().catch((error: unknown) => {
      this.#options.log.error({ part: 'temporal', error: reason(error) }, 'work after reconnecting to Temporal failed');
    });
  }

  #away(error: unknown): void {
    if (this.#stopping) return;
    const detail = reason(error);
    if (this.#temporal.status !== 'away') this.#options.log.warn({ part: 'temporal', why: detail }, 'Temporal is away');
    this.#temporal = { status: 'away', detail };
  }

  async #close(): Promise<void> {
    const workers = this.#workers;
    const connection = this.#connection;
    this.#workers = null;
    this.#client = null;
    this.#connection = null;
    await workers?.stop();
    await connection?.close();
  }

  async #sleep(ms: number): Promise<void> {
    if (this.#stopping) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

const reason = (error: unknown): string => (error instanceof Error ? error.message : String(error)).slice(0, 300);
