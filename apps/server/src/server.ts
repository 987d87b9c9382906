import path from 'node:path';
import type { Logger } from 'pino';
import type { Settings } from '@tiny-forge/contracts/domain';
import { ensureAdmin } from './auth/first-admin.ts';
import { CHECKOUT, composeParts } from './composition.ts';
import { createApp, type App } from './create-app.ts';
import { DemoStarter } from './demo/index.ts';
import { LateGateway } from './operations/late-gateway.ts';
import type { Parts } from './parts.ts';
import { acquireHostLock, HostStart, type HostLock } from './recovery/index.ts';
import { SafetyJanitor } from './retention/safety-janitor.ts';
import { makeDirectory, type Clock } from './state/index.ts';
import { ReadinessProbe, type StartFacts } from './system/readiness.ts';
import { createOperationsRuntime, type OperationsRuntime } from './temporal/index.ts';

export interface ServerOptions {
  readonly settings: Settings;
  readonly log: Logger;
  readonly clock: Clock;
  readonly newId: () => string;
  /** For people: the address, the first password. */
  readonly say: (line: string) => void;
  readonly webRoot?: string;
}

export interface RunningServer {
  readonly url: string;
  readonly parts: Parts;
  /** HTTP first, then workers (hand back), then the database and the lock. Idempotent. */
  stop(): Promise<void>;
}

/**
 * One process of the product, in its role. Listens before recovery is through; `/api` answers 503 STARTING until then.
 * @throws ForgeError for settings and data folder, and what listening throws; nothing is left running then
 */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const { settings, log, clock, newId, say } = options;
  const isHost = settings.role === 'all' || settings.role === 'host';
  const ending: (() => Promise<void> | void)[] = [];
  const end = async (): Promise<void> => {
    for (const step of ending.splice(0).reverse()) {
      try {
        await step();
      } catch (error) {
        log.error({ err: error }, 'a part did not end cleanly');
      }
    }
  };
  try {
    makeDirectory(settings.dataDir);
    if (isHost) {
      const lock: HostLock = acquireHostLock(settings.dataDir, clock.now());
      ending.push(() => lock.release());
    }
    const parts = await composeParts({ settings, log, clock, newId });
    ending.push(() => parts.state.close());
    await ensureAdmin(parts.state, settings.adminPassword, (password) => {
      say(`  log in     as admin with the password ${password}  (shown only this once)`);
    });
    await tellWhereDataLives(parts, say);
    const facts: StartFacts = { recovery: { status: 'ok', detail: null, code: null }, docker: null };
    const gateway = new LateGateway();
    const readiness = new ReadinessProbe(parts, gateway, facts, { asksDocker: settings.role !== 'control' });
    const runtime = makeRuntime(parts);
    ending.push(() => runtime.stop());
    const janitor = new SafetyJanitor(parts);
    ending.push(() => janitor.stop());
    const hostStart = isHost
      ? new HostStart({
          ...parts,
          dockerHost: settings.dockerHost,
          facts,
          onSwept: () => {
            runtime.start();
            janitor.start();
          },
        })
      : null;
    if (hostStart) ending.push(() => hostStart.stop());
    gateway.attach(runtime.gateway);
    const app = await createApp({
      parts,
      gateway,
      readiness,
      webRoot: options.webRoot ?? path.join(CHECKOUT, 'apps', 'web', 'build'),
    });
    ending.push(() => app.close());
    const port = await app.listen(settings.host, settings.port);
    if (hostStart) hostStart.start();
    else runtime.start();
    ending.push(startHousekeeping(parts, app));
    const demo = startDemo(parts, app, readiness);
    if (demo) ending.push(() => demo.stop());
    return { url: urlOf(settings.host, port), parts, stop: end };
  } catch (error) {
    await end();
    throw error;
  }
}

function makeRuntime(parts: Parts): OperationsRuntime {
  const { registry, deployer, restoreEngine, captureEngine, importEngine, scopeContext } = parts;
  return createOperationsRuntime({
    ...parts,
    host: { registry, deployer, restoreEngine, captureEngine, importEngine, scopeContext },
  });
}

/** The role `all` alone makes the demo: it has every part. */
function startDemo(parts: Parts, app: App, readiness: ReadinessProbe): DemoStarter | null {
  if (parts.settings.role !== 'all') return null;
  const demo = new DemoStarter({ parts, services: app.services, readiness });
  demo.start();
  return demo;
}

async function tellWhereDataLives({ state, settings, dataDir }: Parts, say: (line: string) => void): Promise<void> {
  if (settings.dataDir !== path.join(CHECKOUT, '.tiny-forge')) return;
  const demo = await state.meta.get('demo');
  const others = (await state.workloads.all()).filter((workload) => workload.id !== demo);
  if (others.length === 0) return;
  say(
    `  note       ${others.length} workload(s) keep their data in ${dataDir}, inside the checkout: do not delete it;`,
  );
  say('             set TINY_FORGE_DATA to keep it elsewhere');
}

export function urlOf(host: string, port: number): string {
  const shown = host === '0.0.0.0' || host === '::' ? 'localhost' : host.includes(':') ? `[${host}]` : host;
  return `http://${shown}:${port}`;
}

const HOUSEKEEPING_MS = 3_600_000;
const COLLECT_MS = 60_000;

/** Forgets what has run out. @returns its end */
function startHousekeeping({ state, log, settings }: Parts, app: App): () => void {
  const clean = async (): Promise<void> => {
    try {
      await state.idempotency.purgeOld();
      await state.sessions.purgeExpired();
    } catch (error) {
      log.warn({ err: error }, 'what has run out could not be forgotten');
    }
  };
  const timer = setInterval(() => void clean(), HOUSEKEEPING_MS);
  timer.unref();
  const collect = (): void => {
    app.services.imports.collect().catch((error: unknown) => {
      log.warn({ err: error }, 'uploads that nobody needs could not be removed');
    });
  };
  if (settings.role === 'control') return () => clearInterval(timer);
  collect();
  const collecting = setInterval(collect, COLLECT_MS);
  collecting.unref();
  return () => {
    clearInterval(timer);
    clearInterval(collecting);
  };
}
