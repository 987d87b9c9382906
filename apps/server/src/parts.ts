import type { Logger } from 'pino';
import type { Settings } from '@tiny-forge/contracts/domain';
import type { Deployer } from '@tiny-forge/deployer';
import type { DockerPort } from '@tiny-forge/docker';
import type { PluginRegistry, ScopeContext } from '@tiny-forge/plugin-api';
import type { CaptureEngine, ImportEngine, RestoreEngine } from '@tiny-forge/volsnap';
import type { Clock, State } from './state/index.ts';

/** Everything this process is made of, built once by `composition.ts`, in every role. Stopped in the reverse order by `main.ts`. */
export interface Parts {
  readonly settings: Settings;
  /** Canonical path of TINY_FORGE_DATA; exists. */
  readonly dataDir: string;
  readonly log: Logger;
  readonly clock: Clock;
  /** A new UUID. */
  readonly newId: () => string;
  readonly state: State;
  /** Made at first start, the same in every process on this data folder. */
  readonly installation: string;
  readonly hostId: string;
  readonly registry: PluginRegistry;
  readonly docker: DockerPort;
  readonly deployer: Deployer;
  readonly restoreEngine: RestoreEngine;
  readonly captureEngine: CaptureEngine;
  readonly importEngine: ImportEngine;
  /** Authenticates the archives of this installation, 32 bytes. */
  readonly archiveKey: Buffer;
  /** What `VolumeScope.resolve` is given; `forbidden` of I13 included. Asks Docker for its root once and remembers it. */
  readonly scopeContext: (workloadId: string) => Promise<ScopeContext>;
}

/** Injection tokens of Nest. */
export const PARTS = Symbol('parts');
export const GATEWAY = Symbol('gateway');
