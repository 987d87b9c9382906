import { spawn } from 'node:child_process';
import path from 'node:path';
import { checkout } from '../bootstrap.mjs';
import { aptInstall } from './apt.ts';
import { ensureBusybox } from './busybox.ts';
import { ensureChromium } from './chromium.ts';
import { type Machine } from './commands.ts';
import { findDocker } from './docker-engine.ts';
import { planDockerd } from './dockerd.ts';
import { ProvisionError } from './provision-error.ts';
import { downloadBySdk, ensureTemporalBinary } from './temporal-binary.ts';
import { terminal } from './terminal.ts';
import { ensureTestPrograms } from './test-programs.ts';
import { canIsolate, isolated, type TestRoom } from './test-room.ts';

/** Programs that the tests use, by the names under which they ask for them. */
export async function provideTools(machine: Machine): Promise<Record<string, string>> {
  await ensureTestPrograms(machine, terminal);
  const temporal = await ensureTemporalBinary(machine, terminal, downloadBySdk);
  terminal.say('temporal', temporal.file);
  const busybox = await ensureBusybox(machine, terminal);
  terminal.say('busybox', busybox);
  const chromium = await ensureChromium(machine, terminal);
  terminal.say('chromium', chromium);
  return { TEMPORAL_CLI: temporal.file, BUSYBOX_PATH: busybox, CHROMIUM_PATH: chromium };
}

export interface Run {
  readonly command: readonly string[];
  readonly env: NodeJS.ProcessEnv;
}

/** As root: a Docker daemon of the tests' own, in a room of its own. Otherwise the Engine that this account can reach. */
export async function planRun(
  machine: Machine,
  room: TestRoom,
  tools: Record<string, string>,
  script: string,
  args: readonly string[],
): Promise<Run> {
  const inside = [process.execPath, '--conditions=tiny-forge-source', path.join(checkout, 'tools', script)];
  const env: NodeJS.ProcessEnv = { ...process.env, ...tools };
  for (const name of Object.keys(env)) if (/^(TINY_FORGE_|TEMPORAL_(?!CLI$)|DOCKER_)/.test(name)) delete env[name];
  if (machine.isRoot && (await haveDockerd(machine)) && (await canIsolate(machine))) {
    terminal.say('docker', `a daemon of the tests’ own, data in ${room.folder}`);
    return { command: isolated([...inside, room.folder, ...args]), env };
  }
  const engine = await findDocker(machine, terminal, planDockerd(room.folder, '/tmp'));
  if (engine === null) {
    throw new ProvisionError({
      code: 'DOCKER_MISSING',
      what: 'the Docker Engine is missing',
      why: machine.isRoot
        ? 'this machine does not let a daemon of the tests’ own run (unshare is forbidden)'
        : 'this account reaches none and cannot start one',
      getIt: ['run npm test as root', 'DOCKER_HOST=unix:///path/of/a/docker.sock npm test'],
    });
  }
  terminal.say(
    'docker',
    `${engine.version} at ${engine.dockerHost}: shared with you; the tests touch only what they label as theirs`,
  );
  return { command: [...inside, ...args], env: { ...env, DOCKER_HOST: engine.dockerHost } };
}

async function haveDockerd(machine: Machine): Promise<boolean> {
  if (machine.which('dockerd') !== null) return true;
  if (!machine.hasApt) return false;
  const packages = ['docker.io', 'iptables', 'ca-certificates'];
  const result = await aptInstall(
    machine,
    terminal,
    'docker',
    packages,
    'the tests run real containers in a daemon of their own',
  );
  return result.installed && machine.which('dockerd') !== null;
}

export function runInside({ command, env }: Run, stop: AbortSignal): Promise<number> {
  const [program = '', ...rest] = command;
  return new Promise((resolve, reject) => {
    const child = spawn(program, rest, { cwd: checkout, env, stdio: ['ignore', 'inherit', 'inherit'] });
    // The first process of the room is bash: TERM would end it before its children had cleaned up, KILL ends the room whole.
    stop.addEventListener('abort', () => child.kill('SIGTERM'));
    child.on('error', reject);
    child.on('close', (code) => resolve(code ?? 1));
  });
}
