import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
}

/**
 * The machine as provisioning sees it. Everything that could install, build or look outside goes through here,
 * so that a test can say what a machine has and read what would have been done to it.
 */
export interface Machine {
  readonly env: NodeJS.ProcessEnv;
  readonly isRoot: boolean;
  /** `linux`, ... */
  readonly platform: string;
  /** Whether the distribution's packages come by apt (Debian, Ubuntu and their kin). */
  readonly hasApt: boolean;
  /** Whether systemd runs the machine, so that a fresh package starts its own service. */
  readonly hasSystemd: boolean;
  /** Absolute path of an executable on PATH (and in the administrator's folders), or null. */
  which(name: string): string | null;
  isExecutable(file: string): boolean;
  /**
   * Runs to the end. Never rejects for an exit code; a program that is not there gives code 127.
   * Rejects with the reason of the stop when one was asked for meanwhile.
   */
  run(command: string, args: readonly string[], options?: CommandOptions): Promise<CommandResult>;
}

const KEPT_OUTPUT = 200_000;

/** Killed half-way these leave the machine's package database locked or torn: they are waited for. */
const NEVER_KILLED = new Set(['apt-get', 'dpkg-deb']);

/** @param stop SIGTERMs the program and rejects */
export function runCommand(
  command: string,
  args: readonly string[],
  options: CommandOptions = {},
  stop?: AbortSignal,
): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    stop?.throwIfAborted();
    const child = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
    const end = (): void => void (NEVER_KILLED.has(command) || child.kill('SIGTERM'));
    stop?.addEventListener('abort', end);
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => (stdout = (stdout + chunk.toString()).slice(-KEPT_OUTPUT)));
    child.stderr.on('data', (chunk: Buffer) => (stderr = (stderr + chunk.toString()).slice(-KEPT_OUTPUT)));
    child.on('error', (error) => resolve({ code: 127, stdout, stderr: error.message }));
    child.on('close', (code, signal) => {
      if (signal !== null) stderr += `\n${command} was ended by ${signal}`;
      stop?.removeEventListener('abort', end);
      if (stop?.aborted === true) reject(stop.reason as Error);
      else resolve({ code: code ?? 1, stdout, stderr });
    });
  });
}

function isExecutable(file: string): boolean {
  try {
    fs.accessSync(file, fs.constants.X_OK);
    return fs.statSync(file).isFile();
  } catch {
    return false;
  }
}

/** This machine. */
export function thisMachine(env: NodeJS.ProcessEnv = process.env, stop?: AbortSignal): Machine {
  // Daemons live in /usr/sbin, which an ordinary account's PATH does not name.
  const folders = [
    ...new Set([...(env['PATH'] ?? '').split(':'), '/usr/local/sbin', '/usr/sbin', '/sbin', '/usr/bin']),
  ];
  const which = (name: string): string | null =>
    folders
      .filter((folder) => path.isAbsolute(folder))
      .map((folder) => path.join(folder, name))
      .find(isExecutable) ?? null;
  return {
    env,
    isRoot: process.geteuid?.() === 0,
    platform: process.platform,
    hasApt: which('apt-get') !== null && fs.existsSync('/etc/debian_version'),
    hasSystemd: fs.existsSync('/run/systemd/system'),
    which,
    isExecutable,
    run: (command, args, options) => runCommand(command, args, options, stop),
  };
}

/** The last lines of a program's output that say something. */
export function lastLines(text: string, count: number): string[] {
  return text
    .split('\n')
    .map((line) => line.trimEnd())
    .filter((line) => line !== '')
    .slice(-count);
}
