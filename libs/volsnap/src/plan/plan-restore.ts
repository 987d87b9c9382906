import path from 'node:path';
import {
  ownNames,
  type Blocker,
  type ImageRef,
  type ManifestVolume,
  type RestorePlan,
} from '@tiny-forge/contracts/domain';
import type { PlanInput, RestoreTarget } from '../restore-engine.ts';
import { blocker, formatBytes } from './blocker.ts';
import { estimate } from './estimate.ts';
import type { HostFacts, ResolvedVolumeFacts } from './host-facts.ts';
import { planHash } from './plan-hash.ts';
import { archiveBytes, stagedBytes, sumNeeds, type ReserveRule } from './space-needs.ts';
import { stepSummaries } from './step-summaries.ts';

export interface PlannedRestore {
  readonly plan: RestorePlan;
  readonly targets: readonly RestoreTarget[];
  readonly image: ImageRef | null;
}

interface Matched {
  readonly captured: ManifestVolume;
  readonly facts: ResolvedVolumeFacts;
}

/** Longest name we give: the attempt number may grow to six digits. ext4, xfs and btrfs allow 255 bytes. */
const nameFits = (volume: string): boolean =>
  Buffer.byteLength(ownNames.staging(volume, 'x'.repeat(16), 999_999)) <= 255;

/** Pure: steps, targets, needs, blockers, warnings and the hash of what a person agrees to. */
export function planRestore(
  input: PlanInput,
  facts: HostFacts,
  settings: { readonly now: Date; readonly reserve: ReserveRule },
): PlannedRestore {
  const blockers: Blocker[] = [];
  const matched = matchVolumes(input, facts, blockers);
  const targets = matched.map(({ captured, facts: live }): RestoreTarget => ({
    index: captured.index,
    target: captured.target,
    scope: captured.scope,
    source: captured.source,
    hostPath: live.hostPath,
    parent: live.parent,
    base: live.base,
    live: live.live,
    absentInSnapshot: captured.absent === true,
    ...(isMountPoint(live) && { swap: 'inner' as const }),
  }));
  for (const { captured, facts: live } of matched) blockers.push(...directoryBlockers(live, captured.absent === true));
  if (facts.archiveBytes !== input.snapshot.bytes) blockers.push(archiveBlocker(input, facts));
  if (facts.rights.missing.length > 0)
    blockers.push(blocker('CAPABILITY_MISSING', { capabilities: facts.rights.missing.join(', ') }));
  const involved = matched.map(({ facts: live }) => live.hostPath);
  const users = facts.users.filter((user) => involved.includes(user.path));
  for (const user of users.filter((one) => one.running && !one.watchesWholeHost))
    blockers.push(blocker('DIRECTORY_FOREIGN_USER', { user: user.name, path: user.path }));
  const image = facts.image;
  if (image && !image.available && !image.pullable)
    blockers.push(blocker('IMAGE_MISSING', { image: image.ref.reference }));

  const contentOf = new Map(input.snapshot.volumes.map((volume) => [volume.index, volume]));
  const space = sumNeeds(spaceParts(input, matched, contentOf, facts), settings.reserve);
  for (const need of space) blockers.push(...spaceBlockers(need));

  const stops = facts.containers.filter((container) => container.running);
  const untouched = facts.volumes.filter(
    (volume) => !input.snapshot.manifest.volumes.some((captured) => captured.target === volume.target),
  );
  const warnings = [
    ...warningsOf(input, image?.ref ?? null),
    ...(facts.rights.userIds === null ? [] : [blocker('USER_NAMESPACE', { ids: facts.rights.userIds })]),
    ...users
      .filter((one) => !one.running || one.watchesWholeHost)
      .map((user) => blocker('DIRECTORY_FOREIGN_USER', { user: user.name, path: user.path })),
    ...matched
      .filter(({ facts: live }) => isMountPoint(live))
      .map(({ facts: live }) => blocker('VOLUME_SWAPPED_INSIDE', { path: live.hostPath })),
    ...untouched.map((volume) => blocker('VOLUME_NOT_TOUCHED', { target: volume.target })),
  ];
  const hash = planHash({
    snapshotId: input.snapshot.id,
    archiveSha256: input.snapshot.archiveSha256,
    workloadRevision: input.workload.revision,
    targets,
    stops: stops.map((container) => container.name),
    imageId: image?.ref.imageId || null,
    safety: input.safety,
  });
  const liveBytes = matched.reduce((sum, { facts: live }) => sum + (live.measure?.contentBytes ?? 0), 0);
  const { name, stage } = input.workload;
  return {
    targets,
    image: image?.ref ?? null,
    plan: {
      planHash: hash,
      confirmWord: input.nameIsAmbiguous ? `${stage}/${name}` : name,
      keptUntil: new Date(settings.now.getTime() + input.safetyDays * 86_400_000).toISOString(),
      steps: stepSummaries({
        volumes: targets.length,
        safety: input.safety,
        stops: stops.length,
        runsAfter: stops.length > 0 || facts.containers.length === 0,
      }),
      stops: stops.map((container) => ({ containerId: container.id, name: container.name })),
      estimates: estimate(input, { liveBytes, stops: stops.length }),
      volumes: matched.map(({ captured, facts: live }) => ({
        index: captured.index,
        target: captured.target,
        scope: captured.scope,
        source: captured.source,
        hostPath: live.hostPath,
        contentBytes: contentOf.get(captured.index)?.contentBytes ?? 0,
        entries: contentOf.get(captured.index)?.entries ?? 0,
        live: live.measure,
      })),
      untouchedVolumes: untouched.map((volume) => ({ target: volume.target })),
      space,
      image: image && { ...image.ref, available: image.available },
      blockers,
      warnings,
    },
  };
}

