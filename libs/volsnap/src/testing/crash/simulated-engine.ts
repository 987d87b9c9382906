import type { DockerPort } from '@tiny-forge/docker';
import { PluginRegistry } from '@tiny-forge/plugin-api';
import { engineOver, partsOf } from '../../create-restore-engine.ts';
import type { EngineParts } from '../../engine-parts.ts';
import { WorkloadMutex } from '../../host-mutex.ts';
import type { FsPort } from '../../ports/fs-port.ts';
import type { RestoreEngine } from '../../restore-engine.ts';
import { jsonArchive } from '../json-archive-port.ts';
import { DATA, INSTALLATION, type CrashWorld } from './crash-world.ts';

/** An engine over a machine; other than the real one where a test breaks it on purpose. */
export type MakeEngine = (parts: EngineParts) => RestoreEngine;
export const realEngine: MakeEngine = (parts) => engineOver(parts, new WorkloadMutex());

const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };
const SOME_TIME = new Date('2026-01-01T00:00:00Z');

/** A fresh engine, as after a start of the server. */
export function engineOn(
  world: Pick<CrashWorld, 'mountUsers'> & { readonly dataDir?: string },
  how: {
    readonly fs: FsPort;
    readonly docker: DockerPort;
    readonly make: MakeEngine;
    readonly now?: (() => Date) | undefined;
  },
): RestoreEngine {
  const { fs, docker, make, now } = how;
  const { dataDir = DATA } = world;
  const parts = partsOf({
    dataDir,
    installation: INSTALLATION,
    hostId: 'simulated',
    fs,
    docker,
    registry: new PluginRegistry([]),
    scopeContext: (workloadId) => ({ dataDir, workloadId, allowedRoots: [], forbidden: [] }),
    key: Buffer.alloc(32),
    clock: { now: now ?? (() => SOME_TIME) },
    log: silent,
    reserve: { fraction: 0, minBytes: 0 },
    archive: jsonArchive(fs),
    mountUsers: world.mountUsers,
  });
  return make(parts);
}
