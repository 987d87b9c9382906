import { execFile, execFileSync } from 'node:child_process';
import { accessSync, constants, mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { mkdir, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

export type LoopKind = 'ext4' | 'xfs';

const MAKE: Readonly<Record<LoopKind, readonly string[]>> = {
  ext4: ['mkfs.ext4', '-q', '-F', '-I', '256'],
  xfs: ['mkfs.xfs', '-q', '-f'],
};
/** The smallest that today's mkfs.xfs makes. Sparse: a few MiB of it are ever written. */
const BYTES = 300 * 1024 ** 2;
const GONE_MS = 30_000;

/** FS_IOC_SHUTDOWN of include/uapi/linux/fs.h with FSOP_GOING_FLAGS_NOLOGFLUSH: the file system is dead at once, nothing more is written. */
const SHUTDOWN = [
  'import fcntl, os, struct, sys',
  // Of a folder that is not mounted it would be the file system of this host.
  'assert os.path.ismount(sys.argv[1])',
  'fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587D, struct.pack("I", 2))',
].join('\n');

/** Why no power can be cut here; null: it can. */
export function noPowerCuts(kind: LoopKind): string | null {
  if (process.getuid?.() !== 0) return 'only root can mount';
  for (const program of [MAKE[kind][0] as string, 'losetup', 'mount', 'python3'])
    if (!onPath(program)) return `${program} is not on PATH`;
  try {
    accessSync('/dev/loop-control', constants.W_OK);
  } catch {
    return 'there are no loop devices';
  }
  return triedOnce(kind);
}

/** A kernel without this file system, or a room without the right to mount, shows only when one tries. */
function triedOnce(kind: LoopKind): string | null {
  const folder = mkdtempSync(path.join(tmpdir(), 'tf-try-'));
  const [image, mountPoint] = [path.join(folder, 'image'), path.join(folder, 'mounted')];
  const options = { env: withSbin(), stdio: 'pipe', encoding: 'utf8' } as const;
  try {
    writeFileSync(image, '');
    truncateSync(image, BYTES);
    mkdirSync(mountPoint);
    const [program, ...args] = MAKE[kind] as [string, ...string[]];
    execFileSync(program, [...args, image], options);
    execFileSync('mount', ['-o', 'loop', image, mountPoint], options);
    execFileSync('umount', [mountPoint], options);
    return null;
  } catch (error) {
    return String((error as { stderr?: string }).stderr || error).trim();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function onPath(program: string): boolean {
  return `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`.split(':').some((folder) => {
    try {
      accessSync(path.join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** A real file system in a file of its own, mounted through a loop device. */
export class LoopDisk {
  readonly image: string;
  readonly mountPoint: string;
  #mounted = false;

  constructor(image: string, mountPoint: string) {
    this.image = image;
    this.mountPoint = mountPoint;
  }

  async make(kind: LoopKind): Promise<void> {
    const [program, ...args] = MAKE[kind] as [string, ...string[]];
    const file = await open(this.image, 'wx');
    await file.truncate(BYTES);
    await file.close();
    await mkdir(this.mountPoint);
    await run(program, [...args, this.image], { env: withSbin() });
  }

  async mount(): Promise<void> {
    await run('mount', ['-o', 'loop', this.image, this.mountPoint]);
    this.#mounted = true;
  }

  /**
   * Returns when the file system is really gone. A container that is being started has a copy of every mount for a moment, and a
   * file system that is mounted again while that lasts is the very one that was unmounted: still dead, or not written out.
   */
  async unmount(): Promise<void> {
    if (!this.#mounted) return;
    await run('umount', [this.mountPoint]);
    this.#mounted = false;
    const deadline = Date.now() + GONE_MS;
    while ((await run('losetup', ['-j', this.image], { env: withSbin() })).stdout.trim() !== '') {
      if (Date.now() > deadline) throw new Error(`${this.image} is in use after its umount`);
      await sleep(20);
    }
  }

  /** The power goes: every later call on it fails with EIO until it is mounted again. */
  async cutPower(): Promise<void> {
    await run('python3', ['-c', SHUTDOWN, this.mountPoint]);
  }

  /** What is on the device now, as it is: mounted or not. */
  async copyTo(file: string): Promise<void> {
    await run('cp', ['--sparse=always', this.image, file]);
  }

  async takeFrom(file: string): Promise<void> {
    if (this.#mounted) throw new Error(`${this.mountPoint} is mounted`);
    await rm(this.image, { force: true });
    await run('cp', ['--sparse=always', file, this.image]);
  }
}

const withSbin = (): NodeJS.ProcessEnv => ({ ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin` });
