import fs from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Operation, Readiness } from '@tiny-forge/contracts/domain';
import { LABELS, isEnded } from '@tiny-forge/contracts/domain';
import { OwnProcess, type Exit } from './child-process.ts';
import { Cleanup } from './cleanup.ts';
import { DockerEngine, type ContainerSummary } from './docker-engine.ts';
import {
  childEnvironment,
  checkout,
  dockerSocket,
  freePort,
  launchWishes,
  nodeBinary,
  required,
  serverEntry,
  temporaryFolder,
} from './environment.ts';
import { ApiClient, send } from './http-client.ts';
import { killEnvironment, type KillPoint } from './kill-point.ts';
import { TemporalServer, NAMESPACE } from './temporal-server.ts';
import { eventually } from './waiting.ts';

export const PASSWORD = 'correct horse battery staple';

export interface StackOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly role?: 'all' | 'api' | 'control' | 'host';
  /** Another stack, to run a second process on its data folder with its settings; else a folder of its own. */
  readonly beside?: Stack;
  /** Shared with others; else one of its own. */
  readonly temporal?: TemporalServer;
  readonly dockerHost?: string;
  /** The engine behind `dockerHost` where that is not the one of the environment. */
  readonly engineSocket?: string;
}

/** The product as a user runs it: the built server on a data folder, with a real Temporal and a real Docker. */
export class Stack {
  readonly folder: string;
  readonly dataDir: string;
  /** An allowed root for volumes of scope `absolute`. */
  readonly root: string;
  readonly port: number;
  readonly temporal: TemporalServer;
  readonly docker: DockerEngine;
  readonly cleanup = new Cleanup();
  /** Ids of images to remove at the end, after the containers made of them. */
  readonly images: string[] = [];
  readonly #options: StackOptions;
  #server: OwnProcess | null = null;
  #api: ApiClient | null = null;

  private constructor(options: StackOptions, folder: string, port: number, temporal: TemporalServer) {
    this.#options = options;
    this.folder = folder;
    this.dataDir = options.beside?.dataDir ?? path.join(folder, 'data');
    this.root = options.beside?.root ?? path.join(folder, 'root');
    this.port = port;
    this.temporal = temporal;
    this.docker = new DockerEngine(options.engineSocket ?? dockerSocket());
  }

