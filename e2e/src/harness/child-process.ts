import { spawn, type ChildProcess } from 'node:child_process';
import fs from 'node:fs';
import { eventually } from './waiting.ts';

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** One real process whose output goes to a file. */
export class OwnProcess {
  readonly logFile: string;
  readonly exited: Promise<Exit>;
  readonly #child: ChildProcess;
  #exit: Exit | null = null;

  constructor(
    command: string,
    args: readonly string[],
    options: { env: Record<string, string>; logFile: string; cwd?: string },
  ) {
    this.logFile = options.logFile;
    const log = fs.openSync(options.logFile, 'a');
    try {
      this.#child = spawn(command, args, {
        env: options.env,
        ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
        stdio: ['ignore', log, log],
      });
    } finally {
      fs.closeSync(log);
    }
    this.exited = new Promise((resolve) => {
      const end = (exit: Exit): void => {
        this.#exit ??= exit;
        resolve(this.#exit);
      };
      this.#child.once('exit', (code, signal) => end({ code, signal }));
      this.#child.once('error', () => end({ code: null, signal: null }));
    });
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new Error('the process did not start');
    return this.#child.pid;
  }

  get exit(): Exit | null {
    return this.#exit;
  }

  get isAlive(): boolean {
    return this.#exit === null;
  }

  log(): string {
    return fs.readFileSync(this.logFile, 'utf8');
  }

  /** Resolves when the process is gone. */
  async signal(signal: NodeJS.Signals, timeoutMs = 30_000): Promise<Exit> {
    if (this.#exit === null) this.#child.kill(signal);
    return eventually(`end of process ${this.pid} after ${signal}`, () => this.#exit, { timeoutMs, intervalMs: 10 });
  }

  /** SIGTERM, and SIGKILL where that is not enough. */
  async end(graceMs = 20_000): Promise<Exit> {
    try {
      return await this.signal('SIGTERM', graceMs);
    } catch {
      return this.signal('SIGKILL');
    }
  }
}
