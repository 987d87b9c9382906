import { spawn } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { lastLines } from './commands.ts';
import { askDocker } from './docker-probe.ts';
import {
  argumentOf,
  commandLineOf,
  findProcesses,
  identityOf,
  isRunning,
  stopProcess,
  waitUntil,
  type ProcessIdentity,
} from './process-identity.ts';
import { ProvisionError } from './provision-error.ts';
import { hasFields, readRecord, writeRecord } from './run-record.ts';

/** A Docker daemon that we started. */
export interface DockerdRecord extends ProcessIdentity {
  readonly socket: string;
  readonly dataRoot: string;
  readonly execRoot: string;
}

export interface DockerdPlan {
  readonly recordFile: string;
  readonly logFile: string;
  readonly pidFile: string;
  readonly dataRoot: string;
  readonly execRoot: string;
  readonly socket: string;
  /** `--live-restore`: containers outlive the daemon. Without it, stopping the daemon stops them. */
  readonly liveRestore: boolean;
  /** Further arguments of dockerd. */
  readonly extra: readonly string[];
}

const SOCKET_PATH_LIMIT = 107;
const START_TIMEOUT_MS = 60_000;
const DYING_MS = 3_000;

/**
 * Where a daemon of ours keeps its things for a data folder. Sockets (its own and, deeper, containerd's) go to a short
 * folder named by the data folder's hash: the kernel cuts socket paths at 107 bytes, and they need not survive a reboot.
 */
export function planDockerd(dataDir: string, runRoot: string, extra: readonly string[] = []): DockerdPlan {
  const short = path.join(
    runRoot,
    `tiny-forge-${crypto.createHash('sha256').update(dataDir).digest('hex').slice(0, 12)}`,
  );
  const plan: DockerdPlan = {
    recordFile: path.join(dataDir, 'run', 'docker.json'),
    logFile: path.join(dataDir, 'run', 'dockerd.log'),
    pidFile: path.join(dataDir, 'run', 'dockerd.pid'),
    dataRoot: path.join(dataDir, 'docker'),
    execRoot: path.join(short, 'exec'),
    socket: path.join(short, 'docker.sock'),
    liveRestore: true,
    extra,
  };
  const longest = path.join(plan.execRoot, 'containerd', 'containerd-debug.sock.ttrpc');
  if (Buffer.byteLength(longest) > SOCKET_PATH_LIMIT) throw new Error(`socket path too long: ${longest}`);
  return plan;
}

/** `/run` where it can be written, else `/tmp`. */
export function runRootOf(isWritable: (folder: string) => boolean): string {
  return isWritable('/run') ? '/run' : '/tmp';
}

function isDockerdRecord(value: unknown): value is DockerdRecord {
  return hasFields(value, {
    pid: 'number',
    startTime: 'string',
    bootId: 'string',
    socket: 'string',
    dataRoot: 'string',
    execRoot: 'string',
  });
}

/** The record of a daemon that was started for this data folder at some time, alive or not. */
export function readDockerdRecord(recordFile: string): DockerdRecord | null {
  return readRecord(recordFile, isDockerdRecord);
}

/**
 * The living daemon that serves exactly `plan.dataRoot`, null when there is none. It proves to be ours by pid, start time,
 * boot, arguments and an answer on its socket; a record that fails one of these is never followed and nothing is signalled.
 */
export async function findLivingDockerd(plan: DockerdPlan): Promise<DockerdRecord | null> {
  const recorded = readDockerdRecord(plan.recordFile);
  const record = recorded !== null && provesOurs(recorded, plan) ? recorded : findUnrecorded(plan);
  if (record === null) return null;
  const answers = await waitUntil(
    async () => (await askDocker(`unix://${record.socket}`)).answers || !isRunning(record),
    15_000,
  );
  if (!isRunning(record)) return null;
  if (!answers) {
    throw new ProvisionError({
      code: 'DOCKER_NOT_ANSWERING',
      what: 'our Docker daemon runs but does not answer',
      why: `process ${record.pid} holds ${plan.dataRoot} and is silent on ${record.socket}`,
      getIt: [`kill ${record.pid} (containers go on; the next start brings the daemon back)`],
      log: readLog(plan.logFile),
    });
  }
  if (record !== recorded) writeRecord(plan.recordFile, record);
  return record;
}

