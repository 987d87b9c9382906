import fs from 'node:fs';

/** One process, told apart from every later one that gets the same number, also after a reboot. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Field 22 of `/proc/<pid>/stat`: clock ticks after boot. */
  readonly startTime: string;
  readonly bootId: string;
}

const bootId = (): string => fs.readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();

/** The identity of a running process, null when there is none (a zombie is none: it holds nothing any more). */
export function identityOf(pid: number): ProcessIdentity | null {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field is the program's name and may hold anything, spaces and parentheses too.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const [state, threads, startTime] = [fields[0], Number(fields[17]), fields[19]];
    // A killed process is a zombie before its last thread is: until then its files, ports and locks are held.
    const isGone = (state === 'Z' || state === 'X') && threads <= 1;
    if (startTime === undefined || isGone) return null;
    return { pid, startTime, bootId: bootId() };
  } catch {
    return null;
  }
}

/** Whether that very process still runs. */
export function isRunning(identity: ProcessIdentity): boolean {
  const now = identityOf(identity.pid);
  return now !== null && now.startTime === identity.startTime && now.bootId === identity.bootId;
}

export function ownIdentity(): ProcessIdentity {
  const own = identityOf(process.pid);
  if (own === null) throw new Error('/proc does not show this process');
  return own;
}

/** Arguments of a process, null when it is gone or not ours to see. */
export function commandLineOf(pid: number): readonly string[] | null {
  try {
    const line = fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8');
    return line === '' ? null : line.split('\0').slice(0, -1);
  } catch {
    return null;
  }
}

/** Running processes whose arguments `matches` accepts. */
export function findProcesses(matches: (args: readonly string[]) => boolean): ProcessIdentity[] {
  return fs
    .readdirSync('/proc')
    .filter((name) => /^[0-9]+$/.test(name))
    .map(Number)
    .filter((pid) => {
      const args = commandLineOf(pid);
      return args !== null && matches(args);
    })
    .map(identityOf)
    .filter((identity) => identity !== null);
}

/** The value of `--name value` or `--name=value`. */
export function argumentOf(args: readonly string[], name: string): string | null {
  for (const [at, arg] of args.entries()) {
    if (arg === name) return args[at + 1] ?? null;
    if (arg.startsWith(`${name}=`)) return arg.slice(name.length + 1);
  }
  return null;
}

/**
 * Sends `signal` to exactly that process and waits until it is gone.
 * @returns false when it still runs after `timeoutMs`
 */
export async function stopProcess(
  identity: ProcessIdentity,
  signal: NodeJS.Signals,
  timeoutMs: number,
): Promise<boolean> {
  if (!isRunning(identity)) return true;
  try {
    process.kill(identity.pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
  return waitUntil(() => !isRunning(identity), timeoutMs, 50);
}

/** Asks every `everyMs`; false when `timeoutMs` passed without a yes. */
export async function waitUntil(
  holds: () => boolean | Promise<boolean>,
  timeoutMs: number,
  everyMs = 100,
): Promise<boolean> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    if (await holds()) return true;
    if (Date.now() >= deadline) return false;
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}
