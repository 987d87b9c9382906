import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { LABELS } from '@tiny-forge/contracts/domain';
import { connectDocker, type DockerodePort } from '../dockerode-port.ts';
import type { ContainerSpec, ImageDetail } from '../docker-port.ts';
import { archiveStream, buildTinyImage, busyboxFiles, type TinyImageSpec } from '../tiny-image.ts';

/** The Engine of the tests, used under an installation id of its own, so that suites that run at once do not meet. */
export interface TestDocker {
  readonly docker: DockerodePort;
  readonly dockerHost: string;
  readonly installation: string;
  /** Loads a busybox image that sleeps and ends on SIGTERM; the same spec gives the same image. */
  image(spec?: Partial<TinyImageSpec>): Promise<ImageDetail & { readonly tag: string }>;
  /** A container spec with the labels of this installation. */
  spec(image: string, more?: Partial<ContainerSpec>): ContainerSpec;
  /** Removes every container of this installation. */
  cleanUp(): Promise<void>;
}

const APPLETS = ['sh', 'sleep', 'httpd', 'nc', 'cat', 'echo', 'kill', 'true', 'false'];
const LOAD_ATTEMPTS = 5;

/** The static busybox that `npm test` provides; undefined: one of this machine. */
export const testBusybox = (): string | undefined => process.env['BUSYBOX_PATH'] || undefined;

/** Suites that run at once load the same image; the Engine then now and then fails one of the loads, or moves its name away. */
async function loaded(
  docker: DockerodePort,
  archive: Parameters<typeof archiveStream>[0],
  tag: string,
): Promise<ImageDetail & { readonly tag: string }> {
  for (let attempt = 1; ; attempt++) {
    try {
      await docker.loadImage(archiveStream(archive));
      const image = await docker.inspectImage(tag);
      if (image !== null) return { ...image, tag };
      throw new Error(`${tag} is not there after its load`);
    } catch (error) {
      if (attempt === LOAD_ATTEMPTS) throw error;
      await sleep(attempt * 500);
    }
  }
}

/** @throws Error naming `npm test` when DOCKER_HOST is unset: these tests never skip */
export function testDocker(): TestDocker {
  const dockerHost = process.env['DOCKER_HOST'];
  if (!dockerHost)
    throw new Error('DOCKER_HOST is unset: run these tests through `npm test`, which provides an Engine');
  const docker = connectDocker({ dockerHost });
  const installation = randomUUID();
  return {
    docker,
    dockerHost,
    installation,
    async image(spec = {}) {
      const tag = spec.tag ?? 'tiny-forge-test/busybox:1';
      const archive = await buildTinyImage({
        cmd: ['sh', '-c', 'trap "exit 0" TERM; while :; do sleep 1 & wait; done'],
        ...spec,
        tag,
        files: [...(await busyboxFiles(APPLETS, testBusybox())), ...(spec.files ?? [])],
      });
      return loaded(docker, archive, tag);
    },
    spec: (image, more = {}) => ({
      name: `tf-test-${randomUUID()}`,
      image,
      env: {},
      command: null,

      mounts: [],
      ports: [],
      restartPolicy: 'no',
      stopTimeoutSeconds: 1,
      ...more,
      labels: { [LABELS.installation]: installation, ...more.labels },
    }),
    async cleanUp() {
      const own = await docker.listContainers({ [LABELS.installation]: installation });
      await Promise.all(own.map(({ id }) => docker.removeContainer(id, { force: true, anonymousVolumes: 'remove' })));
    },
  };
}
