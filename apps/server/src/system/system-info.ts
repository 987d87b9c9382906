import { readFile, realpath, statfs } from 'node:fs/promises';
import { hostname } from 'node:os';
import { parseMountinfo } from '@tiny-forge/docker';
import type { SystemInfo } from '@tiny-forge/contracts/domain';
import type { Parts } from '../parts.ts';
import { overall, type ReadinessProbe } from './readiness.ts';
import { VERSION } from './version.ts';

type Disk = SystemInfo['hosts'][number]['disks'][number];

/** What an operator wants to know at a glance. */
export async function systemInfo(parts: Parts, readiness: ReadinessProbe): Promise<SystemInfo> {
  const { settings, registry, hostId, dataDir } = parts;
  const states = await readiness.parts();
  return {
    status: overall(states),
    parts: states,
    versions: {
      tinyForge: VERSION,
      node: process.versions.node,
      sqlite: process.versions['sqlite'] ?? null,
      docker: await dockerVersion(parts),
    },
    temporalUiUrl: settings.temporal.uiUrl,
    temporalNamespace: settings.temporal.namespace,
    sourceTypes: [...registry.sourceTypeIds],
    volumeScopes: [...registry.scopeIds],
    allowedRoots: [...settings.allowedRoots],
    dataDir,
    hosts: [
      { id: hostId, name: hostname(), alias: 'local', disks: await disksOf([dataDir, ...settings.allowedRoots]) },
    ],
  };
}

async function dockerVersion({ docker }: Parts): Promise<string | null> {
  try {
    return (await docker.info(AbortSignal.timeout(2_000))).version;
  } catch {
    return null;
  }
}

/** Each file system once, with where it is mounted. */
async function disksOf(folders: readonly string[]): Promise<Disk[]> {
  const disks = new Map<string, Disk>();
  const mounts = parseMountinfo(await readFile('/proc/self/mountinfo', 'utf8')).map((entry) => entry.mountPoint);
  for (const folder of folders) {
    try {
      const real = await realpath(folder);
      const mountPoint = mountPointOf(real, mounts);
      const stats = await statfs(folder);
      disks.set(mountPoint, {
        mountPoint,
        totalBytes: stats.blocks * stats.bsize,
        freeBytes: stats.bavail * stats.bsize,
        totalInodes: stats.files,
        freeInodes: stats.ffree,
      });
    } catch {
      continue;
    }
  }
  return [...disks.values()];
}

/** The deepest mount that holds the folder. */
function mountPointOf(folder: string, mounts: readonly string[]): string {
  const holding = mounts.filter((mount) => mount === '/' || folder === mount || folder.startsWith(`${mount}/`));
  return holding.reduce((deepest, mount) => (mount.length > deepest.length ? mount : deepest), '/');
}
