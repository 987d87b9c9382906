import { spawnSync } from 'node:child_process';

export interface Measured {
  wallSeconds: number;
  /** User and system, of all processes. */
  cpuSeconds: number;
  /** The `sync -f` after it. */
  syncSeconds: number;
  /** Of the largest process, MiB. */
  peakMiB: number;
}

/** Runs a shell line in a process group of its own; the kernel counts (wait4). */
const probe = `
import json, resource, subprocess, sys, time
started = time.monotonic()
code = subprocess.call(['bash', '-euo', 'pipefail', '-c', sys.argv[1]], stdout=subprocess.DEVNULL)
wall = time.monotonic() - started
used = resource.getrusage(resource.RUSAGE_CHILDREN)
started = time.monotonic()
subprocess.check_call(['sync', '-f', sys.argv[2]])
sync = time.monotonic() - started
print(json.dumps(dict(code=code, wallSeconds=wall, cpuSeconds=used.ru_utime + used.ru_stime, syncSeconds=sync, peakMiB=used.ru_maxrss / 1024)))
`;

/** @throws Error with what the command said where it fails: a rival that does not work has no time */
export function measure(command: string, syncPath: string, env: NodeJS.ProcessEnv): Measured {
  const { stdout, stderr, status } = spawnSync('python3', ['-c', probe, command, syncPath], { env, encoding: 'utf8' });
  if (status !== 0) throw new Error(`could not be run: ${stderr}`);
  const { code, ...measured } = JSON.parse(stdout) as Measured & { code: number };
  if (code !== 0) throw new Error(`ended with ${code}: ${stderr.trim().split('\n').slice(-3).join(' / ')}`);
  return measured;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1
    ? (sorted[middle] as number)
    : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
}
