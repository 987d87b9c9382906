import path from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { fakeMachine, recordingTerminal, type FakeMachineInit } from '../testing/fake-machine.ts';
import { temporaryFolders } from '../testing/temporary.ts';
import { ensureDocker, findDocker, type DockerPorts } from './docker-engine.ts';
import { planDockerd, type DockerdPlan, type DockerdRecord } from './dockerd.ts';
import { isProvisionError, type ProvisionError } from './provision-error.ts';
import type { DockerAnswer, DockerSilence } from './docker-probe.ts';

const temporaryFolder = temporaryFolders();
const SOCKET = '/fake/docker.sock';

interface Given extends FakeMachineInit {
  /** Addresses that answer. */
  readonly answering?: readonly string[];
  readonly version?: Partial<Extract<DockerAnswer, { answers: true }>>;
  readonly silence?: DockerSilence;
  readonly living?: boolean;
  readonly neighbour?: string;
}

function setUp(given: Given) {
  const plan = planDockerd(path.join(temporaryFolder(), 'data'), '/run');
  const terminal = recordingTerminal();
  const answering = new Set(given.answering ?? []);
  const started: string[] = [];
  const record = (socket: string): DockerdRecord => ({
    pid: 1,
    startTime: '1',
    bootId: 'b',
    socket,
    dataRoot: plan.dataRoot,
    execRoot: plan.execRoot,
  });
  const ports: DockerPorts = {
    ask: async (host) =>
      answering.has(host)
        ? { answers: true, version: '20.10.24', apiVersion: '1.41', os: 'linux', ...given.version }
        : { answers: false, reason: given.silence ?? 'absent', detail: 'ENOENT' },
    findLiving: async (asked: DockerdPlan) => {
      if (given.living !== true) return null;
      answering.add(`unix://${asked.socket}`);
      return record(asked.socket);
    },
    findNeighbour: () => given.neighbour ?? null,
    start: async (binary, asked) => {
      started.push(binary);
      answering.add(`unix://${asked.socket}`);
      return { record: record(asked.socket), notes: [] };
    },
    hasRecord: () => false,
    cgroups: async () => [],
    defaultSocket: SOCKET,
  };
  const machine = fakeMachine({
    ...given,
    answers: {
      'apt-get': (args) => {
        if (args.includes('install')) machine.programs.set('dockerd', '/usr/sbin/dockerd');
        if (given.hasSystemd === true) answering.add(`unix://${SOCKET}`);
      },
      ...given.answers,
    },
  });
  return { plan, terminal, ports, machine, started, ensure: () => ensureDocker(machine, terminal, plan, ports) };
}

async function failure(work: Promise<unknown>): Promise<ProvisionError> {
  const error: unknown = await work.catch((reason: unknown) => reason);
  if (!isProvisionError(error)) throw new Error('expected a ProvisionError', { cause: error });
  return error;
}

