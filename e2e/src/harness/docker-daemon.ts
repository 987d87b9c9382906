import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { OwnProcess } from './child-process.ts';
import { childEnvironment, temporaryFolder } from './environment.ts';
import { DockerEngine } from './docker-engine.ts';
import { eventually } from './waiting.ts';

let bridges = 0;

/** A dockerd of our own (root only), so that it can be restarted under a restore without touching anybody else's containers. */
export class DockerDaemon {
  readonly engine: DockerEngine;
  readonly #folder: string;
  readonly #bridge: string;
  #process: OwnProcess | null = null;

  private constructor(folder: string, bridge: string) {
    this.#folder = folder;
    this.#bridge = bridge;
    this.engine = new DockerEngine(this.socketPath);
  }

  get socketPath(): string {
    return path.join(this.#folder, 's');
  }

  get host(): string {
    return `unix://${this.socketPath}`;
  }

  static async start(): Promise<DockerDaemon> {
    bridges += 1;
    // Names and addresses by process and count: two daemons must not share a bridge.
    const number = (process.pid * 7 + bridges) % 240;
    const bridge = `tfe2e${number}`;
    execFileSync('ip', ['link', 'add', bridge, 'type', 'bridge']);
    execFileSync('ip', ['addr', 'add', `10.214.${number}.1/24`, 'dev', bridge]);
    execFileSync('ip', ['link', 'set', bridge, 'up']);
    const daemon = new DockerDaemon(temporaryFolder('dockerd'), bridge);
    await daemon.up();
    return daemon;
  }

  async up(): Promise<void> {
    if (this.#process?.isAlive) return;
    const args = ['--data-root', path.join(this.#folder, 'data'), '--exec-root', path.join(this.#folder, 'x')];
    args.push('-H', this.host, '--pidfile', path.join(this.#folder, 'pid'), '-b', this.#bridge);
    this.#process = new OwnProcess('dockerd', args, {
      env: childEnvironment({}),
      logFile: path.join(this.#folder, 'log'),
    });
    await eventually('dockerd answers', () => this.engine.call('GET', '/_ping'));
  }

  /** SIGTERM; without live-restore the containers end with it. */
  async down(): Promise<void> {
    await this.#process?.signal('SIGTERM', 60_000);
  }

  /** As the kernel would when memory runs out. Its containers run on until the next daemon. */
  async kill(): Promise<void> {
    await this.#process?.signal('SIGKILL');
  }

  async destroy(): Promise<void> {
    if (this.#process?.isAlive) {
      for (const container of await this.engine.containers()) await this.engine.remove(container.Id);
      await this.down();
    }
    execFileSync('ip', ['link', 'del', this.#bridge]);
    // A daemon that was killed leaves mounts of its containers.
    const mounts = fs
      .readFileSync('/proc/mounts', 'utf8')
      .split('\n')
      .map((line) => line.split(' ')[1] ?? '');
    for (const place of mounts.filter((each) => each.startsWith(`${this.#folder}/`)).reverse())
      execFileSync('umount', [place]);
    fs.rmSync(this.#folder, { recursive: true, force: true });
  }
}
