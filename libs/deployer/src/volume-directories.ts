import { chmod, chown, mkdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { ForgeError } from '@tiny-forge/contracts/domain';
import type { WorkloadVolume } from '@tiny-forge/plugin-api';

/**
 * Makes missing directories of scopes that say so (root, 0755, whatever the umask); changes none that exists.
 * @throws ForgeError VOLUME_MISSING for a scope that does not, before anything was made; IO_ERROR
 */
export async function ensureVolumeDirectories(volumes: readonly WorkloadVolume[]): Promise<void> {
  const missing: WorkloadVolume[] = [];
  for (const entry of volumes) {
    if (await isDirectory(entry.resolved.hostPath)) continue;
    if (!entry.resolved.capabilities.createsDirectory) {
      throw new ForgeError({ code: 'VOLUME_MISSING', params: { path: entry.resolved.hostPath } });
    }
    missing.push(entry);
  }
  for (const { resolved } of missing) await makeBelow(resolved.base, resolved.hostPath);
}

async function makeBelow(base: string, directory: string): Promise<void> {
  let current = base;
  for (const name of path.relative(base, directory).split('/')) {
    current = path.join(current, name);
    try {
      await mkdir(current, 0o755);
      await chmod(current, 0o755);
      if (process.getuid?.() === 0) await chown(current, 0, 0);
    } catch (error) {
      const why = (error as NodeJS.ErrnoException).code ?? String(error);
      if (why !== 'EEXIST' || !(await isDirectory(current))) {
        throw new ForgeError({ code: 'IO_ERROR', params: { call: 'mkdir', path: current, why }, cause: error });
      }
    }
  }
}

const isDirectory = async (directory: string): Promise<boolean> =>
  (await stat(directory).catch(() => null))?.isDirectory() ?? false;
