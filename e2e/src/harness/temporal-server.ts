import { execFile } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { OwnProcess } from './child-process.ts';
import { childEnvironment, freePort, required, temporaryFolder } from './environment.ts';
import { eventually } from './waiting.ts';

const run = promisify(execFile);
export const NAMESPACE = 'tiny-forge';

/** A Temporal dev server of our own with a database file, on a fixed random port so that it can go away and come back. */
export class TemporalServer {
  readonly address: string;
  readonly #folder: string;
  readonly #port: number;
  #process: OwnProcess | null = null;

  private constructor(folder: string, port: number) {
    this.#folder = folder;
    this.#port = port;
    this.address = `127.0.0.1:${port}`;
  }

  static async start(): Promise<TemporalServer> {
    const server = new TemporalServer(temporaryFolder('temporal'), await freePort());
    await server.up();
    return server;
  }

  get #databaseFile(): string {
    return path.join(this.#folder, 'temporal.db');
  }

  async up(): Promise<void> {
    if (this.#process?.isAlive) return;
    const launch = (): OwnProcess =>
      new OwnProcess(
        required('TEMPORAL_CLI'),
        // prettier-ignore
        ['server', 'start-dev', '--headless', '--ip', '127.0.0.1', '--port', String(this.#port), '--namespace', NAMESPACE,
        '--db-filename', this.#databaseFile, '--log-level', 'error'],
        { env: childEnvironment({}), logFile: path.join(this.#folder, 'log') },
      );
    this.#process = launch();
    await eventually('Temporal serves', async () => {
      // It takes further ports while it starts, and another program may be quicker at one.
      if (this.#process?.isAlive === false && this.#process.log().includes('address already in use'))
        this.#process = launch();
      return (await this.cli(['operator', 'cluster', 'health'])).includes('SERVING');
    });
  }

  async kill(): Promise<void> {
    await this.#process?.signal('SIGKILL');
  }

  /** Alive but silent: what was sent meanwhile is read after `thaw`. */
  freeze(): void {
    if (this.#process !== null) process.kill(this.#process.pid, 'SIGSTOP');
  }

  thaw(): void {
    if (this.#process?.isAlive) process.kill(this.#process.pid, 'SIGCONT');
  }

  /** Everything Temporal ever knew is gone. */
  async deleteDatabase(): Promise<void> {
    await this.kill();
    for (const suffix of ['', '-wal', '-shm', '-journal']) fs.rmSync(this.#databaseFile + suffix, { force: true });
  }

  async destroy(): Promise<void> {
    await this.kill();
    fs.rmSync(this.#folder, { recursive: true, force: true });
  }

  async cli(args: readonly string[]): Promise<string> {
    const { stdout } = await run(required('TEMPORAL_CLI'), [...args, '--address', this.address], { timeout: 15_000 });
    return stdout;
  }

  /** As an operator would in Temporal's own UI. */
  async terminate(workflowId: string): Promise<void> {
    await this.cli(['workflow', 'terminate', '--namespace', NAMESPACE, '--workflow-id', workflowId, '--reason', 'e2e']);
  }

  /** `RUNNING`, `COMPLETED`, ...; null when Temporal knows no such workflow. */
  async statusOf(workflowId: string): Promise<string | null> {
    try {
      const text = await this.cli([
        'workflow',
        'describe',
        '--namespace',
        NAMESPACE,
        '--workflow-id',
        workflowId,
        '-o',
        'json',
      ]);
      const described = JSON.parse(text) as { workflowExecutionInfo?: { status?: string } };
      return described.workflowExecutionInfo?.status?.replace('WORKFLOW_EXECUTION_STATUS_', '') ?? null;
    } catch (error) {
      if (/not found/i.test(String((error as { stderr?: string }).stderr))) return null;
      throw error;
    }
  }

  /** Ids of the workflows that match a visibility query. */
  async list(query: string): Promise<string[]> {
    const text = await this.cli(['workflow', 'list', '--namespace', NAMESPACE, '--query', query, '-o', 'json']);
    const found = JSON.parse(text === '' ? '[]' : text) as { execution: { workflowId: string } }[];
    return found.map((each) => each.execution.workflowId);
  }
}
