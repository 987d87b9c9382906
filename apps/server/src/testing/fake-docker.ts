import { ForgeError } from '@tiny-forge/contracts/domain';
import type { DockerInfo, DockerPort } from '@tiny-forge/docker';

const info: DockerInfo = {
  id: 'engine',
  version: '20.10.24',
  apiVersion: '1.41',
  rootDir: '/var/lib/docker',
  architecture: 'x86_64',
};

/** An Engine without containers, that can be away. What a spec of REST does not need throws. */
export class FakeDocker {
  isAway = false;
  readonly port: DockerPort;

  constructor() {
    const answers: Partial<Record<keyof DockerPort, unknown>> = {
      info,
      listContainers: [],
      inspectContainer: null,
      inspectImage: null,
      loadImage: [],
    };
    this.port = new Proxy({} as DockerPort, {
      get: (_, name: string) => async () => {
        if (this.isAway) throw new ForgeError({ code: 'DOCKER_AWAY', params: { why: 'no such socket' } });
        if (!(name in answers)) throw new Error(`the fake Engine cannot ${name}`);
        return answers[name as keyof DockerPort];
      },
    });
  }
}
