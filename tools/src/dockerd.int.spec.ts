import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { thisMachine } from './commands.ts';
import { askDocker } from './docker-probe.ts';
import {
  findLivingDockerd,
  findNeighbourDockerd,
  planDockerd,
  readDockerdRecord,
  startDockerd,
  type DockerdPlan,
  type DockerdRecord,
} from './dockerd.ts';
import { identityOf, isRunning, stopProcess } from './process-identity.ts';
import { isProvisionError } from './provision-error.ts';
import { writeRecord } from './run-record.ts';

const machine = thisMachine();
const installed = machine.which('dockerd') ?? '';
const APART = ['--bridge=none', '--iptables=false', '--ip6tables=false'];

/** A second daemon must leave alone the network of the one that other tests use, and `--bridge=none` deletes docker0: so in a network of its own. */
function inOwnNetwork(folder: string): string {
  const script = path.join(folder, 'dockerd');
  fs.writeFileSync(script, `#!/bin/sh\nexec unshare --net '${installed}' "$@"\n`, { mode: 0o755 });
  return script;
}

/** Only root can start a daemon; any other account is offered the Engine that is there (docker-engine.spec.ts). */
const asRoot = machine.isRoot ? describe : describe.skip;

asRoot('a Docker daemon of our own', () => {
  let base: string;
  let binary: string;
  let plan: DockerdPlan;
  let record: DockerdRecord;
  const started: DockerdRecord[] = [];

  beforeAll(async () => {
    if (installed === '') throw new Error('dockerd is not installed: run these tests with `npm test`');
    base = fs.mkdtempSync('/var/tmp/tf-dockerd-');
    binary = inOwnNetwork(base);
    plan = planDockerd(path.join(base, 'data'), base, APART);
    ({ record } = await startDockerd(binary, plan, machine.which('iptables-legacy')));
    started.push(record);
  }, 90_000);

  afterAll(async () => {
    for (const one of started) await stopProcess(one, 'SIGTERM', 20_000);
    // dockerd with --live-restore leaves its data folder mounted on itself.
    const mounts = fs
      .readFileSync('/proc/mounts', 'utf8')
      .split('\n')
      .map((line) => line.split(' ')[1] ?? '');
    for (const place of mounts.filter((one) => one.startsWith(base)).reverse()) await machine.run('umount', [place]);
    await machine.run('rm', ['-rf', '--one-file-system', base]);
  }, 60_000);

  it('answers, keeps containers when it stops, and is in a session of its own', async () => {
    expect(await askDocker(`unix://${plan.socket}`)).toMatchObject({ answers: true, os: 'linux' });
    expect(fs.readFileSync(`/proc/${record.pid}/cmdline`, 'utf8')).toContain('--live-restore');
    const session = fs.readFileSync(`/proc/${record.pid}/stat`, 'utf8').split(') ')[1]?.split(' ')[3];
    expect(Number(session)).toBe(record.pid);
  });

  it('is adopted by the next start', async () => {
    expect(await findLivingDockerd(plan)).toEqual(record);
  });

  it('is found although its record is lost, and recorded again', async () => {
    fs.rmSync(plan.recordFile);
    expect(await findLivingDockerd(plan)).toEqual(record);
    expect(readDockerdRecord(plan.recordFile)).toEqual(record);
  });

  it.each<[string, (foreign: ChildProcess) => object]>([
    ['another process', (foreign) => ({ ...record, ...identityOf(foreign.pid ?? 0) })],
    ['another start of that number', () => ({ ...record, startTime: '1' })],
    ['another boot', () => ({ ...record, bootId: 'x' })],
    ['another data root', () => ({ ...record, dataRoot: '/var/lib/docker' })],
  ])('does not follow a record of %s, and signals nobody', async (_name, forge) => {
    const foreign = spawn('sleep', ['60']);
    try {
      writeRecord(plan.recordFile, forge(foreign));
      expect(await findLivingDockerd(plan)).toEqual(record);
      expect(isRunning(identityOf(foreign.pid ?? 0) ?? record)).toBe(true);
      expect(foreign.exitCode).toBeNull();
    } finally {
      foreign.kill('SIGKILL');
    }
  });

  it('is no neighbour in another network; in the same one it is, for other data folders and not for its own', async () => {
    const other = planDockerd('/another/data', base);
    expect(findNeighbourDockerd(other)).toBeNull();
    const near = planDockerd(path.join(base, 'near'), base);
    const args = ['-e', 'setTimeout(() => {}, 60_000)', 'x', '-H', `unix://${near.socket}`];
    const daemon = spawn(process.execPath, args, { argv0: 'dockerd', stdio: 'ignore' });
    try {
      await once(daemon, 'spawn');
      expect(findNeighbourDockerd(other)).toBe(`unix://${near.socket}`);
      expect(findNeighbourDockerd(near)).toBeNull();
    } finally {
      daemon.kill('SIGKILL');
    }
  });

  it('is not there any more after it died; the same data start again', async () => {
    await stopProcess(record, 'SIGKILL', 10_000);
    expect(await findLivingDockerd(plan)).toBeNull();
    ({ record } = await startDockerd(binary, plan, machine.which('iptables-legacy')));
    started.push(record);
    expect(await findLivingDockerd(plan)).toEqual(record);
  }, 90_000);

  it('starts although the pid files of a power cut name other processes now', async () => {
    await stopProcess(record, 'SIGKILL', 10_000);
    const stranger = spawn('sleep', ['120']);
    try {
      for (const file of [plan.pidFile, path.join(plan.execRoot, 'containerd', 'containerd.pid')]) {
        fs.writeFileSync(file, String(stranger.pid));
      }
      ({ record } = await startDockerd(binary, plan, machine.which('iptables-legacy')));
      started.push(record);
      expect(stranger.exitCode).toBeNull();
    } finally {
      stranger.kill('SIGKILL');
    }
  }, 90_000);

  it('fails with its last words, and leaves no record of a daemon that never was', async () => {
    const broken = planDockerd(path.join(base, 'broken'), base, [...APART, '--no-such-flag']);
    const error: unknown = await startDockerd(binary, broken, null).catch((reason: unknown) => reason);
    if (!isProvisionError(error)) throw new Error('expected a ProvisionError', { cause: error });
    expect(error.code).toBe('DOCKER_FAILED');
    expect(error.failure.log?.join('\n')).toContain('no-such-flag');
    expect(readDockerdRecord(broken.recordFile)).toBeNull();
  });

  it('takes the slow storage driver where the wanted one does not work', async () => {
    // overlay2 as a wish that this file system cannot grant: a device that does not exist for a driver that needs one.
    const picky = planDockerd(path.join(base, 'picky'), base, APART);
    fs.mkdirSync(path.join(picky.dataRoot, 'zfs'), { recursive: true });
    fs.writeFileSync(path.join(picky.dataRoot, 'zfs', 'left-from-another-disk'), '');
    const result = await startDockerd(binary, picky, null);
    started.push(result.record);
    expect(result.notes.join()).toContain('vfs');
    expect((await askDocker(`unix://${picky.socket}`)).answers).toBe(true);
  }, 90_000);
});
