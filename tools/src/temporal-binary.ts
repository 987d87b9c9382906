import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { lastLines, runCommand, type Machine } from './commands.ts';
import { exclusively } from './exclusive.ts';
import { ProvisionError } from './provision-error.ts';
import type { Terminal } from './terminal.ts';
import { duration, isAtLeast } from '../bootstrap.mjs';

/** The newest release that `go install` can build: later ones carry a `replace` directive. */
export const TEMPORAL_VERSION = '1.5.1';
const OLDEST_GO = [1, 25] as const;
const MODULE = 'github.com/temporalio/cli/cmd/temporal';

export interface TemporalBinary {
  readonly file: string;
  readonly origin: 'PATH' | 'cache' | 'built' | 'downloaded';
}

/** Outside the checkout, so that a second clone finds what the first one made. */
export function cacheDir(env: NodeJS.ProcessEnv): string {
  const base = env['XDG_CACHE_HOME'];
  return path.join(
    base !== undefined && path.isAbsolute(base) ? base : path.join(env['HOME'] ?? os.homedir(), '.cache'),
    'tiny-forge',
  );
}

export function cachedTemporal(env: NodeJS.ProcessEnv): string {
  return path.join(cacheDir(env), 'temporal', TEMPORAL_VERSION, 'temporal');
}

/** Downloads the CLI into `folder` and gives its path; rejects without a network. */
export type Download = (folder: string) => Promise<string>;

/**
 * Finds the `temporal` program or provides one: PATH, our cache, the pinned build with Go, the SDK's own download.
 * @throws ProvisionError TEMPORAL_MISSING
 */
export async function ensureTemporalBinary(
  machine: Machine,
  terminal: Terminal,
  download: Download,
): Promise<TemporalBinary> {
  const onPath = machine.which('temporal');
  if (onPath !== null && (await machine.run(onPath, ['--version'])).code === 0) return { file: onPath, origin: 'PATH' };
  const cached = cachedTemporal(machine.env);
  if (machine.isExecutable(cached)) return { file: cached, origin: 'cache' };
  return exclusively(
    path.join(cacheDir(machine.env), 'temporal', 'lock'),
    async () => {
      if (machine.isExecutable(cached)) return { file: cached, origin: 'cache' };
      const tried: string[] = ['it is not on PATH', `not in ${path.dirname(cached)}`];
      if (await build(machine, terminal, cached, tried)) return { file: cached, origin: 'built' };
      if (await fetchBySdk(terminal, cached, download, tried)) return { file: cached, origin: 'downloaded' };
      throw new ProvisionError({
        code: 'TEMPORAL_MISSING',
        what: 'the Temporal server is missing',
        why: tried.join('; '),
        getIt: [
          `install Go ${OLDEST_GO.join('.')} or newer (https://go.dev/dl), and it is built`,
          'put the program `temporal` on PATH (https://github.com/temporalio/cli/releases)',
          'TEMPORAL_ADDRESS=host:7233 npm start, with a server of your own',
        ],
      });
    },
    () => terminal.say('temporal', 'waiting for another process that provides it'),
  );
}

/** `go version go1.26.8 linux/amd64` -> `1.26.8` */
export function goVersion(output: string): string | null {
  return /^go version go(\d+\.\d+(?:\.\d+)?)/.exec(output)?.[1] ?? null;
}

