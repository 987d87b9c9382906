import { LABELS } from '@tiny-forge/contracts/domain';
import type { ContainerSummary, DockerPort, mountUsers as mountUsersOfHost } from '@tiny-forge/docker';
import { overlaps } from '../identity/mount-table.ts';
import type { DirectoryUser } from './host-facts.ts';

export type MountUsers = typeof mountUsersOfHost;

export interface UserQuery {
  readonly docker: DockerPort;
  readonly mountUsers: MountUsers;
  readonly paths: readonly string[];
  /** Containers that are meant to use the directories. */
  readonly expected: (container: ContainerSummary) => boolean;
}

const runs = (container: ContainerSummary): boolean =>
  container.state === 'running' || container.state === 'paused' || container.state === 'restarting';

/**
 * Everything that has one of `paths`, a directory inside or one around it, mounted: containers by what Docker was told and, because that lies after
 * a rename, every process by what the kernel says.
 * @throws DOCKER_AWAY, IO_ERROR
 */
export async function directoryUsers(query: UserQuery, signal: AbortSignal): Promise<DirectoryUser[]> {
  const containers = await query.docker.listContainers(undefined, signal);
  const expected = new Set(containers.filter(query.expected).map((container) => container.id));
  const told = containers
    .filter((container) => !expected.has(container.id))
    .flatMap((container) =>
      query.paths.flatMap((path): DirectoryUser[] => {
        const sources = container.mounts.map((mount) => mount.source).filter((source) => source !== '');
        const hits = sources.filter((source) => overlaps(source, path));
        if (hits.length === 0) return [];
        const watchesWholeHost = hits.every((source) => source === '/');
        return [{ name: container.name, path, running: runs(container), watchesWholeHost }];
      }),
    );
  const seen = await processesUsing(query, containers, expected);
  return [...told, ...seen.filter((user) => !told.some((one) => one.name === user.name && one.path === user.path))];
}

/** Users that the kernel knows: proof, where Docker's own list is only a hint. */
export async function processesUsing(
  query: Pick<UserQuery, 'mountUsers' | 'paths'>,
  containers: readonly ContainerSummary[],
  expected: ReadonlySet<string>,
): Promise<DirectoryUser[]> {
  const byId = new Map(containers.map((container) => [container.id, container]));
  const users = await query.mountUsers(query.paths.map((path) => ({ path })));
  const found = new Map<string, DirectoryUser>();
  for (const user of users) {
    // A container that is being made has a copy of all mounts of the host until it changes its root: runc alone, for an instant.
    if (user.relation === 'around' && user.command.startsWith('runc')) continue;
    if (user.containerId !== null && expected.has(user.containerId)) continue;
    const container = user.containerId === null ? undefined : byId.get(user.containerId);
    const name = container?.name ?? user.containerId?.slice(0, 12) ?? `process ${user.pid} (${user.command})`;
    const wholeHost = user.relation === 'around' && (container?.mounts.some((mount) => mount.source === '/') ?? false);
    const key = `${name} ${user.path}`;
    const earlier = found.get(key);
    const watchesWholeHost = wholeHost && (earlier?.watchesWholeHost ?? true);
    found.set(key, { name, path: user.path, running: true, watchesWholeHost });
  }
  return [...found.values()];
}

/** Containers of a workload by label; only role `instance` is ever started for it. */
export const instanceLabels = (installation: string, workloadId: string): Readonly<Record<string, string>> => ({
  [LABELS.installation]: installation,
  [LABELS.workload]: workloadId,
  [LABELS.role]: 'instance',
});

/** Instances that one operation made. */
export const operationLabels = (
  installation: string,
  workloadId: string,
  operationId: string,
): Readonly<Record<string, string>> => ({
  ...instanceLabels(installation, workloadId),
  [LABELS.operation]: operationId,
});

export const hasLabels = (container: ContainerSummary, labels: Readonly<Record<string, string>>): boolean =>
  Object.entries(labels).every(([name, value]) => container.labels[name] === value);
