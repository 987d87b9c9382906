import { execFile } from 'node:child_process';
import { open, readdir, readlink, stat } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const byUuid = '/dev/disk/by-uuid';

/** Names of one device for a moment: long enough for one step, short enough for a device that gets another file system. */
const CACHE_MS = 5000;

/** Asks once a moment for each device: the answer costs a process. */
export class FileSystemNames {
  readonly #known = new Map<bigint, { readonly names: readonly string[]; readonly until: number }>();

  async of(target: string): Promise<readonly string[]> {
    const { dev } = await stat(target, { bigint: true });
    const known = this.#known.get(dev);
    if (known && known.until > performance.now()) return known.names;
    const names = await namesOf(target, dev);
    this.#known.set(dev, { names, until: performance.now() + CACHE_MS });
    return names;
  }
}

/**
 * Names of the file system that holds `target`, best first. The UUID comes from udev's links or from the superblock of the device; `fsid` is the
 * kernel's own, which ext4 and btrfs derive from the UUID but xfs from the device number, hence second.
 */
async function namesOf(target: string, dev: bigint): Promise<readonly string[]> {
  const major = Number((dev >> 8n) & 0xfffn) | Number((dev >> 32n) & ~0xfffn);
  const minor = Number(dev & 0xffn) | Number((dev >> 12n) & 0xfff00n);
  const uuid = await uuidOfDevice(major, minor);
  const { stdout } = await run('stat', ['-f', '-c', '%i', '--', target]);
  const fsid = stdout.trim();
  return [...(uuid === null ? [] : [`uuid:${uuid}`]), ...(/^0*$/.test(fsid) ? [] : [`fsid:${fsid}`])];
}

async function uuidOfDevice(major: number, minor: number): Promise<string | null> {
  const device = await readlink(`/sys/dev/block/${major}:${minor}`).then(
    (link) => path.basename(link),
    () => null,
  );
  if (device === null) return null;
  for (const uuid of await readdir(byUuid).catch(() => [])) {
    const link = await readlink(path.join(byUuid, uuid)).catch(() => '');
    if (path.basename(link) === device) return uuid.toLowerCase();
  }
  return uuidOfSuperblock(path.join('/dev', device)).catch(() => null);
}

/** ext2/3/4: kernel Documentation/filesystems/ext4/super.rst; xfs: fs/xfs/libxfs/xfs_format.h. */
async function uuidOfSuperblock(device: string): Promise<string | null> {
  const handle = await open(device, 'r');
  try {
    const block = Buffer.alloc(4096);
    await handle.read(block, 0, block.length, 0);
    if (block.readUInt16LE(1024 + 0x38) === 0xef53) return formatUuid(block.subarray(1024 + 0x68, 1024 + 0x78));
    if (block.toString('latin1', 0, 4) === 'XFSB') return formatUuid(block.subarray(32, 48));
    return null;
  } finally {
    await handle.close();
  }
}

function formatUuid(bytes: Buffer): string | null {
  const hex = bytes.toString('hex');
  if (/^0*$/.test(hex)) return null;
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
