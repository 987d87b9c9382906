import fs from 'node:fs';
import path from 'node:path';
import type { Machine } from './commands.ts';
import { isRunning, ownIdentity, type ProcessIdentity } from './process-identity.ts';
import { hasFields, readRecord, writeRecord } from './run-record.ts';

/** Folders of one `npm test`, removed at its end. */
export interface TestRoom {
  readonly folder: string;
  remove(): Promise<void>;
}

function isOwner(value: unknown): value is ProcessIdentity {
  return hasFields(value, { pid: 'number', startTime: 'string', bootId: 'string' });
}

const PREFIX = 'tiny-forge-test-';

/**
 * Makes the folder of this run and removes those of runs that were killed. Short, because sockets lie in it; on a disk,
 * because images and volumes of the tests are larger than a folder in memory should be.
 * @param base usually `/var/tmp`
 */
export async function openTestRoom(machine: Machine, base: string): Promise<TestRoom> {
  for (const name of fs.readdirSync(base).filter((entry) => entry.startsWith(PREFIX))) {
    const owner = readRecord(path.join(base, name, 'owner.json'), isOwner);
    if (owner !== null && !isRunning(owner)) await remove(machine, path.join(base, name));
  }
  const folder = fs.mkdtempSync(path.join(base, PREFIX));
  writeRecord(path.join(folder, 'owner.json'), ownIdentity());
  return { folder, remove: () => remove(machine, folder) };
}

/** Never through a mount: what is mounted below is somebody's, or an image that is still in use. */
async function remove(machine: Machine, folder: string): Promise<void> {
  const mounts = fs
    .readFileSync('/proc/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '')
    .filter((place) => place.startsWith(`${folder}/`))
    .reverse();
  for (const place of mounts) await machine.run('umount', [place]);
  await machine.run('rm', ['-rf', '--one-file-system', folder]);
}

/**
 * Whether a program can be given a network, process ids and mounts of its own here. Only then can a second Docker daemon run
 * beside the user's without flushing its firewall rules, and only then does nothing of the tests outlive them.
 */
export async function canIsolate(machine: Machine): Promise<boolean> {
  if (!machine.isRoot || machine.which('unshare') === null) return false;
  const [program = '', ...args] = isolated(['true']);
  return (await machine.run(program, args)).code === 0;
}

/**
 * The command line that runs `command` in such a room. bash is its first process: it collects what the tests orphan, as the
 * real first process would. The kernel ends everything in the room with it.
 */
export function isolated(command: readonly string[]): string[] {
  const quoted = command.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ');
  return [
    'unshare',
    '--net',
    '--pid',
    '--fork',
    '--kill-child',
    '--mount-proc',
    '--propagation',
    'private',
    'bash',
    '-c',
    `${quoted}; exit $?`,
  ];
}
