import { randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pino } from 'pino';
import { PERMISSIONS, type Permission, type RestorePlan, type Settings } from '@tiny-forge/contracts/domain';
import type { PlanInput, RestoreEngine } from '@tiny-forge/volsnap';
import { ensureAdmin } from '../auth/first-admin.ts';
import { composeParts } from '../composition.ts';
import { createApp, type App } from '../create-app.ts';
import type { Parts } from '../parts.ts';
import { systemClock, type Clock } from '../state/index.ts';
import { ReadinessProbe, type StartFacts } from '../system/readiness.ts';
import { FakeDocker } from './fake-docker.ts';
import { FakeGateway } from './fake-gateway.ts';
import { TestClient } from './test-client.ts';

export const PASSWORD = 'correct horse battery staple';

export interface TestServerOptions {
  readonly settings?: Partial<Settings>;
  readonly clock?: Clock;
  readonly webRoot?: string;
  /** A second process on the data of another one. */
  readonly beside?: TestServer;
}

/** The real app on a real port with a real database in a folder of its own; Docker and Temporal are fakes. */
export class TestServer {
  readonly folder: string;
  readonly parts: Parts;
  readonly gateway: FakeGateway;
  readonly docker: FakeDocker;
  readonly facts: StartFacts;
  readonly app: App;
  readonly port: number;
  /** What the next plans are; `{}` over a plan without blockers. */
  plan: Partial<RestorePlan> = {};
  /** How long a plan takes to compute, ms. */
  planMs = 0;
  /** What plans were computed from. */
  readonly planned: PlanInput[] = [];
  heldBy: string | null = null;
  readonly #ownsFolder: boolean;

  private constructor(made: Omit<TestServerFields, 'ownsFolder'>, ownsFolder: boolean) {
    this.folder = made.folder;
    this.parts = made.parts;
    this.gateway = made.gateway;
    this.docker = made.docker;
    this.facts = made.facts;
    this.app = made.app;
    this.port = made.port;
    this.#ownsFolder = ownsFolder;
  }

  static async start(options: TestServerOptions = {}): Promise<TestServer> {
    const folder = options.beside?.folder ?? realpathSync(mkdtempSync(path.join(tmpdir(), 'tf-server-')));
    const root = path.join(folder, 'root');
    mkdirSync(root, { recursive: true });
    const docker = new FakeDocker();
    const settings: Settings = {
      dataDir: path.join(folder, 'data'),
      host: '127.0.0.1',
      port: 0,
      adminPassword: PASSWORD,
      demo: false,
      allowedRoots: [root],
      operatorWaitSeconds: 300,
      role: 'all',
      codec: 'zstd',
      safetyDays: 7,
      temporal: {
        address: null,
        namespace: 'tiny-forge',
        apiKey: null,
        tls: false,
        tlsCaFile: null,
        tlsCertFile: null,
        tlsKeyFile: null,
        uiUrl: null,
      },
      dockerHost: null,
      ...options.settings,
    };
    const composed = await composeParts({
      settings,
      log: pino({ level: process.env['SPEC_LOG'] ?? 'silent' }),
      clock: options.clock ?? systemClock,
      newId: randomUUID,
      docker: docker.port,
    });
    const self: { server: TestServer | null } = { server: null };
    const restoreEngine: RestoreEngine = {
      ...composed.restoreEngine,
      plan: async (input) => {
        self.server?.planned.push(input);
        await new Promise((resolve) => setTimeout(resolve, self.server?.planMs ?? 0));
        return { ...aPlan(), ...self.server?.plan };
      },
      heldBy: async () => self.server?.heldBy ?? null,
    };
    const parts: Parts = { ...composed, restoreEngine };
    await ensureAdmin(parts.state, settings.adminPassword, () => undefined);
    const gateway = new FakeGateway(parts.state);
    const facts: StartFacts = { recovery: { status: 'ok', detail: null, code: null }, docker: null };
    const readiness = new ReadinessProbe(parts, gateway, facts, { maxAgeMs: 0 });
    const webRoot = options.webRoot ?? path.join(folder, 'no-web');
    const app = await createApp({ parts, gateway, readiness, webRoot });
    const port = await app.listen(settings.host, 0);
    const server = new TestServer({ folder, parts, gateway, docker, facts, app, port }, options.beside === undefined);
    self.server = server;
    return server;
  }

  get anonymous(): TestClient {
    return new TestClient(this.port);
  }

  async login(): Promise<TestClient> {
    const answer = await this.anonymous.post('/api/auth/login', { username: 'admin', password: PASSWORD });
    if (answer.status !== 200) throw new Error(`login: ${answer.status} ${answer.text}`);
    const cookie = (answer.headers['set-cookie'] ?? []).map((each) => each.split(';')[0]).join('; ');
    return new TestClient(this.port, { cookie, 'x-csrf-token': (answer.body as { csrfToken: string }).csrfToken });
  }

  async token(permissions: readonly Permission[] = PERMISSIONS): Promise<TestClient> {
    const made = await (await this.login()).post('/api/tokens', { name: 'spec', permissions });
    if (made.status !== 201) throw new Error(`token: ${made.status} ${made.text}`);
    return new TestClient(this.port, { authorization: `Bearer ${(made.body as { token: string }).token}` });
  }

  async stop(): Promise<void> {
    await this.app.close();
    await this.parts.state.close();
    if (this.#ownsFolder) rmSync(this.folder, { recursive: true, force: true });
  }
}

interface TestServerFields {
  readonly folder: string;
  readonly parts: Parts;
  readonly gateway: FakeGateway;
  readonly docker: FakeDocker;
  readonly facts: StartFacts;
  readonly app: App;
  readonly port: number;
  readonly ownsFolder: boolean;
}

export const aPlan = (): RestorePlan => ({
  planHash: 'hash-1',
  confirmWord: 'guestbook',
  keptUntil: '2026-11-30T02:14:00.000Z',
  steps: [],
  stops: [],
  estimates: { stagingSeconds: 1, downtimeSeconds: 1, downtimeLimitSeconds: 60, from: 'size' },
  volumes: [],
  untouchedVolumes: [],
  space: [],
  image: null,
  blockers: [],
  warnings: [],
});
