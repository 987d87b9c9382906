import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { temporaryFolder } from './environment.ts';

/** A small ext4 file system of our own, mounted through a loop device (root only). */
export class LoopDisk {
  readonly mountPoint: string;
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
    this.mountPoint = path.join(folder, 'mnt');
  }

  /** @param mebibytes size of the file system; the file behind it is sparse */
  static make(mebibytes: number): LoopDisk {
    const disk = new LoopDisk(temporaryFolder('disk'));
    const image = path.join(disk.#folder, 'image');
    fs.writeFileSync(image, '');
    fs.truncateSync(image, mebibytes * 1024 * 1024);
    execFileSync('mkfs.ext4', ['-q', '-m', '0', image]);
    fs.mkdirSync(disk.mountPoint);
    execFileSync('mount', ['-o', 'loop', image, disk.mountPoint]);
    return disk;
  }

  get freeBytes(): number {
    const stat = fs.statfsSync(this.mountPoint);
    return stat.bavail * stat.bsize;
  }

  /** Occupies space until only so much is free. @returns takes it back */
  fillUntilFree(bytes: number): () => void {
    const filler = path.join(this.mountPoint, 'filler');
    execFileSync('fallocate', ['-l', String(this.freeBytes - bytes), filler]);
    return () => fs.rmSync(filler, { force: true });
  }

  destroy(): void {
    execFileSync('umount', [this.mountPoint]);
    fs.rmSync(this.#folder, { recursive: true, force: true });
  }
}
