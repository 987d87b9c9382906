import { spawn, type ChildProcess } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Connection } from '@temporalio/client';
import { freePort } from '../src/demo/free-port.ts';

/** A Temporal dev server with a database file, which tests stop, kill and rob of its database. */
export class TemporalServer {
  readonly address: string;
  readonly #folder = mkdtempSync(path.join(tmpdir(), 'tf-temporal-'));
  readonly #port: number;
  #process: ChildProcess | null = null;

  private constructor(port: number) {
    this.#port = port;
    this.address = `127.0.0.1:${port}`;
  }

  /** A free port is chosen below those that Linux gives to whoever asks for any; nothing runs yet. */
  static async create(): Promise<TemporalServer> {
    return new TemporalServer(await freePort('127.0.0.1', randomInt(20_000, 32_000)));
  }

  /** Serves when it resolves. @throws with its last words */
  async start(): Promise<void> {
    const cli = process.env['TEMPORAL_CLI'];
    if (!cli) throw new Error('TEMPORAL_CLI is not set: run these tests with `npm test`, which provides a server');
    const limit = Date.now() + 30_000;
    let problem = this.#launch(cli);
    while (!(await this.#serves())) {
      const words = problem();
      // It takes further ports while it starts, and another program may be quicker at one.
      const lostPort = words?.includes('address already in use') === true;
      if (Date.now() > limit || (words !== null && !lostPort))
        throw new Error(`Temporal does not serve: ${words ?? 'silent'}`);
      if (lostPort) problem = this.#launch(cli);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  /** Gives how the process ended, null while it lives. */
  #launch(cli: string): () => string | null {
    const args = ['server', 'start-dev', '--headless', '--ip', '127.0.0.1', '--port', String(this.#port)];
    args.push('--db-filename', path.join(this.#folder, 'temporal.db'), '--log-level', 'error');
    const logFile = path.join(this.#folder, 'log');
    const log = openSync(logFile, 'w');
    const child = spawn(cli, args, { stdio: ['ignore', log, log] });
    closeSync(log);
    this.#process = child;
    return () => {
      if (child.exitCode === null && child.signalCode === null) return null;
      return `ended with ${child.exitCode ?? child.signalCode}: ${readFileSync(logFile, 'utf8').slice(-1_000)}`;
    };
  }

  async #serves(): Promise<boolean> {
    try {
      const connection = await Connection.connect({ address: this.address, connectTimeout: '1s' });
      await connection.close();
      return true;
    } catch {
      return false;
    }
  }

  async stop(): Promise<void> {
    const child = this.#process;
    this.#process = null;
    if (!child || child.exitCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }

  forgetEverything(): void {
    for (const suffix of ['', '-wal', '-shm', '-journal']) {
      rmSync(path.join(this.#folder, `temporal.db${suffix}`), { force: true });
    }
  }

  async remove(): Promise<void> {
    await this.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
