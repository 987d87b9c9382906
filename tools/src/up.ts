import fs from 'node:fs';
import path from 'node:path';
import { parseSettings, SETTINGS, type Settings } from '@tiny-forge/contracts/settings';
import { checkout, duration } from '../bootstrap.mjs';
import { ensureBuilt } from './build.ts';
import { ensureBusybox } from './busybox.ts';
import { thisMachine, type Machine } from './commands.ts';
import { ensureDocker, findDocker, type DockerEngine } from './docker-engine.ts';
import { planDockerd, readDockerdRecord, runRootOf, type DockerdPlan } from './dockerd.ts';
import { isRunning } from './process-identity.ts';
import { watch, type Watch } from './watch.ts';
import { embeddedTemporal, givenTemporal, type TemporalUse } from './temporal-use.ts';
import { listenProblem } from './free-port.ts';
import { ProvisionError } from './provision-error.ts';
import { startServer, waitForReady, type ServerEnd, type ServerProcess } from './server-process.ts';
import { settingsHelp } from './settings-help.ts';
import { otherStarts, registerStart } from './start-register.ts';
import { listenForStop, type StopRequest } from './stop-request.ts';
import { reportFailure, terminal } from './terminal.ts';

const STOP_TIMEOUT_MS = 60_000;

/** What is started, for tests of the starting itself. */
export interface UpTarget {
  readonly serverEntry: string;
  readonly build: (stop: AbortSignal) => Promise<void>;
}

const product: UpTarget = {
  serverEntry: path.join(checkout, 'apps', 'server', 'dist', 'main.js'),
  build: (stop) => ensureBuilt(checkout, terminal, stop),
};

/** `npm start`. Resolves with the exit code once everything that had to end has ended. */
export async function runUp(args: readonly string[], target: UpTarget = product): Promise<number> {
  if (args.includes('--help') || args.includes('-h')) {
    terminal.print(settingsHelp(SETTINGS));
    return 0;
  }
  const settings = readSettings(args);
  if (settings === null) return 2;
  const stop = listenForStop();
  try {
    return await up(settings, target, stop);
  } catch (error) {
    if (stop.signal.aborted) {
      terminal.say('stopped', 'before Tiny Forge was up; what was installed stays');
      return 130;
    }
    reportFailure('Tiny Forge did not start', error, 'npm start');
    return 1;
  }
}

function readSettings(args: readonly string[]): Settings | null {
  const [unknown] = args;
  try {
    if (unknown === undefined) return parseSettings(process.env, path.join(checkout, '.tiny-forge'));
    terminal.problem(`Unknown argument ${unknown}. Settings are environment variables.`);
  } catch (error) {
    if ((error as { forgeError?: unknown }).forgeError !== true) throw error;
    terminal.problem((error as Error).message);
  }
  terminal.problem('npm start -- --help lists all of them.');
  return null;
}

/** What one run of the product holds; released in the reverse order. */
interface Running {
  readonly server: ServerProcess;
  readonly temporal: TemporalUse;
}

async function up(given: Settings, target: UpTarget, stop: StopRequest): Promise<number> {
  const started = Date.now();
  const machine = thisMachine(process.env, stop.signal);
  terminal.print('Tiny Forge');
  const settings = { ...given, dataDir: prepareDataFolder(given.dataDir) };
  const url = await checkPort(settings);
  const unregister = registerStart(settings.dataDir, settings.role, url);
  let temporal: TemporalUse | null = null;
  let dockerWatch: Watch | null = null;
  try {
    const dockerPlan = planDockerd(settings.dataDir, runRootOf(canWrite));
    const docker = await chooseDocker(machine, settings, dockerPlan);
    if (docker?.origin === 'ours') dockerWatch = watchDocker(machine, dockerPlan);
    stop.signal.throwIfAborted();
    const busybox = runsWorkloads(settings) ? await ensureBusybox(machine, terminal) : null;
    temporal =
      settings.temporal.address === null
        ? await embeddedTemporal(machine, terminal, settings)
        : givenTemporal(settings, settings.temporal.address);
    await target.build(stop.signal);
    stop.signal.throwIfAborted();
    await temporal.start();
    stop.signal.throwIfAborted();
    const server = startServer(target.serverEntry, serverEnv(settings, docker, busybox, temporal), checkout);
    return await attend({ server, temporal }, settings, url, docker, started, stop);
  } finally {
    await dockerWatch?.stop();
    await temporal?.release(unregister);
    unregister();
  }
}

const runsWorkloads = ({ role }: Settings): boolean => role === 'all' || role === 'host';

/** @returns its one name: by two names, a symlink for one, two starts would not see each other's daemons */
function prepareDataFolder(dataDir: string): string {
  try {
    fs.mkdirSync(path.join(dataDir, 'run'), { recursive: true, mode: 0o700 });
    fs.accessSync(dataDir, fs.constants.W_OK | fs.constants.X_OK);
    return fs.realpathSync(dataDir);
  } catch (error) {
    throw new ProvisionError({
      code: 'DATA_NOT_WRITABLE',
      what: `the data folder ${dataDir} cannot be written`,
      why: (error as NodeJS.ErrnoException).code ?? String(error),
      getIt: ['give this account the folder', 'TINY_FORGE_DATA=/another/folder npm start'],
    });
  }
}

