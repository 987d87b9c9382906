import { createHash } from 'node:crypto';
import { identityKey } from '../identity/tree-identity.ts';
import type { RestoreTarget } from '../restore-engine.ts';
import { canonicalJson } from './canonical-json.ts';

export interface PlanHashInput {
  readonly snapshotId: string;
  readonly archiveSha256: string;
  readonly workloadRevision: number;
  readonly targets: readonly RestoreTarget[];
  readonly stops: readonly string[];
  readonly imageId: string | null;
  readonly safety: string;
}

/** SHA-256 of what a person agrees to (api.md); nothing in it changes by itself. */
export function planHash(input: PlanHashInput): string {
  const volumes = input.targets.map((volume) => ({
    index: volume.index,
    target: volume.target,
    scope: volume.scope,
    source: volume.source,
    hostPath: volume.hostPath,
    liveIdentity: identityKey(volume.live),
    ...(volume.swap !== undefined && { swap: volume.swap }),
  }));
  const { snapshotId, archiveSha256, workloadRevision, imageId, safety } = input;
  const stops = input.stops.toSorted((a, b) => (a < b ? -1 : 1));
  const agreed = { snapshotId, archiveSha256, workloadRevision, volumes, stops, imageId, safety };
  return createHash('sha256').update(canonicalJson(agreed)).digest('hex');
}
