import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, describe, expect, it } from '@jest/globals';
import {
  argumentOf,
  commandLineOf,
  findProcesses,
  identityOf,
  isRunning,
  ownIdentity,
  stopProcess,
  type ProcessIdentity,
} from './process-identity.ts';

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

function sleeper(seconds: string): ProcessIdentity & { readonly child: ChildProcess } {
  const child = spawn('sleep', [seconds]);
  children.push(child);
  const identity = identityOf(child.pid ?? 0);
  if (identity === null) throw new Error('sleep does not run');
  return { ...identity, child };
}

describe('isRunning', () => {
  it('knows a process by more than its number', () => {
    const { child: _child, ...identity } = sleeper('60');
    expect(isRunning(identity)).toBe(true);
    expect(isRunning({ ...identity, startTime: String(Number(identity.startTime) - 1) })).toBe(false);
    expect(isRunning({ ...identity, bootId: 'another boot' })).toBe(false);
  });

  it('is false once the process has ended', async () => {
    const { child, ...identity } = sleeper('60');
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(isRunning(identity)).toBe(false);
  });

  it('is false for a zombie: its files and locks are gone', async () => {
    // The shell starts a child and becomes a program that never collects it.
    const parent = spawn('sh', ['-c', 'sleep 0.1 & echo $!; exec sleep 60'], { stdio: ['ignore', 'pipe', 'ignore'] });
    children.push(parent);
    const [line] = (await once(parent.stdout, 'data')) as [Buffer];
    const pid = Number(line.toString());
    expect(identityOf(pid)).not.toBeNull();
    await new Promise((resolve) => setTimeout(resolve, 400));
    expect(commandLineOf(pid)).toBeNull();
    expect(identityOf(pid)).toBeNull();
  });

  it('sees itself', () => {
    expect(isRunning(ownIdentity())).toBe(true);
  });
});

describe('stopProcess', () => {
  it('ends the process and waits for it', async () => {
    const { child: _child, ...identity } = sleeper('60');
    expect(await stopProcess(identity, 'SIGTERM', 5_000)).toBe(true);
    expect(isRunning(identity)).toBe(false);
  });

  it('signals nobody when the number belongs to another process by now', async () => {
    const { child: _child, ...identity } = sleeper('60');
    expect(await stopProcess({ ...identity, startTime: '1' }, 'SIGKILL', 1_000)).toBe(true);
    expect(isRunning(identity)).toBe(true);
  });

  it('says when the process does not go', async () => {
    const deaf = spawn('sh', ['-c', 'trap "" TERM; echo ready; while :; do sleep 1; done'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    children.push(deaf);
    await once(deaf.stdout, 'data');
    const identity = identityOf(deaf.pid ?? 0) as ProcessIdentity;
    expect(await stopProcess(identity, 'SIGTERM', 300)).toBe(false);
  });
});

it('finds processes by their arguments', () => {
  const { pid } = sleeper('61.25');
  expect(findProcesses((args) => args[0] === 'sleep' && args[1] === '61.25').map((found) => found.pid)).toEqual([pid]);
});

it.each([
  [['x', '--port', '7233'], '7233'],
  [['x', '--port=7233'], '7233'],
  [['x', '--ports', '1'], null],
  [['x', '--port'], null],
])('argumentOf %j is %s', (args, value) => {
  expect(argumentOf(args, '--port')).toBe(value);
});
