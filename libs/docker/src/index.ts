export type {
  ContainerDetail,
  ContainerSpec,
  ContainerState,
  ContainerSummary,
  DockerInfo,
  DockerPort,
  ImageDetail,
  MountSpec,
  RestartPolicy,
} from './docker-port.ts';
