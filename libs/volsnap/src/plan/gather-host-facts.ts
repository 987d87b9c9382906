import path from 'node:path';
import { parseMountinfo, type ContainerSummary, type DockerPort, type MountEntry } from '@tiny-forge/docker';
import type { PluginRegistry, ScopeContext } from '@tiny-forge/plugin-api';
import { mountHolding, mountsAtOrBelow } from '../identity/mount-table.ts';
import { standingAt } from '../identity/tree-identity.ts';
import type { ArchivePort } from '../ports/archive-port.ts';
import { naming } from '../ports/fs-error.ts';
import type { FsPort } from '../ports/fs-port.ts';
import type { PlanInput } from '../restore-engine.ts';
import { directoryUsers, hasLabels, instanceLabels, type MountUsers } from './directory-users.ts';
import { innerNamesIn, isInnerName } from '../swap/inner-names.ts';
import type { FileSystemFacts, HostFacts, ProcessRights, ResolvedVolumeFacts, VolumeFacts } from './host-facts.ts';
import { lastingUsers } from './lasting-users.ts';
import { mappedIds, missingCapabilities } from './process-rights.ts';
import { resolveImage } from './resolve-image.ts';
import { resolveTargets, type ResolvedTarget } from './resolve-targets.ts';

export interface FactSources {
  readonly fs: FsPort;
  readonly archive: ArchivePort;
  readonly docker: DockerPort;
  readonly mountUsers: MountUsers;
  readonly registry: PluginRegistry;
  readonly context: ScopeContext;
  readonly installation: string;
  readonly snapshotsFolder: string;
}

/** All reading that a plan needs; changes nothing. @throws DOCKER_AWAY, IO_ERROR, CANCELLED */
export async function gatherHostFacts(from: FactSources, input: PlanInput, signal: AbortSignal): Promise<HostFacts> {
  const { fs, docker } = from;
  const labels = instanceLabels(from.installation, input.workload.id);
  const ours = (container: ContainerSummary): boolean => hasLabels(container, labels);
  const instances = newestFirst(await docker.listContainers(labels, signal));
  const captured = (await resolveTargets(input.workload.config.volumes, from.registry, from.context)).filter(
    (target) => 'refused' in target || target.resolved.capabilities.captured,
  );
  const mounts = parseMountinfo(await naming('read', '/proc/self/mountinfo', () => fs.mountInfo()));
  const volumes: VolumeFacts[] = [];
  for (const target of captured) volumes.push(await volumeFacts(from, target, mounts, signal));
  const paths = volumes.flatMap((volume) => (volume.kind === 'resolved' ? [volume.hostPath] : []));
  const archive = await naming('stat', input.snapshot.file, () => fs.stat(input.snapshot.file));
  return {
    volumes,
    archiveBytes: archive?.kind === 'file' ? archive.size : null,
    snapshots: await fileSystemFacts(fs, mounts, from.snapshotsFolder),
    containers: instances.map(({ id, name, state }) => ({
      id,
      name,
      running: state === 'running' || state === 'paused' || state === 'restarting',
    })),
    users:
      paths.length === 0
        ? []
        : await lastingUsers(() =>
            directoryUsers({ docker, mountUsers: from.mountUsers, paths, expected: ours }, signal),
          ),
    image: await resolveImage(from, input, instances, signal),
    rights: await processRights(fs),
  };
}

async function processRights(fs: FsPort): Promise<ProcessRights> {
  const read = async (file: string): Promise<string> =>
    (await naming('read', file, () => fs.readFile(file))).toString('utf8');
  return {
    missing: missingCapabilities(await read('/proc/self/status')),
    userIds: mappedIds(await read('/proc/self/uid_map')),
  };
}

