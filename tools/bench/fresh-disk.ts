import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

/**
 * A freshly made ext4 for every run: on one that was used before, inodes that were deleted within the last minute are searched
 * through again and again, and 60,000 files take 20 s instead of 2 (facts/performance.md, Method). Only root can mount one; for
 * others it is a folder, and `isFresh` says so.
 */
export class FreshDisk {
  readonly mountPoint: string;
  readonly isFresh: boolean;
  #image: string;
  #bytes: number;
  #mounted = false;

  constructor(dir: string, bytes: number) {
    this.mountPoint = path.join(dir, 'disk');
    this.#image = path.join(dir, 'disk.img');
    this.#bytes = bytes;
    this.isFresh = process.geteuid?.() === 0;
    fs.mkdirSync(this.mountPoint, { recursive: true });
  }

  renew(): void {
    this.release();
    if (!this.isFresh) {
      fs.mkdirSync(this.mountPoint, { recursive: true });
      return;
    }
    fs.rmSync(this.#image, { force: true });
    fs.writeFileSync(this.#image, '');
    fs.truncateSync(this.#image, this.#bytes);
    run('mkfs.ext4', '-q', '-F', '-E', 'lazy_itable_init=0,lazy_journal_init=0', this.#image);
    const device = run('losetup', '--find', '--show', '--direct-io=on', this.#image).trim();
    try {
      run('mount', device, this.mountPoint);
      this.#mounted = true;
    } finally {
      // Detached as soon as nothing uses it: with the unmount, or at once where the mount failed.
      run('losetup', '--detach', device);
    }
  }

  release(): void {
    if (this.#mounted) run('umount', this.mountPoint);
    this.#mounted = false;
    if (!this.isFresh) fs.rmSync(this.mountPoint, { recursive: true, force: true });
    fs.rmSync(this.#image, { force: true });
  }
}

function run(command: string, ...args: string[]): string {
  return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}
