import { execFileSync } from 'node:child_process';
import { lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

/** A folder for one test file, removed by `done`. */
export function scratch(): { dir: string; done: () => void } {
  const dir = mkdtempSync(path.join(tmpdir(), 'archive-safe-'));
  return { dir, done: () => rmSync(dir, { recursive: true, force: true }) };
}

/** Makes and returns an empty folder, 0700. */
export function emptyDir(...parts: string[]): string {
  const dir = path.join(...parts);
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  return dir;
}

export interface Listed {
  type: string;
  mode: number;
  uid: number;
  gid: number;
  /** Microseconds. */
  mtime: bigint;
  content: string;
  /** Names of the same inode, the first one in order. */
  same: string;
}

/** Everything a restore has to keep, by name as latin1. */
export function listTree(root: string): Record<string, Listed> {
  const list: Record<string, Listed> = {};
  const inodes = new Map<bigint, string>();
  const visit = (dir: Buffer, prefix: string): void => {
    const names = readdirSync(dir, { encoding: 'latin1' }).sort();
    for (const name of ['', ...names]) {
      if (name === '' && prefix !== '') continue;
      const full = name === '' ? dir : Buffer.concat([dir, Buffer.from(`/${name}`, 'latin1')]);
      const stat = lstatSync(full, { bigint: true });
      const key = name === '' ? '.' : `${prefix}${name}`;
      if (stat.isSocket() || stat.isFIFO()) continue;
      const first = stat.isDirectory() ? key : (inodes.get(stat.ino) ?? key);
      inodes.set(stat.ino, first);
      const content = stat.isFile()
        ? readFileSync(full, 'latin1')
        : stat.isSymbolicLink()
          ? readlinkSync(full, { encoding: 'latin1' })
          : '';
      const type = stat.isFile() ? 'file' : stat.isSymbolicLink() ? 'symlink' : 'directory';
      list[key] = {
        type,
        mode: Number(stat.mode) & 0o7777,
        uid: Number(stat.uid),
        gid: Number(stat.gid),
        mtime: stat.mtimeNs / 1000n,
        content,
        same: first,
      };
      if (stat.isDirectory() && name !== '') visit(full, `${key}/`);
    }
  };
  visit(Buffer.from(root), '');
  return list;
}

/** Runs a shell script in a folder; the script is ours. */
export function shell(dir: string, script: string): string {
  return execFileSync('bash', ['-euc', script], { cwd: dir, encoding: 'latin1', stdio: ['ignore', 'pipe', 'pipe'] });
}

export function openDescriptors(): string[] {
  return readdirSync('/proc/self/fd')
    .map((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`);
      } catch {
        return '';
      }
    })
    .filter((target) => target.startsWith('/') && !target.startsWith('/proc') && !target.startsWith('/dev'));
}