/** By target, scope and source, against the current config only (I1). */
function matchVolumes(input: PlanInput, facts: HostFacts, blockers: Blocker[]): Matched[] {
  const matched: Matched[] = [];
  const seen = new Set<string>();
  for (const captured of input.snapshot.manifest.volumes) {
    const live = facts.volumes.find((volume) => volume.target === captured.target);
    if (seen.has(captured.target)) {
      blockers.push(blocker('ARCHIVE_DAMAGED', { entry: 'manifest.json', why: `${captured.target} is in it twice` }));
    } else if (!live) {
      blockers.push(blocker('VOLUME_NOT_IN_CONFIG', { target: captured.target }));
    } else if (live.scope !== captured.scope || live.source !== captured.source) {
      blockers.push(
        blocker('VOLUME_CHANGED', {
          target: captured.target,
          was: `${captured.scope} ${captured.source}`,
          is: `${live.scope} ${live.source}`,
        }),
      );
    } else if (live.kind === 'refused') {
      blockers.push(blocker(live.code, { ...live.params }));
    } else {
      matched.push({ captured, facts: live });
    }
    seen.add(captured.target);
  }
  return matched;
}

/** It stays where it is; what lies in it is swapped. */
const isMountPoint = (live: ResolvedVolumeFacts): boolean => live.mounts.includes(live.hostPath);

