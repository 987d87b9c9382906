import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { FaultyDockerPort, dockerLifecycleContract, dockerPortContract, testDocker } from './testing/index.ts';

dockerPortContract('DockerodePort', (bench) => bench.docker);
dockerPortContract('FaultyDockerPort without a fault', (bench) => new FaultyDockerPort(bench.docker).port);

dockerLifecycleContract('DockerodePort', async () => {
  const bench = testDocker();
  return {
    port: bench.docker,
    image: (await bench.image()).id,
    spec: (image, more) => bench.spec(image, more),
    makeSource: () => mkdtemp(path.join(tmpdir(), 'tf-lifecycle-')),
    removeSource: (source) => rm(source, { recursive: true }),
    dispose: () => bench.cleanUp(),
  };
});
