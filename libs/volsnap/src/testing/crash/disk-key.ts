import { createHash } from 'node:crypto';
import type { CrashDisk } from './crash-disk.ts';

const keys = new WeakMap<Buffer, string>();

/** Buffers of the simulation never change, so each is hashed once. Zeros at the end (blocks written ahead) count by their number. */
function contentKey(content: Buffer): string {
  const known = keys.get(content);
  if (known !== undefined) return known;
  let end = content.length;
  while (end > 0 && content[end - 1] === 0) end--;
  const key = `${content.length}:${createHash('sha1').update(content.subarray(0, end)).digest('base64')}`;
  keys.set(content, key);
  return key;
}

/** Equal for disks that nothing can tell apart: all names, identities, modes and contents, and what is still in memory only. */
export function diskKey(disk: CrashDisk): string {
  const lines: string[] = [];
  const walk = (node: number, at: string): void => {
    const inode = disk.inode(node);
    const { kind, ino, birth, attributes, target } = inode;
    const { mode, uid, gid, modifiedNs } = attributes;
    const unsynced = inode.durable === inode.content ? '' : contentKey(inode.durable);
    lines.push(
      `${at} ${kind} ${ino}.${birth} ${mode} ${uid}.${gid} ${modifiedNs} ${target} ${contentKey(inode.content)} ${unsynced}`,
    );
    for (const name of [...inode.entries.keys()].sort()) walk(inode.entries.get(name) as number, `${at}/${name}`);
  };
  walk(disk.root, '');
  for (const { changes } of disk.pending)
    lines.push(JSON.stringify(changes, (_, value: unknown) => (typeof value === 'bigint' ? `${value}` : value)));
  return lines.join('\n');
}