async function build(machine: Machine, terminal: Terminal, target: string, tried: string[]): Promise<boolean> {
  const go = machine.which('go');
  if (go === null) {
    tried.push('there is no Go to build it with');
    return false;
  }
  const version = goVersion(
    (await machine.run(go, ['version'], { env: { ...machine.env, GOTOOLCHAIN: 'local' } })).stdout,
  );
  if (version === null || !isAtLeast(version, OLDEST_GO)) {
    tried.push(`Go is ${version ?? 'of an unknown version'}, needed is ${OLDEST_GO.join('.')}`);
    return false;
  }
  terminal.say('temporal', `building ${TEMPORAL_VERSION} with Go ${version} into ${path.dirname(target)}`);
  terminal.say('', 'restores run on it, and this machine has none; 3 to 10 min and 4 GB of disk meanwhile, once');
  const started = Date.now();
  fs.mkdirSync(path.dirname(target), { recursive: true });
  // What a killed build left behind: gigabytes. We hold the lock, so none of them is in use.
  for (const name of fs.readdirSync(path.dirname(target))) {
    if (name.startsWith('build-')) await removeModules(path.join(path.dirname(target), name));
  }
  const room = fs.mkdtempSync(path.join(path.dirname(target), 'build-'));
  try {
    const ldflags = `-s -w -X github.com/temporalio/cli/internal/temporalcli.Version=${TEMPORAL_VERSION}`;
    const env = {
      ...machine.env,
      GOMODCACHE: path.join(room, 'mod'),
      GOCACHE: path.join(room, 'cache'),
      GOTMPDIR: room,
      GOBIN: path.join(room, 'bin'),
      GOFLAGS: '',
      GOTOOLCHAIN: 'local',
      CGO_ENABLED: '0',
    };
    const result = await terminal.during(
      'building',
      machine.run(go, ['install', '-trimpath', '-ldflags', ldflags, `${MODULE}@v${TEMPORAL_VERSION}`], {
        env,
        cwd: room,
      }),
    );
    const made = path.join(room, 'bin', 'temporal');
    if (result.code !== 0 || !machine.isExecutable(made)) {
      const words = result.stderr.replace(/^go: downloading .*\n?/gm, '');
      const last = shorten(lastLines(words, 3).join(' / ') || `go ended with code ${result.code}`);
      terminal.say('temporal', `the build failed: ${last}`);
      tried.push(`the build with Go failed (${last})`);
      return false;
    }
    fs.renameSync(made, target);
    terminal.say('temporal', `built in ${duration(Date.now() - started)}`);
    return true;
  } finally {
    await removeModules(room);
  }
}

/** Go writes its module files read-only. */
async function removeModules(folder: string): Promise<void> {
  await runCommand('chmod', ['-R', 'u+w', folder]);
  fs.rmSync(folder, { recursive: true, force: true });
}

async function fetchBySdk(terminal: Terminal, target: string, download: Download, tried: string[]): Promise<boolean> {
  terminal.say('temporal', 'downloading it with the Temporal SDK from temporal.download, about 60 MB, once');
  const started = Date.now();
  fs.mkdirSync(path.dirname(target), { recursive: true });
  const room = fs.mkdtempSync(path.join(path.dirname(target), 'download-'));
  try {
    const made = await terminal.during('downloading', download(room));
    fs.chmodSync(made, 0o755);
    fs.renameSync(made, target);
    terminal.say('temporal', `downloaded in ${duration(Date.now() - started)}`);
    return true;
  } catch (error) {
    const why = shorten(String(error instanceof Error ? error.message : error));
    terminal.say('temporal', `the download failed: ${why}`);
    tried.push(`the download failed (${why})`);
    return false;
  } finally {
    fs.rmSync(room, { recursive: true, force: true });
  }
}

const shorten = (text: string): string => {
  const [line = ''] = text.split('\n');
  return line.length > 200 ? `${line.slice(0, 120)} … ${line.slice(-70)}` : line;
};

/** The SDK offers its download only as part of starting a test server: start one, keep the program, stop the server. */
export const downloadBySdk: Download = async (folder) => {
  const { TestWorkflowEnvironment } = await import('@temporalio/testing');
  const environment = await TestWorkflowEnvironment.createLocal({
    server: { executable: { type: 'cached-download', downloadDir: folder } },
  });
  await environment.teardown();
  const [program] = fs.readdirSync(folder).filter((name) => name.startsWith('temporal'));
  if (program === undefined) throw new Error('the SDK left no program behind');
  return path.join(folder, program);
};
