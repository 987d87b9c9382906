import type { Logger } from 'pino';
import type { Settings } from '@tiny-forge/contracts/domain';
import type { Deployer } from '@tiny-forge/deployer';
import type { PluginRegistry, ScopeContext } from '@tiny-forge/plugin-api';
import type { CaptureEngine, ImportEngine, RestoreEngine } from '@tiny-forge/volsnap';
import type { Clock, State } from '../state/index.ts';

/** What the host activities join: the engines, which do not know each other, and the tables. */
export interface HostParts {
  readonly installation: string;
  readonly hostId: string;
  readonly settings: Pick<Settings, 'codec' | 'safetyDays'>;
  readonly state: State;
  readonly clock: Clock;
  readonly newId: () => string;
  readonly log: Logger;
  readonly registry: PluginRegistry;
  readonly deployer: Deployer;
  readonly restoreEngine: RestoreEngine;
  readonly captureEngine: CaptureEngine;
  readonly importEngine: ImportEngine;
  scopeContext(workloadId: string): Promise<ScopeContext>;
}
