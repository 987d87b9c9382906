import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { temporaryFolder } from './environment.ts';

/** A small ext4 file system of our own, mounted through a loop device (root only). */
export class LoopDisk {
  readonly mountPoint: string;
  readonly #folder: string;
  readonly #image: string;

  private constructor(folder: string, mountPoint: string) {
    this.#folder = folder;
    this.#image = path.join(folder, 'image');
    this.mountPoint = mountPoint;
  }

  /**
   * @param mebibytes size of the file system; the file behind it is sparse
   * @param at where it is mounted; absent: in a folder of its own
   */
  static make(mebibytes: number, at?: string): LoopDisk {
    const folder = temporaryFolder('disk');
    const disk = new LoopDisk(folder, at ?? path.join(folder, 'mnt'));
    fs.writeFileSync(disk.#image, '');
    fs.truncateSync(disk.#image, mebibytes * 1024 * 1024);
    execFileSync('mkfs.ext4', ['-q', '-m', '0', disk.#image]);
    fs.mkdirSync(disk.mountPoint, { recursive: true });
    disk.#mount();
    return disk;
  }

  #mount(): void {
    execFileSync('mount', ['-o', 'loop', this.#image, this.mountPoint]);
  }

  /** Returns when the file system is really gone: a container that is being started has a copy of every mount for a moment. */
  #unmount(): void {
    execFileSync('umount', [this.mountPoint]);
    for (let left = 600; execFileSync('losetup', ['-j', this.#image], { encoding: 'utf8' }).trim() !== ''; left--) {
      if (left === 0) throw new Error(`${this.#image} is in use after its umount`);
      execFileSync('sleep', ['0.05']);
    }
  }

  #debugfs(command: string): string {
    return execFileSync('debugfs', ['-R', command, this.#image], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
  }

  /**
   * A file as failing disks leave them: listed, renamed and removed like any other, and every read of it fails with EIO. The block that says where
   * its content lies is destroyed while the file system is not mounted, so nothing may have it open.
   */
  plantUnreadableFile(name: string): string {
    const file = path.join(this.mountPoint, name);
    const fd = fs.openSync(file, 'w');
    // So many holes that the map of the file needs a block of its own.
    for (let i = 0; i < 16; i++) fs.writeSync(fd, Buffer.alloc(4096, 7), 0, 4096, i * 3 * 4096);
    fs.closeSync(fd);
    this.#unmount();
    const blockBytes = Number(/^Block size:\s+(\d+)/m.exec(this.#debugfs('stats'))?.[1]);
    const map = Number(/\(ETB0\):(\d+)/.exec(this.#debugfs(`stat /${name}`))?.[1]);
    const image = fs.openSync(this.#image, 'r+');
    fs.writeSync(image, Buffer.alloc(blockBytes), 0, blockBytes, map * blockBytes);
    fs.closeSync(image);
    this.#mount();
    return file;
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
