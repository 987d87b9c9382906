import fs from 'node:fs';
import { aptCommand, aptInstall } from './apt.ts';
import { ensureCgroups } from './cgroups.ts';
import type { Machine } from './commands.ts';
import { askDocker, type DockerAnswer } from './docker-probe.ts';
import {
  findLivingDockerd,
  findNeighbourDockerd,
  readDockerdRecord,
  startDockerd,
  type DockerdPlan,
  type DockerdStart,
} from './dockerd.ts';
import { exclusively } from './exclusive.ts';
import { waitUntil } from './process-identity.ts';
import { ProvisionError } from './provision-error.ts';
import type { Terminal } from './terminal.ts';

export const DEFAULT_SOCKET = '/var/run/docker.sock';
/** The Engine of Debian 11 and later; what the product asks of it is in libs/docker. */
const OLDEST_API = [1, 41] as const;
const PACKAGES = ['docker.io', 'iptables', 'ca-certificates'];

export interface DockerEngine {
  readonly dockerHost: string;
  readonly version: string;
  /** Who it belongs to: found ones are never stopped or changed. */
  readonly origin: 'DOCKER_HOST' | 'ours' | 'socket' | 'neighbour';
}

/** What finding an Engine touches, for tests. */
export interface DockerPorts {
  readonly ask: (dockerHost: string) => Promise<DockerAnswer>;
  readonly findLiving: typeof findLivingDockerd;
  readonly start: (binary: string, plan: DockerdPlan, iptablesLegacy: string | null) => Promise<DockerdStart>;
  /** Address of a living daemon that Tiny Forge started for another data folder of this machine. */
  readonly findNeighbour: (plan: DockerdPlan) => string | null;
  readonly hasRecord: (plan: DockerdPlan) => boolean;
  readonly cgroups: (machine: Machine) => Promise<string[]>;
  readonly defaultSocket: string;
}

export const dockerPorts: DockerPorts = {
  ask: askDocker,
  findLiving: findLivingDockerd,
  start: startDockerd,
  findNeighbour: findNeighbourDockerd,
  hasRecord: (plan) => readDockerdRecord(plan.recordFile) !== null && fs.existsSync(plan.dataRoot),
  cgroups: ensureCgroups,
  defaultSocket: DEFAULT_SOCKET,
};

/**
 * Finds a Docker Engine or provides one: `DOCKER_HOST`, then the daemon that an earlier start made for this data folder
 * (its containers are the user's workloads), then the default socket, then the distribution's package and a daemon of ours.
 * @throws ProvisionError naming what is missing and the command that gets it
 */
export async function ensureDocker(
  machine: Machine,
  terminal: Terminal,
  plan: DockerdPlan,
  ports: DockerPorts = dockerPorts,
): Promise<DockerEngine> {
  const given = machine.env['DOCKER_HOST'] ?? '';
  if (given !== '') return useGiven(given, await ports.ask(given));
  return exclusively(
    `${plan.recordFile}.lock`,
    async () =>
      (await findOurs(terminal, plan, ports)) ??
      (await findDefault(terminal, plan, ports)) ??
      (await findNeighbour(terminal, plan, ports)) ??
      (await provideOurs(machine, terminal, plan, ports)),
    () => terminal.say('docker', 'waiting for another start that looks for Docker too'),
  );
}

/**
 * As `ensureDocker`, but installs and starts nothing: for roles that can do without.
 * @returns null when there is none
 */
export async function findDocker(
  machine: Machine,
  terminal: Terminal,
  plan: DockerdPlan,
  ports: DockerPorts = dockerPorts,
): Promise<DockerEngine | null> {
  const given = machine.env['DOCKER_HOST'] ?? '';
  if (given !== '') return useGiven(given, await ports.ask(given));
  return (
    (await findOurs(terminal, plan, ports)) ??
    (await findDefault(terminal, plan, ports)) ??
    findNeighbour(terminal, plan, ports)
  );
}

function useGiven(dockerHost: string, answer: DockerAnswer): DockerEngine {
  if (answer.answers) return accept(dockerHost, answer, 'DOCKER_HOST');
  throw new ProvisionError({
    code: 'DOCKER_NOT_ANSWERING',
    what: `the Docker Engine at DOCKER_HOST=${dockerHost} does not answer`,
    why: answer.detail,
    getIt: ['start that Engine', 'unset DOCKER_HOST, and one is found or provided'],
  });
}

function accept(
  dockerHost: string,
  answer: Extract<DockerAnswer, { answers: true }>,
  origin: DockerEngine['origin'],
): DockerEngine {
  const [major = 0, minor = 0] = answer.apiVersion.split('.').map(Number);
  const isTooOld = major < OLDEST_API[0] || (major === OLDEST_API[0] && minor < OLDEST_API[1]);
  if (isTooOld || answer.os !== 'linux') {
    throw new ProvisionError({
      code: 'DOCKER_MISSING',
      what: 'this Docker Engine does not do',
      why: `${dockerHost} is version ${answer.version}, API ${answer.apiVersion}, on ${answer.os}; needed is API ${OLDEST_API.join('.')} or newer, on linux`,
      getIt: ['upgrade Docker (20.10 or newer)', 'DOCKER_HOST=... npm start, with another one'],
    });
  }
  return { dockerHost, version: answer.version, origin };
}

