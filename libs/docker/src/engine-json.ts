import type {
  ContainerDetail,
  ContainerSpec,
  ContainerState,
  ContainerSummary,
  ImageDetail,
  RestartPolicy,
} from './docker-port.ts';

/** The parts of the Engine's answers that are read; API 1.41 to 1.5x. */
export interface ListedContainerJson {
  Id: string;
  Names: string[];
  Image: string;
  ImageID: string;
  State: string;
  Labels: Record<string, string> | null;
  Mounts: MountJson[] | null;
  Created: number;
}

interface MountJson {
  Type: string;
  Source?: string;
  Destination: string;
}

type PortBindings = Record<string, { HostIp?: string; HostPort?: string }[] | null>;

export interface ContainerJson {
  Id: string;
  Name: string;
  Image: string;
  Created: string;
  RestartCount: number;
  State: {
    Status: string;
    Running: boolean;
    Paused: boolean;
    Pid: number;
    ExitCode: number;
    StartedAt: string;
    Health?: { Status: string } | null;
  };
  Config: { Image: string; Labels: Record<string, string> | null; ExposedPorts?: Record<string, object> | null };
  HostConfig: { RestartPolicy?: { Name: string }; PortBindings?: PortBindings | null };
  NetworkSettings: {
    IPAddress?: string;
    Ports?: PortBindings | null;
    Networks?: Record<string, { IPAddress?: string } | null> | null;
  };
  Mounts: MountJson[] | null;
}

export interface ImageJson {
  Id: string;
  RepoDigests: string[] | null;
  RepoTags: string[] | null;
  Architecture: string;
}

const mountsOf = (mounts: MountJson[] | null): ContainerSummary['mounts'] =>
  (mounts ?? []).map((mount) => ({ type: mount.Type, source: mount.Source ?? '', target: mount.Destination }));

export function summaryFromList(json: ListedContainerJson): ContainerSummary {
  return {
    id: json.Id,
    name: (json.Names[0] ?? '').replace(/^\//, ''),
    image: json.Image,
    imageId: json.ImageID,
    state: json.State as ContainerState,
    labels: json.Labels ?? {},
    mounts: mountsOf(json.Mounts),
    createdAt: new Date(json.Created * 1000),
  };
}

export function detailFromInspect(json: ContainerJson): ContainerDetail {
  const { State: state, NetworkSettings: network } = json;
  const started = Date.parse(state.StartedAt);
  const health = state.Health?.Status ?? '';
  return {
    id: json.Id,
    name: json.Name.replace(/^\//, ''),
    image: json.Config.Image,
    imageId: json.Image,
    state: state.Status as ContainerState,
    labels: json.Config.Labels ?? {},
    mounts: mountsOf(json.Mounts),
    createdAt: new Date(json.Created),
    pid: state.Pid,
    exitCode: state.Running || state.Status === 'created' ? null : state.ExitCode,
    // The Engine writes the year 1 for "never".
    startedAt: started > 0 ? new Date(started) : null,
    restartCount: json.RestartCount,
    restartPolicy: (json.HostConfig.RestartPolicy?.Name || 'no') as RestartPolicy,
    health: health === 'starting' || health === 'healthy' || health === 'unhealthy' ? health : 'none',
    ports: portsOf(json),
    ipAddress: state.Running
      ? ([network.IPAddress, ...Object.values(network.Networks ?? {}).map((entry) => entry?.IPAddress)].find(Boolean) ??
        null)
      : null,
  };
}

/** What runs is told by NetworkSettings, what is merely configured by HostConfig. One line per port: `0.0.0.0` hides `::`. */
function portsOf(json: ContainerJson): ContainerDetail['ports'] {
  const bindings = (json.State.Running ? json.NetworkSettings.Ports : json.HostConfig.PortBindings) ?? {};
  const ports: ContainerDetail['ports'][number][] = [];
  for (const key of new Set([...Object.keys(bindings), ...Object.keys(json.Config.ExposedPorts ?? {})])) {
    const [container = '', protocol = 'tcp'] = key.split('/');
    const published = bindings[key] ?? [];
    if (published.length === 0) ports.push({ container: Number(container), published: null, protocol, hostIp: null });
    for (const { HostIp, HostPort } of published) {
      const port = {
        container: Number(container),
        published: Number(HostPort) || null,
        protocol,
        hostIp: HostIp || null,
      };
      const twin =
        port.hostIp === '::' && published.some((other) => other.HostIp === '0.0.0.0' && other.HostPort === HostPort);
      if (!twin) ports.push(port);
    }
  }
  return ports;
}

export function imageFromInspect(json: ImageJson): ImageDetail {
  return {
    id: json.Id,
    repoDigests: json.RepoDigests ?? [],
    repoTags: json.RepoTags ?? [],
    architecture: json.Architecture,
  };
}

export function createBody(spec: ContainerSpec): object {
  const exposed: Record<string, object> = {};
  const bindings: Record<string, { HostIp: string; HostPort: string }[]> = {};
  for (const port of spec.ports) {
    const key = `${port.container}/${port.protocol}`;
    exposed[key] = {};
    if (port.published !== undefined) {
      (bindings[key] ??= []).push({ HostIp: port.hostIp ?? '', HostPort: String(port.published) });
    }
  }
  return {
    Image: spec.image,
    Env: Object.entries(spec.env).map(([name, value]) => `${name}=${value}`),
    ...(spec.command !== null && { Cmd: spec.command }),
    Labels: spec.labels,
    ExposedPorts: exposed,
    StopTimeout: spec.stopTimeoutSeconds,
    HostConfig: {
      // Mounts, never Binds: Binds create a missing source as an empty directory, at create and at every start.
      Mounts: spec.mounts.map((mount) => ({
        Type: 'bind',
        Source: mount.source,
        Target: mount.target,
        ReadOnly: mount.readOnly,
        BindOptions: { Propagation: 'rprivate' },
      })),
      PortBindings: bindings,
      RestartPolicy: { Name: spec.restartPolicy },
      NetworkMode: spec.network ?? 'default',
    },
  };
}
