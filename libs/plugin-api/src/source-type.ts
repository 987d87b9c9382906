import type { z } from 'zod';
import type { WorkloadConfig } from '@tiny-forge/contracts/domain';
import type { ContainerSummary, DockerPort } from '@tiny-forge/docker';

/** One container a workload wants; volumes, labels, policy and name are the deployer's. Pure data. */
export interface DesiredContainer {
  /** Distinguishes the containers of one workload; `main` for single-container types. */
  readonly service: string;
  readonly image: string;
  readonly pull: 'missing' | 'always' | 'never';
  readonly env: Readonly<Record<string, string>>;
  readonly command: readonly string[] | null;
  readonly ports: WorkloadConfig['ports'];
  /** Targets of the workload's volumes this container mounts. */
  readonly volumeTargets: readonly string[];
  readonly stopTimeoutSeconds: number;
}

/** The workload as a source type sees it: env with secrets resolved. */
export interface SourceWorkload extends Omit<WorkloadConfig, 'env'> {
  readonly id: string;
  readonly env: Readonly<Record<string, string>>;
}

export interface QuiesceSession {
  readonly docker: DockerPort;
  readonly mode: 'pause' | 'stop';
  /** Containers of the workload that run now. */
  readonly containers: readonly ContainerSummary[];
  readonly stopTimeoutSeconds: number;
  readonly signal: AbortSignal;
}

/**
 * How a workload becomes containers. `desired` is pure. `quiesce` makes every container still (paused or stopped) and returns the ids it changed;
 * `resume` brings exactly these back, is idempotent and is called after any end of `quiesce`, a failed one included.
 */
export interface SourceType {
  desired(workload: SourceWorkload): readonly DesiredContainer[];
  quiesce(session: QuiesceSession): Promise<readonly string[]>;
  resume(session: QuiesceSession, changed: readonly string[]): Promise<void>;
}

export interface SourceTypePlugin {
  readonly kind: 'source-type';
  /** The word in `source.type`. */
  readonly id: string;
  readonly apiVersion: 1;
  /** Checks the whole `source` object. */
  readonly config: z.ZodType<{ type: string }>;
  create(): SourceType;
}

export const defineSourceType = (plugin: Omit<SourceTypePlugin, 'kind'>): SourceTypePlugin => ({
  kind: 'source-type',
  ...plugin,
});