  /** Made but not started. */
  static async make(options: StackOptions = {}): Promise<Stack> {
    const folder = temporaryFolder('stack');
    const temporal = options.beside?.temporal ?? options.temporal ?? (await TemporalServer.start());
    const stack = new Stack(options, folder, await freePort(), temporal);
    fs.mkdirSync(stack.root, { recursive: true });
    stack.cleanup.add('folder', () => fs.rmSync(folder, { recursive: true, force: true }));
    if (options.temporal === undefined && options.beside === undefined)
      stack.cleanup.add('temporal', () => temporal.destroy());
    stack.cleanup.add('images', async () => {
      for (const image of stack.images) await stack.docker.removeImage(image);
    });
    // On a borrowed data folder the containers are the owner's.
    if (options.beside === undefined) stack.cleanup.add('containers', () => stack.#removeContainers());
    stack.cleanup.add('server', () => stack.stop());
    return stack;
  }

  static async start(options: StackOptions = {}): Promise<Stack> {
    const stack = await Stack.make(options);
    try {
      await stack.up();
      return stack;
    } catch (error) {
      const log = stack.log();
      await stack.destroy();
      throw new Error(`the server did not become ready; its log ends:\n${log.slice(-4_000)}`, { cause: error });
    }
  }

  get server(): OwnProcess {
    if (this.#server === null) throw new Error('the server was not started');
    return this.#server;
  }

  /** @throws before `up` */
  get api(): ApiClient {
    if (this.#api === null) throw new Error('not signed in');
    return this.#api;
  }

  log(): string {
    return this.#server?.log() ?? '';
  }

  /** Starts the process and nothing more. */
  launch({ kill, env = {} }: { kill?: KillPoint; env?: Readonly<Record<string, string>> } = {}): OwnProcess {
    if (this.#server?.isAlive) throw new Error('the server runs already');
    this.#server = new OwnProcess(nodeBinary, [...launchWishes.nodeFlags, serverEntry], {
      cwd: checkout,
      logFile: path.join(this.folder, 'server.log'),
      env: childEnvironment({
        ...launchWishes.environment,
        TINY_FORGE_DATA: this.dataDir,
        TINY_FORGE_PORT: String(this.port),
        TINY_FORGE_ADMIN_PASSWORD: PASSWORD,
        TINY_FORGE_DEMO: '0',
        TINY_FORGE_ALLOWED_ROOTS: this.root,
        TINY_FORGE_OPERATOR_WAIT_SECONDS: '0',
        TINY_FORGE_ROLE: this.#options.role ?? 'all',
        TEMPORAL_ADDRESS: this.temporal.address,
        TEMPORAL_NAMESPACE: NAMESPACE,
        DOCKER_HOST: this.#options.dockerHost ?? required('DOCKER_HOST'),
        ...this.#options.env,
        ...env,
        ...(kill === undefined ? {} : killEnvironment(kill)),
      }),
    });
    return this.#server;
  }

  /** Starts the process, waits until it is ready and signs in. */
  async up(options: Parameters<Stack['launch']>[0] = {}): Promise<void> {
    this.launch(options);
    await this.ready();
    this.#api ??= await this.#signIn();
  }

  async ready(timeoutMs = 60_000): Promise<Readiness> {
    return eventually(
      'readyz',
      async () => {
        if (!this.server.isAlive)
          return Promise.reject(new Error(`the server ended: ${JSON.stringify(this.server.exit)}`));
        const answer = await send<Readiness>(this.port, { method: 'GET', path: '/readyz', timeoutMs: 5_000 });
        return answer.status === 200 ? answer.body : Promise.reject(new Error(answer.text));
      },
      { timeoutMs, intervalMs: 50 },
    );
  }

  async #signIn(): Promise<ApiClient> {
    const session = await ApiClient.login(this.port, 'admin', PASSWORD);
    const { user } = (await session.get<{ user: { permissions: string[] } }>('/api/auth/me')).body;
    const created = await session.post<{ token: string }>('/api/tokens', {
      name: 'e2e',
      permissions: user.permissions,
    });
    if (created.status !== 201) throw new Error(`token: ${created.status} ${created.text}`);
    return session.withToken(created.body.token);
  }

  /** As a power cut would. */
  async kill(): Promise<Exit> {
    return this.server.signal('SIGKILL');
  }

  async stop(): Promise<Exit | null> {
    return this.#server === null ? null : this.#server.end();
  }

  async restart(options: Parameters<Stack['launch']>[0] = {}): Promise<void> {
    await this.stop();
    await this.up(options);
  }

  get databaseName(): string {
    const name = fs.readdirSync(this.dataDir).find((each) => /\.(db|sqlite3?)$/.test(each));
    if (name === undefined) throw new Error(`no database in ${this.dataDir}`);
    return name;
  }

  /** The state database, read-only, for one look. */
  query<T>(sql: string, ...values: (string | number)[]): T[] {
    const database = new DatabaseSync(path.join(this.dataDir, this.databaseName), { readOnly: true, timeout: 5_000 });
    try {
      return database.prepare(sql).all(...values) as T[];
    } finally {
      database.close();
    }
  }

  get installation(): string {
    const [row] = this.query<{ value: string }>(`select value from meta where key like '%installation%'`);
    if (row === undefined) throw new Error('no installation id in the database');
    return row.value;
  }

  async operation(id: string): Promise<Operation> {
    const answer = await this.api.get<Operation>(`/api/operations/${id}`);
    if (answer.status !== 200) throw new Error(`operation ${id}: ${answer.status} ${answer.text}`);
    return answer.body;
  }

  /** Polls through outages of the server until the operation looks as asked; `ended` by default. */
  async until(
    operationId: string,
    what = 'ended',
    isSo: (operation: Operation) => boolean = (operation) => isEnded(operation.state),
    timeoutMs = 60_000,
  ): Promise<Operation> {
    let last: Operation | null = null;
    try {
      return await eventually(
        `operation ${operationId} ${what}`,
        async () => {
          last = await this.operation(operationId);
          return isSo(last) ? last : null;
        },
        { timeoutMs, intervalMs: 60 },
      );
    } catch (error) {
      const steps = (last as Operation | null)?.steps.map((step) => `${step.name}=${step.state}`).join(' ');
      throw new Error(
        `${(error as Error).message}\nstate ${(last as Operation | null)?.state} ${steps} ${JSON.stringify((last as Operation | null)?.error)}\nlog ends:\n${this.log().slice(-3_000)}`,
        { cause: error },
      );
    }
  }

  /** Containers of this installation, of one workload where given. */
  async containers(workloadId?: string): Promise<ContainerSummary[]> {
    const labels = [`${LABELS.installation}=${this.installation}`];
    if (workloadId !== undefined) labels.push(`${LABELS.workload}=${workloadId}`);
    return this.docker.containers(labels);
  }

  async #removeContainers(): Promise<void> {
    // By what they mount as well: an installation that died before it had an id may have left a probe.
    for (const container of await this.docker.containers()) {
      const isOurs = container.Mounts.some((mount) => mount.Source?.startsWith(`${this.folder}/`));
      if (isOurs || (fs.existsSync(this.dataDir) && this.#labelledOurs(container)))
        await this.docker.remove(container.Id);
    }
  }

  #labelledOurs(container: ContainerSummary): boolean {
    try {
      return container.Labels[LABELS.installation] === this.installation;
    } catch {
      return false;
    }
  }

  async destroy(): Promise<void> {
    await this.cleanup.run();
  }
}