function provesOurs(record: DockerdRecord, plan: DockerdPlan): boolean {
  if (record.dataRoot !== plan.dataRoot || !isRunning(record)) return false;
  const args = commandLineOf(record.pid);
  return args !== null && argumentOf(args, '--data-root') === plan.dataRoot;
}

/** A daemon whose record was lost: only its arguments can say that it serves our data. */
function findUnrecorded(plan: DockerdPlan): DockerdRecord | null {
  const [found] = findProcesses(
    (args) => path.basename(args[0] ?? '') === 'dockerd' && argumentOf(args, '--data-root') === plan.dataRoot,
  );
  if (found === undefined) return null;
  const args = commandLineOf(found.pid) ?? [];
  const socket = (argumentOf(args, '-H') ?? '').replace(/^unix:\/\//, '');
  return socket === ''
    ? null
    : { ...found, socket, dataRoot: plan.dataRoot, execRoot: argumentOf(args, '--exec-root') ?? plan.execRoot };
}

/** The address of a living daemon of ours for another data folder, in our network namespace; null when there is none. */
export function findNeighbourDockerd(plan: DockerdPlan): string | null {
  const short = path.dirname(plan.socket);
  for (const { pid } of findProcesses((args) => path.basename(args[0] ?? '') === 'dockerd')) {
    const socket = (argumentOf(commandLineOf(pid) ?? [], '-H') ?? '').replace(/^unix:\/\//, '');
    const isOfOurs =
      path.dirname(path.dirname(socket)) === path.dirname(short) &&
      /^tiny-forge-[0-9a-f]{12}$/.test(path.basename(path.dirname(socket)));
    if (isOfOurs && socket !== plan.socket && sharesNetwork(pid)) return `unix://${socket}`;
  }
  return null;
}

function sharesNetwork(pid: number): boolean {
  try {
    return fs.readlinkSync(`/proc/${pid}/ns/net`) === fs.readlinkSync('/proc/self/ns/net');
  } catch {
    return false;
  }
}

export interface DockerdStart {
  readonly record: DockerdRecord;
  /** What had to be done otherwise than usual, for the reader. */
  readonly notes: readonly string[];
}

/**
 * Starts dockerd in a session of its own and waits until it answers. Where the usual way does not work on this machine it
 * tries what is known to help, once each: the old iptables interface, and the slow storage driver that works everywhere.
 * @throws ProvisionError DOCKER_FAILED with the daemon's last words
 */
export async function startDockerd(
  binary: string,
  plan: DockerdPlan,
  iptablesLegacy: string | null,
): Promise<DockerdStart> {
  const notes: string[] = [];
  const extra = [...plan.extra];
  const env = { ...process.env };
  for (;;) {
    const attempt = await launch(binary, { ...plan, extra }, env);
    if ('record' in attempt) return { record: attempt.record, notes };
    const log = attempt.log.join('\n');
    if (
      /iptables|nat chain|Failed to Setup IP tables/i.test(log) &&
      iptablesLegacy !== null &&
      !notes.some((note) => note.includes('iptables'))
    ) {
      env['PATH'] = `${legacyIptablesFolder(plan, iptablesLegacy)}:${env['PATH'] ?? ''}`;
      notes.push('this kernel lacks nftables: using iptables-legacy');
    } else if (/graphdriver|storage driver|overlay/i.test(log) && !extra.includes('--storage-driver')) {
      extra.push('--storage-driver', 'vfs');
      notes.push('overlay2 does not work on this file system: using the driver vfs (slower, more disk)');
    } else {
      throw new ProvisionError({
        code: 'DOCKER_FAILED',
        what: 'the Docker daemon does not start',
        why: explain(log),
        getIt: [remedy(log), 'DOCKER_HOST=unix:///path/of/a/docker.sock npm start, with an Engine of your own'],
        log: attempt.log,
      });
    }
  }
}

function explain(log: string): string {
  if (/iptables|nat chain/i.test(log)) return 'it cannot set up its firewall rules (iptables)';
  if (/cgroup/i.test(log)) return 'it finds no control groups (cgroups)';
  if (/permission denied|operation not permitted/i.test(log))
    return 'this machine forbids it something that it needs, as inside a container without --privileged';
  if (/no space left/i.test(log)) return 'the disk is full';
  return 'its last lines say why';
}

function remedy(log: string): string {
  if (/iptables|nat chain/i.test(log)) return 'modprobe ip_tables iptable_nat (or apt-get install -y iptables)';
  if (/cgroup/i.test(log)) return 'apt-get install -y cgroupfs-mount && cgroupfs-mount';
  if (/no space left/i.test(log)) return 'make room, or set TINY_FORGE_DATA to a larger disk';
  return 'read the whole log: it is beside the pid file in <data>/run/dockerd.log';
}

/** dockerd takes the `iptables` it finds on PATH: a folder that names the old one changes nothing for anybody else. */
function legacyIptablesFolder(plan: DockerdPlan, iptablesLegacy: string): string {
  const folder = path.join(path.dirname(plan.socket), 'bin');
  fs.mkdirSync(folder, { recursive: true });
  for (const [name, target] of [
    ['iptables', iptablesLegacy],
    ['ip6tables', iptablesLegacy.replace('iptables-legacy', 'ip6tables-legacy')],
  ] as const) {
    fs.rmSync(path.join(folder, name), { force: true });
    fs.symlinkSync(target, path.join(folder, name));
  }
  return folder;
}

type Launch = { readonly record: DockerdRecord } | { readonly log: readonly string[] };

async function launch(binary: string, plan: DockerdPlan, env: NodeJS.ProcessEnv): Promise<Launch> {
  for (const folder of [path.dirname(plan.recordFile), plan.dataRoot, plan.execRoot, path.dirname(plan.socket)]) {
    fs.mkdirSync(folder, { recursive: true, mode: 0o711 });
  }
  await forgetDeadDaemons(plan);
  const args = [
    '--data-root',
    plan.dataRoot,
    '--exec-root',
    plan.execRoot,
    '-H',
    `unix://${plan.socket}`,
    '--pidfile',
    plan.pidFile,
  ];
  if (plan.liveRestore) args.push('--live-restore');
  const log = fs.openSync(plan.logFile, 'w', 0o600);
  const child = spawn(binary, [...args, ...plan.extra], { detached: true, stdio: ['ignore', log, log], env, cwd: '/' });
  fs.closeSync(log);
  let ended: string | null = null;
  child.on('error', (error) => (ended = error.message));
  child.on('exit', (code, signal) => (ended ??= `dockerd ended with ${code ?? signal}`));
  const identity = child.pid === undefined ? null : identityOf(child.pid);
  if (identity !== null) {
    // Recorded before it serves: if we die now, the next start finds it.
    const record: DockerdRecord = {
      ...identity,
      socket: plan.socket,
      dataRoot: plan.dataRoot,
      execRoot: plan.execRoot,
    };
    writeRecord(plan.recordFile, record);
    const up = await waitUntil(
      async () => ended !== null || (await askDocker(`unix://${plan.socket}`)).answers,
      START_TIMEOUT_MS,
    );
    if (up && ended === null) {
      child.unref();
      return { record };
    }
    await stopProcess(identity, 'SIGTERM', 10_000);
    fs.rmSync(plan.recordFile, { force: true });
  }
  return {
    log: [...readLog(plan.logFile), ...(ended === null ? [`no answer after ${START_TIMEOUT_MS / 1000} s`] : [])],
  };
}

/**
 * dockerd believes its pid files: after a power cut the number in one belongs to anybody, and it refuses to start; after
 * SIGKILL its containerd is still dying, and it waits for that one. Files of processes that are not those are removed.
 */
async function forgetDeadDaemons(plan: DockerdPlan): Promise<void> {
  const files: readonly (readonly [file: string, program: string, mark: string])[] = [
    [plan.pidFile, 'dockerd', plan.dataRoot],
    [path.join(plan.execRoot, 'containerd', 'containerd.pid'), 'containerd', plan.execRoot],
  ];
  for (const [file, program, mark] of files) {
    if (!fs.existsSync(file)) continue;
    const pid = Number(fs.readFileSync(file, 'utf8'));
    const isOurs = (args: readonly string[]): boolean =>
      path.basename(args[0] ?? '') === program && args.some((arg) => arg.startsWith(mark));
    // A dying process has no arguments any more, but still its number and its locks.
    await waitUntil(() => identityOf(pid) === null || !isOurs(commandLineOf(pid) ?? [program, mark]), DYING_MS);
    if (!isOurs(commandLineOf(pid) ?? [])) fs.rmSync(file);
  }
}

function readLog(file: string): string[] {
  try {
    const text = fs.readFileSync(file, 'utf8').replace(/^.*module=grpc$\n?/gm, '');
    return lastLines(text, 8).map((line) => (line.length > 300 ? `${line.slice(0, 300)}…` : line));
  } catch {
    return [];
  }
}
