import type { z } from 'zod';
import type { VolumeConfig } from '@tiny-forge/contracts/domain';

/** What a scope may know. No I/O in `create`; `resolve` may read the file system, never write it. */
export interface ScopeContext {
  /** Canonical path of TINY_FORGE_DATA. */
  readonly dataDir: string;
  readonly workloadId: string;
  /** Folders under which scope `absolute` may bind, as configured. */
  readonly allowedRoots: readonly string[];
  /** Directories a volume must never equal, contain or lie inside (I13): Docker's root, the checkout, the data folder. */
  readonly forbidden: readonly { readonly path: string; readonly what: string }[];
}

export interface ScopeCapabilities {
  /** Whether the content is captured into snapshots and restored (one list drives both). */
  readonly captured: boolean;
  /** Whether a missing directory is created at deploy (root, 0755). Otherwise: VOLUME_MISSING. */
  readonly createsDirectory: boolean;
  /** Whether `DELETE ?data=delete` may remove the directory. */
  readonly deletable: boolean;
}

export interface ResolvedVolume {
  /** Canonical absolute path of the live directory, which may be absent. */
  readonly hostPath: string;
  /** Canonical parent of hostPath. */
  readonly parent: string;
  /** The folder below which missing parents may be created: the scope's base or the allowed root. */
  readonly base: string;
  readonly capabilities: ScopeCapabilities;
}

/**
 * Where a declared volume lives. Obligations:
 * - `resolve` is a function of the *current* config and the host only (I1), may be called any number of times, changes nothing;
 * - refuses with VOLUME_OUTSIDE_ROOTS, VOLUME_PATH_UNSAFE or VOLUME_FORBIDDEN (kind invalid), naming the path;
 * - never follows a symlink below its base.
 */
export interface VolumeScope {
  resolve(volume: VolumeConfig, context: ScopeContext): Promise<ResolvedVolume>;
}

export interface VolumeScopePlugin {
  readonly kind: 'volume-scope';
  /** The word in `volumes[].scope`. */
  readonly id: string;
  readonly apiVersion: 1;
  /** Checks `volumes[].source` of this scope; its issues become 422 `issues`. */
  readonly source: z.ZodType<string>;
  readonly capabilities: ScopeCapabilities;
  create(): VolumeScope;
}

export const defineVolumeScope = (plugin: Omit<VolumeScopePlugin, 'kind'>): VolumeScopePlugin => ({
  kind: 'volume-scope',
  ...plugin,
});