async function findOurs(terminal: Terminal, plan: DockerdPlan, ports: DockerPorts): Promise<DockerEngine | null> {
  const living = await ports.findLiving(plan);
  if (living === null) return null;
  const dockerHost = `unix://${living.socket}`;
  const answer = await ports.ask(dockerHost);
  if (!answer.answers) return null;
  terminal.say('docker', `ours is still up (process ${living.pid})`);
  return accept(dockerHost, answer, 'ours');
}

async function findDefault(terminal: Terminal, plan: DockerdPlan, ports: DockerPorts): Promise<DockerEngine | null> {
  const dockerHost = `unix://${ports.defaultSocket}`;
  const answer = await ports.ask(dockerHost);
  if (!answer.answers) return null;
  if (ports.hasRecord(plan))
    terminal.say(
      'docker',
      `note: containers of earlier starts are in our own daemon, which does not run: ${plan.dataRoot}`,
    );
  return accept(dockerHost, answer, 'socket');
}

/** Two daemons of one network namespace flush each other's firewall rules: one for all data folders of a machine is better. */
async function findNeighbour(terminal: Terminal, plan: DockerdPlan, ports: DockerPorts): Promise<DockerEngine | null> {
  const dockerHost = ports.findNeighbour(plan);
  if (dockerHost === null) return null;
  const answer = await ports.ask(dockerHost);
  if (!answer.answers) return null;
  terminal.say('docker', 'using the daemon that Tiny Forge started for another data folder');
  return accept(dockerHost, answer, 'neighbour');
}

async function provideOurs(
  machine: Machine,
  terminal: Terminal,
  plan: DockerdPlan,
  ports: DockerPorts,
): Promise<DockerEngine> {
  const socket = await ports.ask(`unix://${ports.defaultSocket}`);
  const reason = socket.answers ? 'absent' : socket.reason;
  if (machine.platform !== 'linux') {
    throw missing('Docker runs here only as somebody else’s program', ['start Docker Desktop, then npm start']);
  }
  if (!machine.isRoot) {
    if (reason === 'forbidden')
      throw missing(`this account may not use ${ports.defaultSocket}`, [
        'sudo usermod -aG docker "$USER", and log in again',
      ]);
    if (reason === 'refused') throw missing(`nobody serves ${ports.defaultSocket}`, ['sudo systemctl start docker']);
    throw missing(`there is no DOCKER_HOST and no ${ports.defaultSocket}, and only root can install it`, [
      machine.hasApt ? aptCommand(PACKAGES, true) : 'install the Docker Engine: https://docs.docker.com/engine/install',
    ]);
  }
  let binary = machine.which('dockerd');
  if (binary === null) {
    if (!machine.hasApt) {
      throw missing('dockerd is not on PATH, and this distribution has no apt-get', [
        'install the Docker Engine: https://docs.docker.com/engine/install',
      ]);
    }
    const result = await aptInstall(
      machine,
      terminal,
      'docker',
      PACKAGES,
      'workloads run in Docker, and this machine has none',
    );
    binary = machine.which('dockerd');
    if (!result.installed || binary === null) {
      throw missing('apt-get could not install it', [aptCommand(PACKAGES, false)], result.installed ? [] : result.log);
    }
    // On a machine with systemd the fresh package starts its own service: then that one is the machine's Docker.
    if (
      machine.hasSystemd &&
      (await waitUntil(async () => (await ports.ask(`unix://${ports.defaultSocket}`)).answers, 15_000, 500))
    ) {
      const service = await findDefault(terminal, plan, ports);
      if (service !== null) return service;
    }
  }
  return startOurs(machine, terminal, plan, ports, binary);
}

async function startOurs(
  machine: Machine,
  terminal: Terminal,
  plan: DockerdPlan,
  ports: DockerPorts,
  binary: string,
): Promise<DockerEngine> {
  const again = ports.hasRecord(plan);
  terminal.say('docker', `starting ${again ? 'our daemon again' : 'a daemon of our own'}, data in ${plan.dataRoot}`);
  const mounted = await ports.cgroups(machine);
  if (mounted.length > 0) terminal.say('docker', `mounted the control groups that were missing: ${mounted.join(' ')}`);
  const { record, notes } = await terminal.during(
    'starting',
    ports.start(binary, plan, machine.which('iptables-legacy')),
  );
  for (const note of notes) terminal.say('docker', note);
  const dockerHost = `unix://${record.socket}`;
  const answer = await ports.ask(dockerHost);
  if (!answer.answers) throw missing(`our daemon stopped answering: ${answer.detail}`, ['npm start']);
  return accept(dockerHost, answer, 'ours');
}

function missing(why: string, getIt: readonly string[], log: readonly string[] = []): ProvisionError {
  return new ProvisionError({ code: 'DOCKER_MISSING', what: 'the Docker Engine is missing', why, getIt, log });
}