async function volumeFacts(
  { fs, archive }: FactSources,
  target: ResolvedTarget,
  mounts: readonly MountEntry[],
  signal: AbortSignal,
): Promise<VolumeFacts> {
  const { target: at, scope, source } = target.volume;
  const declared = { target: at, scope, source };
  if ('refused' in target) return { kind: 'refused', ...declared, ...target.refused };
  const { hostPath, base } = target.resolved;
  const standing = await naming('stat', hostPath, () => standingAt(fs, hostPath));
  const points = mountsAtOrBelow(mounts, hostPath).map((mount) => mount.mountPoint);
  const isMountPoint = points.includes(hostPath);
  const parent = isMountPoint ? hostPath : target.resolved.parent;
  const inside = isMountPoint ? await entryFacts(fs, hostPath) : { locked: [] };
  const existing = await existingAncestor(fs, parent);
  const names = await naming('statfs', existing, () => fs.fileSystemNames(existing));
  const above = await naming('stat', existing, () => fs.traits(existing));
  const own = standing.kind === 'tree' ? await naming('stat', hostPath, () => fs.traits(hostPath)) : null;
  return {
    kind: 'resolved',
    ...declared,
    hostPath,
    parent,
    base,
    standing: standing.kind,
    live: standing.kind === 'tree' ? standing.identity : null,
    hasIdentity: names.length > 0,
    measure:
      standing.kind === 'tree' ? await archive.measure(hostPath, await innerNamesIn(fs, hostPath), signal) : null,
    mounts: points,
    fileSystem: await fileSystemFacts(fs, mounts, existing),
    locked: [
      ...(isMountPoint ? [] : above.flags.map((flag) => ({ path: existing, flag }))),
      ...(own?.flags ?? []).map((flag) => ({ path: hostPath, flag })),
      ...inside.locked,
    ],
    ...(inside.unreadableName !== undefined && { unreadableName: inside.unreadableName }),
    labels:
      own === null || own.securityLabel === null || above.securityLabel === null
        ? null
        : { live: own.securityLabel, parent: above.securityLabel },
  };
}

/** Each costs a process; beyond so many the swap itself finds out, and goes back. */
const MOST_ENTRIES = 256;

/** What lies directly in a mount point has to be renamed one by one. */
async function entryFacts(
  fs: FsPort,
  directory: string,
): Promise<Pick<ResolvedVolumeFacts, 'locked' | 'unreadableName'>> {
  const locked: { path: string; flag: string }[] = [];
  let unreadableName: string | undefined;
  const names = await naming('readdir', directory, () => fs.readDirectory(directory));
  for (const [n, name] of names.filter((one) => !isInnerName(one)).entries()) {
    const at = path.join(directory, name);
    const found = await naming('stat', at, () => fs.stat(at));
    if (found === null && name.includes('\uFFFD')) unreadableName ??= at;
    if (n >= MOST_ENTRIES || (found?.kind !== 'file' && found?.kind !== 'directory')) continue;
    const { flags } = await naming('stat', at, () => fs.traits(at));
    locked.push(...flags.map((flag) => ({ path: at, flag })));
  }
  return { locked, ...(unreadableName !== undefined && { unreadableName }) };
}

export async function fileSystemFacts(
  fs: FsPort,
  mounts: readonly MountEntry[],
  directory: string,
): Promise<FileSystemFacts> {
  const existing = await existingAncestor(fs, directory);
  const mount = mountHolding(mounts, existing);
  const space = await naming('statfs', existing, () => fs.space(existing));
  return {
    id: mount?.device ?? existing,
    mountPoint: mount?.mountPoint ?? existing,
    kind: mount?.fileSystem ?? '',
    readOnly: mount?.readOnly ?? false,
    space,
  };
}

/** `directory` itself or its deepest ancestor that is there. */
export async function existingAncestor(fs: FsPort, directory: string): Promise<string> {
  for (let current = directory; ; current = path.dirname(current))
    if (current === '/' || (await naming('stat', current, () => fs.stat(current))) !== null) return current;
}

/** Directories between `base` and `directory`, both included, that are not there, outermost first. */
export async function missingParents(fs: FsPort, base: string, directory: string): Promise<string[]> {
  const missing: string[] = [];
  for (let current = directory; current !== path.dirname(base); current = path.dirname(current)) {
    if (current === '/' || (await naming('stat', current, () => fs.stat(current))) !== null) break;
    missing.unshift(current);
  }
  return missing;
}

const newestFirst = (containers: readonly ContainerSummary[]): ContainerSummary[] =>
  containers.toSorted((a, b) => b.createdAt.getTime() - a.createdAt.getTime());
