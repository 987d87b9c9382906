// docker: the few Docker calls the product makes, behind one narrow port; the only importer of dockerode.
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
export { connectDocker, DockerodePort } from './dockerode-port.ts';
export { archiveStream, buildTinyImage, busyboxFiles, type TinyImageFile, type TinyImageSpec } from './tiny-image.ts';
export { locateDirectory, mountUsers, relate, type HostLocation, type MountUser, type TreeRef } from './host-mounts.ts';
export { parseMountinfo, type MountEntry } from './mountinfo.ts';
