import type { RestorePlan } from '@tiny-forge/contracts/domain';
import type { PlanInput } from '../restore-engine.ts';

/** Cautious rates of one disk, bytes a second; a restore of this workload that was measured counts more. */
const STAGING_RATE = 150 * 1024 ** 2;
const SAFETY_RATE = 100 * 1024 ** 2;
const SECONDS_AN_ENTRY = 1 / 5000;

const whole = (seconds: number): number => Math.max(1, Math.ceil(seconds));

/** `downtimeLimitSeconds`: when every single part takes the longest it may. */
export function estimate(
  input: PlanInput,
  now: { readonly liveBytes: number; readonly stops: number },
): RestorePlan['estimates'] {
  const { stopTimeoutSeconds, health } = input.workload.config;
  const entries = input.snapshot.volumes.reduce((sum, volume) => sum + volume.entries, 0);
  const staging = input.snapshot.contentBytes / STAGING_RATE + entries * SECONDS_AN_ENTRY;
  const safety = now.liveBytes / SAFETY_RATE;
  const settle = health.type === 'stable' ? health.stableSeconds : 2;
  const downtime = now.stops === 0 ? 0 : 2 + safety + settle;
  const limit = now.stops * (stopTimeoutSeconds + 10) + 4 * safety + health.timeoutSeconds + 10;
  const last = input.lastRestore;
  return {
    stagingSeconds: whole(last?.stagingSeconds ?? staging),
    downtimeSeconds: now.stops === 0 ? 0 : whole(last?.downtimeSeconds ?? downtime),
    downtimeLimitSeconds: now.stops === 0 ? 0 : whole(limit),
    from: last ? 'last-restore' : 'size',
  };
}
