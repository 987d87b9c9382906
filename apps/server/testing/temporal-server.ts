import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Connection } from '@temporalio/client';

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

  /** A free port is chosen; nothing runs yet. @throws when TEMPORAL_CLI is not set */
  static async create(): Promise<TemporalServer> {
    return new TemporalServer(await freePort());
  }

  async start(): Promise<void> {
    const cli = process.env['TEMPORAL_CLI'];
    if (!cli) throw new Error('TEMPORAL_CLI is not set: run these tests with `npm test`, which provides a server');
    const file = path.join(this.#folder, 'temporal.db');
    const args = ['server', 'start-dev', '--headless', '--ip', '127.0.0.1', '--port', String(this.#port)];
    args.push('--db-filename', file, '--log-level', 'never');
    this.#process = spawn(cli, args, { stdio: 'ignore' });
    for (const limit = Date.now() + 30_000; ;) {
      try {
        const connection = await Connection.connect({ address: this.address, connectTimeout: '1s' });
        await connection.close();
        return;
      } catch (error) {
        if (Date.now() > limit || this.#process.exitCode !== null) throw error;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
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

async function freePort(): Promise<number> {
  const server = net.createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
