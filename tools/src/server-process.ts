import { spawn, type ChildProcess } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { waitUntil } from './process-identity.ts';

/** How a server process ended. */
export interface ServerEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface ServerProcess {
  readonly pid: number | undefined;
  /** Resolves when the process is gone. */
  readonly ended: Promise<ServerEnd>;
  hasEnded(): boolean;
  signal(signal: NodeJS.Signals): void;
  /** The address that the server told through its channel (`{type: 'listening', url}`), null until then. */
  toldUrl(): string | null;
}

interface LaunchWishes {
  readonly nodeFlags?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

/**
 * How the server wants to be run: `config` of its package.json. Without these, threads of Node and of Temporal's core each keep an
 * arena of their own and V8 a young generation of 48 MB: a restore then peaks at 530 MiB instead of 320 (e2e, memory). Its compile
 * cache, below the checkout it is started in, is that of `compile-cache.mjs`: a start takes a fifth less.
 */
export function launchWishes(entry: string): LaunchWishes {
  const manifest = path.join(path.dirname(entry), '..', 'package.json');
  if (!fs.existsSync(manifest)) return {};
  return (JSON.parse(fs.readFileSync(manifest, 'utf8')) as { config?: LaunchWishes }).config ?? {};
}

/**
 * Starts the server in a session of its own, so that Ctrl-C in the terminal reaches only us and the order of the end is ours.
 * Its output is the terminal's own. The IPC channel closes when we die, by SIGKILL too: the server then ends gracefully by itself.
 */
export function startServer(entry: string, env: NodeJS.ProcessEnv, cwd: string): ServerProcess {
  const { nodeFlags = [], environment = {} } = launchWishes(entry);
  const child: ChildProcess = spawn(process.execPath, [...nodeFlags, entry], {
    cwd,
    env: { ...environment, ...env },
    detached: true,
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  let end: ServerEnd | null = null;
  let url: string | null = null;
  child.on('message', (message: unknown) => {
    const { type, url: told } = (message ?? {}) as { type?: unknown; url?: unknown };
    if (type === 'listening' && typeof told === 'string') url = told;
  });
  const ended = new Promise<ServerEnd>((resolve) => {
    const settle = (code: number | null, signal: NodeJS.Signals | null): void => resolve((end ??= { code, signal }));
    child.once('exit', settle);
    child.once('error', () => settle(127, null));
  });
  return {
    pid: child.pid,
    ended,
    hasEnded: () => end !== null,
    signal: (signal) => void child.kill(signal),
    toldUrl: () => url,
  };
}

export interface ReadyAnswer {
  readonly ready: boolean;
  /** Parts that are not ready, as `name (status)`. Empty while nobody answers. */
  readonly waitingFor: readonly string[];
}

/** Asks `GET /readyz` once. */
export async function askReady(url: string): Promise<ReadyAnswer> {
  try {
    const response = await fetch(new URL('/readyz', url), { signal: AbortSignal.timeout(3_000) });
    const body = (await response.json()) as { parts?: { name: string; status: string }[] };
    const waitingFor = (body.parts ?? [])
      .filter(({ status }) => !/^(up|ok|ready)$/i.test(status))
      .map(({ name, status }) => `${name} (${status})`);
    return { ready: response.ok, waitingFor };
  } catch {
    return { ready: false, waitingFor: [] };
  }
}

/**
 * Waits until the server is ready or has ended.
 * @param onSlow called with the parts it waits for when that took long, and whenever they change afterwards
 */
export async function waitForReady(
  server: ServerProcess,
  urlOf: () => string | null,
  onSlow: (parts: readonly string[]) => void,
  slowAfterMs = 15_000,
): Promise<boolean> {
  const started = Date.now();
  let told = '';
  let ready = false;
  await waitUntil(
    async () => {
      if (server.hasEnded()) return true;
      const url = urlOf();
      const answer = url === null ? { ready: false, waitingFor: [] } : await askReady(url);
      ready = answer.ready;
      const waiting = answer.waitingFor.length > 0 ? answer.waitingFor : ['its first answer'];
      if (!ready && Date.now() - started > slowAfterMs && told !== waiting.join()) {
        told = waiting.join();
        onSlow(waiting);
      }
      return ready;
    },
    Number.MAX_SAFE_INTEGER,
    100,
  );
  return ready;
}