describe('the order of finding', () => {
  const everything: Given = {
    env: { DOCKER_HOST: 'tcp://other:2375' },
    answering: ['tcp://other:2375', `unix://${SOCKET}`, 'unix:///run/tiny-forge-0/docker.sock'],
    living: true,
    neighbour: 'unix:///run/tiny-forge-0/docker.sock',
    programs: { dockerd: '/usr/sbin/dockerd' },
  };
  const { env: _host, ...withoutHost } = everything;
  it.each<[string, Given, string]>([
    ['DOCKER_HOST first', everything, 'DOCKER_HOST'],
    ['then the living daemon of this data folder', withoutHost, 'ours'],
    ['then the default socket', { ...withoutHost, living: false }, 'socket'],
    [
      'then the daemon of another data folder',
      { ...withoutHost, living: false, answering: ['unix:///run/tiny-forge-0/docker.sock'] },
      'neighbour',
    ],
  ])('%s', async (_name, given, origin) => {
    const { ensure, machine, started } = setUp(given);
    expect(await ensure()).toMatchObject({ origin });
    expect(machine.ran).toEqual([]);
    expect(started).toEqual([]);
  });

  it('then a daemon of our own with the dockerd that is there', async () => {
    const { ensure, machine, started, plan } = setUp({ programs: { dockerd: '/usr/sbin/dockerd' } });
    expect(await ensure()).toEqual({ dockerHost: `unix://${plan.socket}`, version: '20.10.24', origin: 'ours' });
    expect(started).toEqual(['/usr/sbin/dockerd']);
    expect(machine.ran).toEqual([]);
  });

  it('last the distribution’s package, said before it is installed', async () => {
    const { ensure, machine, started, terminal } = setUp({});
    expect(await ensure()).toMatchObject({ origin: 'ours' });
    expect(machine.ran.filter((line) => line.startsWith('apt-get'))).toEqual([
      expect.stringMatching(/^apt-get install -y --no-install-recommends .*docker\.io iptables ca-certificates$/),
    ]);
    expect(started).toEqual(['/usr/sbin/dockerd']);
    expect(terminal.text()).toMatch(
      /installing docker\.io, iptables, ca-certificates with apt-get: workloads run in Docker/,
    );
  });

  it('uses the service that the package starts under systemd', async () => {
    const { ensure, started } = setUp({ hasSystemd: true });
    expect(await ensure()).toMatchObject({ origin: 'socket' });
    expect(started).toEqual([]);
  });

  it('finds without providing', async () => {
    const { machine, terminal, plan, ports, started } = setUp({ programs: { dockerd: '/usr/sbin/dockerd' } });
    expect(await findDocker(machine, terminal, plan, ports)).toBeNull();
    expect(started).toEqual([]);
  });
});

describe('what is missing, and the command that gets it', () => {
  it.each<[string, Given, string, RegExp]>([
    [
      'DOCKER_HOST that does not answer: no other is taken instead',
      { env: { DOCKER_HOST: 'tcp://gone:1' }, answering: [`unix://${SOCKET}`] },
      'DOCKER_NOT_ANSWERING',
      /unset DOCKER_HOST/,
    ],
    [
      'no root',
      { isRoot: false },
      'DOCKER_MISSING',
      /^sudo apt-get update && sudo apt-get install -y --no-install-recommends docker\.io/,
    ],
    ['no root, socket forbidden', { isRoot: false, silence: 'forbidden' }, 'DOCKER_MISSING', /usermod -aG docker/],
    [
      'no root, nobody behind the socket',
      { isRoot: false, silence: 'refused' },
      'DOCKER_MISSING',
      /systemctl start docker/,
    ],
    ['no apt', { hasApt: false }, 'DOCKER_MISSING', /docs\.docker\.com/],
    ['not Linux', { platform: 'darwin' }, 'DOCKER_MISSING', /Docker Desktop/],
    [
      'apt fails',
      { answers: { 'apt-get': () => ({ code: 100, stderr: 'E: Unable to locate package docker.io' }) } },
      'DOCKER_MISSING',
      /^apt-get update && apt-get install/,
    ],
    [
      'an Engine too old',
      { answering: [`unix://${SOCKET}`], version: { apiVersion: '1.39' } },
      'DOCKER_MISSING',
      /20\.10/,
    ],
    [
      'an Engine for Windows',
      { answering: [`unix://${SOCKET}`], version: { os: 'windows' } },
      'DOCKER_MISSING',
      /20\.10/,
    ],
  ])('%s', async (_name, given, code, command) => {
    const { ensure, started } = setUp(given);
    const error = await failure(ensure());
    expect(error.code).toBe(code);
    expect(error.failure.getIt.join('\n')).toMatch(command);
    expect(started).toEqual([]);
  });

  it('shows what apt said', async () => {
    const { ensure } = setUp({
      answers: { 'apt-get': () => ({ code: 100, stderr: 'E: Unable to locate package docker.io' }) },
    });
    expect((await failure(ensure())).failure.log).toContain('E: Unable to locate package docker.io');
  });
});

describe('planDockerd', () => {
  it('keeps sockets short however long the data folder is', () => {
    const plan = planDockerd(`/${'long/'.repeat(60)}data`, '/run');
    expect(plan.socket.length).toBeLessThan(60);
    expect(plan.execRoot.length).toBeLessThan(60);
    expect(plan.dataRoot.startsWith('/long/')).toBe(true);
  });

  it('gives two data folders two daemons', () => {
    expect(planDockerd('/a', '/run').socket).not.toBe(planDockerd('/b', '/run').socket);
  });
});