function directoryBlockers(live: ResolvedVolumeFacts, becomesAbsent: boolean): Blocker[] {
  const { hostPath } = live;
  const found: Blocker[] = [];
  // A mount point cannot be made absent; one below would move with what holds it.
  const mount = live.mounts.find((point) => point !== hostPath || becomesAbsent);
  if (mount !== undefined) found.push(blocker('VOLUME_IS_MOUNT_POINT', { path: hostPath, mount }));
  if (live.fileSystem.readOnly)
    found.push(blocker('READ_ONLY_MOUNT', { path: hostPath, mount: live.fileSystem.mountPoint }));
  if (live.fileSystem.kind === 'overlay')
    found.push(blocker('FS_UNSUITABLE', { path: hostPath, fileSystem: live.fileSystem.kind }));
  if (live.unreadableName !== undefined)
    found.push(blocker('VOLUME_PATH_UNSAFE', { path: live.unreadableName, why: 'its name is not UTF-8' }));
  for (const { path: locked, flag } of live.locked) found.push(blocker('DIRECTORY_IMMUTABLE', { path: locked, flag }));
  if (live.labels && typeOf(live.labels.live) !== typeOf(live.labels.parent))
    found.push(blocker('SELINUX_LABEL', { path: hostPath, label: live.labels.live, parentLabel: live.labels.parent }));
  if (live.standing === 'other')
    found.push(blocker('VOLUME_PATH_UNSAFE', { path: hostPath, why: 'it is not a directory' }));
  if (!live.hasIdentity || (live.standing === 'tree' && live.live === null))
    found.push(blocker('FS_IDENTITY', { path: hostPath }));
  if (!nameFits(path.basename(hostPath)))
    found.push(blocker('VOLUME_PATH_UNSAFE', { path: hostPath, why: 'its name is too long for a name beside it' }));
  return found;
}

/** `user:role:type:level`: what is made in a directory gets its type, and it is the type that decides who may read it. */
const typeOf = (label: string): string => label.split(':')[2] ?? label;

function archiveBlocker(input: PlanInput, facts: HostFacts): Blocker {
  if (facts.archiveBytes === null) return blocker('ARCHIVE_MISSING', { snapshotId: input.snapshot.id });
  const why = `the file has ${facts.archiveBytes} bytes instead of ${input.snapshot.bytes}`;
  return blocker('ARCHIVE_DAMAGED', { entry: 'the archive file', why });
}

function spaceParts(
  input: PlanInput,
  matched: readonly Matched[],
  contentOf: ReadonlyMap<number, { readonly contentBytes: number; readonly entries: number }>,
  facts: HostFacts,
) {
  const staged = matched.map(({ captured, facts: live }) => {
    const content = contentOf.get(captured.index) ?? { contentBytes: 0, entries: 0 };
    return { on: live.fileSystem, bytes: stagedBytes(content), inodes: content.entries };
  });
  const live = matched.reduce(
    (sum, { facts: { measure } }) => ({
      contentBytes: sum.contentBytes + (measure?.contentBytes ?? 0),
      entries: sum.entries + (measure?.entries ?? 0),
    }),
    { contentBytes: 0, entries: 0 },
  );
  // The old trees stay where they are and take nothing more; the journal takes a little.
  if (input.safety === 'keep-old-tree') return [...staged, { on: facts.snapshots, bytes: 1024 ** 2, inodes: 4 }];
  return [...staged, { on: facts.snapshots, bytes: archiveBytes(live), inodes: 2 }];
}

function spaceBlockers(need: RestorePlan['space'][number]): Blocker[] {
  const { mountPoint: mount, neededBytes, freeBytes, neededInodes, freeInodes } = need;
  return [
    ...(freeBytes < neededBytes
      ? [
          blocker('INSUFFICIENT_SPACE', {
            mount,
            need: formatBytes(neededBytes),
            free: formatBytes(freeBytes),
            neededBytes,
            freeBytes,
          }),
        ]
      : []),
    ...(freeInodes < neededInodes
      ? [blocker('INSUFFICIENT_INODES', { mount, need: neededInodes, free: freeInodes })]
      : []),
  ];
}

function warningsOf(input: PlanInput, image: ImageRef | null): Blocker[] {
  const was = input.snapshot.image;
  return [
    ...(input.safety === 'keep-old-tree' ? [blocker('KEEPS_OLD_TREE', { days: input.safetyDays })] : []),
    ...(input.snapshot.manifest.quiesce === 'none' ? [blocker('QUIESCE_NONE', {})] : []),
    ...(was && image && was.imageId !== image.imageId
      ? [blocker('IMAGE_DIFFERS', { was: was.reference, is: image.reference })]
      : []),
  ];
}
