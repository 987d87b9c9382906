import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { temporaryFolder } from './environment.ts';

/** The archive file of a snapshot, found by its id in the data folder. */
export function archiveOf(dataDir: string, snapshotId: string): string {
  const found = fs
    .readdirSync(path.join(dataDir, 'snapshots'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.startsWith(`${snapshotId}.tar.`));
  if (found.length !== 1) throw new Error(`${found.length} files for snapshot ${snapshotId}`);
  const [entry] = found;
  return path.join(entry?.parentPath ?? '', entry?.name ?? '');
}

/** Archives are written read-only and never changed: whoever damages one opens it anew. */
export function rewrite(file: string, change: (bytes: Buffer) => Buffer): void {
  const bytes = change(fs.readFileSync(file));
  fs.chmodSync(file, 0o600);
  fs.writeFileSync(file, bytes);
}

/** Unpacks by hand, as a stranger would, lets `change` loose on the tree, and packs it again with stock tar. */
export function repack(file: string, codec: '--gzip' | '--zstd', change: (folder: string) => void): void {
  const folder = temporaryFolder('repack');
  try {
    execFileSync('tar', [codec, '-xpf', file, '-C', folder]);
    change(folder);
    fs.chmodSync(file, 0o600);
    execFileSync('tar', [
      codec,
      '-cf',
      file,
      '-C',
      folder,
      '--numeric-owner',
      ...fs.readdirSync(folder).sort().reverse(),
    ]);
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}
