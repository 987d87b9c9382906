import { randomInt } from 'node:crypto';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const checkout = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..', '..', '..');
export const nodeBinary = fs.realpathSync(path.join(checkout, 'node_modules', '.bin', 'node'));
export const serverEntry = path.join(checkout, 'apps', 'server', 'dist', 'main.js');
/** How `npm start` runs the server: `config` of its package.json. */
export const launchWishes = (
  JSON.parse(fs.readFileSync(path.join(checkout, 'apps', 'server', 'package.json'), 'utf8')) as {
    config: { nodeFlags: string[]; environment: Record<string, string> };
  }
).config;
export const isRoot = process.getuid?.() === 0;

/** @throws when the tests were started without what `npm test` provides */
export function required(name: 'DOCKER_HOST' | 'TEMPORAL_CLI' | 'CHROMIUM_PATH'): string {
  const value = process.env[name];
  if (value === undefined || value === '') throw new Error(`${name} is not set; \`npm test\` at the root provides it`);
  return value;
}

/** Path of the daemon's socket. Volumes are bind mounts: only a daemon of this machine will do. */
export function dockerSocket(dockerHost: string = required('DOCKER_HOST')): string {
  if (!dockerHost.startsWith('unix://'))
    throw new Error(`these tests need a unix socket, DOCKER_HOST is ${dockerHost}`);
  return dockerHost.slice('unix://'.length);
}

export function staticBusybox(): string {
  const found = [process.env['BUSYBOX_PATH'], '/bin/busybox'].find((file) => file !== undefined && fs.existsSync(file));
  if (found === undefined) throw new Error('no static busybox (BUSYBOX_PATH or /bin/busybox); `npm test` provides it');
  return found;
}

/** A folder of our own whose canonical path is what Docker will see. */
export function temporaryFolder(name: string): string {
  return fs.mkdtempSync(path.join(fs.realpathSync(os.tmpdir()), `tf-e2e-${name}-`));
}

/** Below the ports that Linux gives to whoever asks for any (from 32768 on): it stays ours while its server is away. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < 200; tries++) {
    const port = randomInt(10_000, 32_768);
    if (await isFree(port)) return port;
  }
  throw new Error('200 ports in a row are taken');
}

const isFree = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const probe = net.createServer();
    probe.once('error', () => resolve(false));
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
  });

/** The environment of a child: ours without settings of the product and without what Jest put in. */
export function childEnvironment(extra: Readonly<Record<string, string>>): Record<string, string> {
  const env: Record<string, string> = {};
  for (const [name, value] of Object.entries(process.env)) {
    if (value === undefined || /^(TINY_FORGE_|TEMPORAL_|NODE_OPTIONS$|NODE_ENV$|JEST_|E2E_)/.test(name)) continue;
    env[name] = value;
  }
  return { ...env, ...extra };
}
