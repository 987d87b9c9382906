import { spawn, type ChildProcess } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { provided, temporaryFolders } from '../testing/temporary.ts';
import { freePorts } from './free-port.ts';
import { identityOf, isRunning, waitUntil, type ProcessIdentity } from './process-identity.ts';
import { findLivingTemporal, planTemporal, stopTemporalServer } from './temporal-server.ts';

const temporaryFolder = temporaryFolders();
const started: ChildProcess[] = [];
let dataDir: string;
let port: number;

beforeEach(async () => {
  dataDir = temporaryFolder();
  [port = 0] = await freePorts(1);
});
afterEach(async () => {
  for (const child of started.splice(0)) child.kill('SIGKILL');
  await stopTemporalServer(plan());
});

const plan = () => planTemporal(dataDir, 'tiny-forge');

interface Start {
  readonly child: ChildProcess;
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  text(): string;
  says(pattern: RegExp, timeoutMs?: number): Promise<void>;
  /** The fake server's process, once it runs. */
  server(): ProcessIdentity;
}

/** `npm start` with a server that only pretends; everything else is real. */
function start(env: NodeJS.ProcessEnv = {}, args: readonly string[] = []): Start {
  const inherited = Object.entries(process.env).filter(([name]) => !/^(TINY_FORGE_|TEMPORAL_|npm_)/.test(name));
  const child = spawn(
    process.execPath,
    ['--conditions=tiny-forge-source', path.join(import.meta.dirname, '..', 'testing', 'up-fake.ts'), ...args],
    {
      env: {
        ...Object.fromEntries(inherited),
        PATH: `${path.dirname(provided('TEMPORAL_CLI'))}:${process.env['PATH']}`,
        DOCKER_HOST: provided('DOCKER_HOST'),
        TINY_FORGE_DATA: dataDir,
        TINY_FORGE_PORT: String(port),
        ...env,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  started.push(child);
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => (text += chunk.toString()));
  const ended = once(child, 'close').then(([code, signal]: unknown[]) => ({
    code: code as number | null,
    signal: signal as NodeJS.Signals | null,
  }));
  return {
    child,
    ended,
    text: () => text,
    async says(pattern, timeoutMs = 20_000) {
      if (!(await waitUntil(() => pattern.test(text), timeoutMs)))
        throw new Error(`it never said ${String(pattern)}, but:\n${text}`);
    },
    server() {
      const identity = identityOf(Number(/"pid":(\d+)/.exec(text)?.[1]));
      if (identity === null) throw new Error(`no server runs:\n${text}`);
      return identity;
    },
  };
}

describe('npm start', () => {
  it('provides Temporal, starts the server with what it needs, says where and how to log in', async () => {
    const up = start();
    await up.says(/stop +Ctrl-C/);
    const temporal = findLivingTemporal(plan());
    const told = JSON.parse(
      up
        .text()
        .split('\n')
        .find((line) => line.startsWith('{"fake"')) ?? '{}',
    ) as Record<string, unknown>;
    expect(told).toMatchObject({
      temporal: temporal?.address,
      namespace: 'tiny-forge',
      ui: temporal?.uiUrl,
      docker: provided('DOCKER_HOST'),
    });
    expect(up.text()).toMatch(new RegExp(`open +http://127\\.0\\.0\\.1:${port}\\n`));
    expect(up.text()).toMatch(/log in +as admin, with the password printed above/);
  });

  it.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)(
    'ends cleanly on %s: server, then Temporal, code 0',
    async (signal) => {
      const up = start();
      await up.says(/Ready after/);
      const [server, temporal] = [up.server(), findLivingTemporal(plan())];
      up.child.kill(signal);
      expect(await up.ended).toEqual({ code: 0, signal: null });
      expect(up.text()).toContain('fake server ends: SIGTERM');
      expect([server, temporal].map((one) => one !== null && isRunning(one))).toEqual([false, false]);
    },
  );

  it('waits for a server that takes its time to end', async () => {
    const up = start({ FAKE_SERVER: 'slow' });
    await up.says(/Ready after/);
    const began = Date.now();
    up.child.kill('SIGTERM');
    expect((await up.ended).code).toBe(0);
    expect(Date.now() - began).toBeGreaterThan(1_900);
  });

  it('kills a deaf server only when asked a third time', async () => {
    const up = start({ FAKE_SERVER: 'deaf' });
    await up.says(/Ready after/);
    const server = up.server();
    for (const _press of [1, 2, 3]) {
      expect(isRunning(server)).toBe(true);
      // Twice a press, as npm and the terminal deliver it.
      up.child.kill('SIGINT');
      up.child.kill('SIGINT');
      await new Promise((resolve) => setTimeout(resolve, 1_200));
    }
    expect((await up.ended).code).toBe(0);
    expect(isRunning(server)).toBe(false);
  });

  it('says so when the server dies, stops Temporal, and fails', async () => {
    const up = start({ FAKE_SERVER: 'dies' });
    expect((await up.ended).code).toBe(1);
    expect(up.text()).toMatch(/The server ended by itself \(code 3\)/);
    expect(findLivingTemporal(plan())).toBeNull();
  });

  it('leaves no server behind when it is killed; the next start adopts the Temporal that stayed', async () => {
    const first = start();
    await first.says(/Ready after/);
    const [server, temporal] = [first.server(), findLivingTemporal(plan())];
    first.child.kill('SIGKILL');
    expect(await waitUntil(() => !isRunning(server), 5_000)).toBe(true);
    const second = start();
    await second.says(/Ready after/);
    expect(second.text()).toMatch(/temporal +ours is still up/);
    expect(findLivingTemporal(plan())?.pid).toBe(temporal?.pid);
    second.child.kill('SIGTERM');
    expect((await second.ended).code).toBe(0);
    expect(findLivingTemporal(plan())).toBeNull();
  });

  it('role api adopts the Temporal of the data folder, never stops it, and keeps it up for itself', async () => {
    const [apiPort = 0, laterPort = 0] = await freePorts(2);
    const main = start();
    await main.says(/Ready after/);
    const api = start({ TINY_FORGE_ROLE: 'api', TINY_FORGE_PORT: String(apiPort) });
    await api.says(/Ready after/);
    const temporal = findLivingTemporal(plan());
    main.child.kill('SIGTERM');
    expect((await main.ended).code).toBe(0);
    expect(main.text()).toMatch(/stays up for process \d+ \(role api\)/);
    expect(findLivingTemporal(plan())?.pid).toBe(temporal?.pid);
    api.child.kill('SIGTERM');
    expect((await api.ended).code).toBe(0);
    expect(findLivingTemporal(plan())?.pid).toBe(temporal?.pid);
    const later = start({ TINY_FORGE_PORT: String(laterPort) });
    await later.says(/Ready after/);
    later.child.kill('SIGTERM');
    expect((await later.ended).code).toBe(0);
    expect(findLivingTemporal(plan())).toBeNull();
  });

  it('is the same data folder by another name', async () => {
    const [secondPort = 0] = await freePorts(1);
    const link = path.join(temporaryFolder(), 'link');
    fs.symlinkSync(dataDir, link);
    const first = start();
    await first.says(/Ready after/);
    const second = start({ TINY_FORGE_DATA: link, TINY_FORGE_PORT: String(secondPort) });
    await second.says(/Ready after/);
    expect(second.text()).toMatch(/temporal +ours is still up/);
  });

  it('names a taken port, its own twin by number', async () => {
    const stranger = net.createServer().listen(port, '127.0.0.1');
    await once(stranger, 'listening');
    const blocked = start();
    expect((await blocked.ended).code).toBe(1);
    expect(blocked.text()).toMatch(
      new RegExp(`port ${port} on 127\\.0\\.0\\.1 is taken[^]*TINY_FORGE_PORT=${port + 1} npm start`),
    );
    stranger.close();
    await once(stranger, 'close');
    const main = start();
    await main.says(/Ready after/);
    const twin = start();
    expect((await twin.ended).code).toBe(1);
    expect(twin.text()).toMatch(new RegExp(`runs already on this data folder[^]*process ${main.child.pid} `));
  });

  it('takes port 0 and shows the one that the server got', async () => {
    const up = start({ TINY_FORGE_PORT: '0' });
    await up.says(/stop +Ctrl-C/);
    expect(up.text()).toMatch(/open +http:\/\/127\.0\.0\.1:[1-9]\d+\n/);
  });

  it.each<[string, NodeJS.ProcessEnv, string[], RegExp]>([
    ['an unknown setting', { TINY_FORGE_PROT: '1' }, [], /TINY_FORGE_PROT/],
    ['a wrong value', { TINY_FORGE_PORT: 'x' }, [], /TINY_FORGE_PORT=x is wrong: a whole number from 0 to 65535/],
    ['an unknown argument', {}, ['--port=1'], /Unknown argument --port=1/],
  ])('stops at %s with code 2 before anything is touched', async (_name, env, args, words) => {
    const up = start(env, args);
    expect((await up.ended).code).toBe(2);
    expect(up.text()).toMatch(words);
    expect(up.text()).toContain('npm start -- --help');
    expect(up.text()).not.toMatch(/\bat .*:\d+:\d+/);
  });

  it('fails with the exact missing thing when DOCKER_HOST does not answer', async () => {
    const up = start({ DOCKER_HOST: 'unix:///nowhere/docker.sock' });
    expect((await up.ended).code).toBe(1);
    expect(up.text()).toMatch(
      /Tiny Forge did not start: the Docker Engine at DOCKER_HOST=unix:\/\/\/nowhere\/docker\.sock does not answer/,
    );
  });

  it('prints every setting', async () => {
    const help = start({}, ['--help']);
    expect((await help.ended).code).toBe(0);
    expect(help.text()).toContain('TINY_FORGE_OPERATOR_WAIT_SECONDS');
  });
});