/** @returns the address that people open; port 0 is told by the server later */
async function checkPort(settings: Settings): Promise<string> {
  const { host, port } = settings;
  const shown = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '[::1]' : host.includes(':') ? `[${host}]` : host;
  const url = `http://${shown}:${port}`;
  const problem = port === 0 ? null : await listenProblem(host, port);
  if (problem === null) return url;
  const twin = otherStarts(settings.dataDir).find((other) => other.url === url);
  if (problem !== 'EADDRINUSE') {
    throw new ProvisionError({
      code: 'PORT_TAKEN',
      what: `nobody can listen on ${host} port ${port}`,
      why: problem === 'EADDRNOTAVAIL' ? `${host} is no address of this machine` : problem,
      getIt: ['TINY_FORGE_HOST=127.0.0.1 TINY_FORGE_PORT=4400 npm start'],
    });
  }
  throw new ProvisionError({
    code: 'PORT_TAKEN',
    what: twin === undefined ? `port ${port} on ${host} is taken` : 'Tiny Forge runs already on this data folder',
    why: twin === undefined ? 'another program listens there' : `process ${twin.pid} serves ${url}`,
    getIt:
      twin === undefined
        ? [`TINY_FORGE_PORT=${port + 1} npm start`, `ss -ltnp 'sport = :${port}' names the program`]
        : [`open ${url}`, `kill ${twin.pid} stops it cleanly`],
  });
}

async function chooseDocker(machine: Machine, settings: Settings, plan: DockerdPlan): Promise<DockerEngine | null> {
  const docker = await (runsWorkloads(settings)
    ? ensureDocker(machine, terminal, plan)
    : findDocker(machine, terminal, plan));
  terminal.say(
    'docker',
    docker === null ? 'none here; this role does without' : `${docker.version} at ${docker.dockerHost}`,
  );
  return docker;
}

/** Long enough for a restart by hand, which is then left to that hand. */
const DOCKER_GRACE_MS = 10_000;

function watchDocker(machine: Machine, plan: DockerdPlan): Watch {
  return watch(
    {
      part: 'docker',
      graceMs: DOCKER_GRACE_MS,
      isAlive: () => {
        const record = readDockerdRecord(plan.recordFile);
        return record !== null && isRunning(record);
      },
      bringBack: async () => void (await ensureDocker(machine, terminal, plan)),
    },
    terminal,
  );
}

function canWrite(folder: string): boolean {
  try {
    fs.accessSync(folder, fs.constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

function serverEnv(
  settings: Settings,
  docker: DockerEngine | null,
  busybox: string | null,
  temporal: TemporalUse,
): NodeJS.ProcessEnv {
  return {
    ...process.env,
    TINY_FORGE_DATA: settings.dataDir,
    ...(docker === null ? {} : { DOCKER_HOST: docker.dockerHost }),
    ...(busybox === null ? {} : { BUSYBOX_PATH: busybox }),
    ...temporal.env(),
  };
}

/** Waits for readiness, then for the end, whichever side it comes from. */
async function attend(
  running: Running,
  settings: Settings,
  url: string,
  docker: DockerEngine | null,
  started: number,
  stop: StopRequest,
): Promise<number> {
  const { server, temporal } = running;
  const urlOf = (): string | null => server.toldUrl() ?? (settings.port === 0 ? null : url);
  const asked = new Promise<'asked'>((resolve) => {
    if (stop.signal.aborted) resolve('asked');
    stop.signal.addEventListener('abort', () => resolve('asked'), { once: true });
  });
  const ready = waitForReady(server, urlOf, (parts) => terminal.say('waiting', `for ${parts.join(', ')}`));
  if ((await Promise.race([ready, asked])) === true)
    announce(settings, urlOf() ?? url, docker, temporal, Date.now() - started);
  const end = await Promise.race([server.ended, asked]);
  if (end !== 'asked') {
    terminal.problem(`\nThe server ended by itself (${describe(end)}); its last words are above.`);
    terminal.problem('  data       safe: what was interrupted is settled at the next start');
    terminal.problem('  do         npm start');
    return 1;
  }
  await stopServer(server, stop);
  terminal.say('stopped', 'workloads keep running; npm start brings Tiny Forge back');
  return 0;
}

const describe = ({ code, signal }: ServerEnd): string => (signal === null ? `code ${code}` : signal);

function announce(
  settings: Settings,
  url: string,
  docker: DockerEngine | null,
  temporal: TemporalUse,
  tookMs: number,
): void {
  const marker = path.join(settings.dataDir, 'run', 'was-ready');
  const isFirst = !fs.existsSync(marker);
  if (isFirst) fs.writeFileSync(marker, '');
  const fresh =
    settings.adminPassword === null
      ? 'with the password printed above (shown only once)'
      : 'with the password in TINY_FORGE_ADMIN_PASSWORD';
  terminal.print(`\nReady after ${duration(tookMs)}.\n`);
  terminal.say('open', url);
  terminal.say('log in', `as admin, ${isFirst ? fresh : 'with your password (lost? npm run admin:reset-password)'}`);
  terminal.say('data', settings.dataDir);
  if (docker !== null) terminal.say('docker', docker.dockerHost);
  terminal.say('temporal', temporal.shown());
  terminal.say('stop', 'Ctrl-C (workloads keep running)');
  terminal.print('');
}

/** HTTP first, then the workers hand back what they do: that is the server's part. Ours is to wait, and to say so. */
async function stopServer(server: ServerProcess, stop: StopRequest): Promise<void> {
  terminal.print('');
  terminal.say('stopping', 'the server finishes or hands back what it does');
  stop.onImpatience((earlier) => {
    if (earlier < 2)
      terminal.say('', 'still stopping; once more kills it (the next start settles what was interrupted)');
    else server.signal('SIGKILL');
  });
  const timer = setTimeout(() => {
    terminal.say(
      '',
      `no end after ${STOP_TIMEOUT_MS / 1000} s: killing it; the next start settles what was interrupted`,
    );
    server.signal('SIGKILL');
  }, STOP_TIMEOUT_MS);
  server.signal('SIGTERM');
  await terminal.during('stopping', server.ended);
  clearTimeout(timer);
}
