import { expect, test } from '@jest/globals';
import { FaultyDockerPort, testDocker } from '@tiny-forge/docker/testing';
import { sourceTypeContract } from '@tiny-forge/plugin-api/testing';
import { imageSourceType } from './image-source-type.ts';

sourceTypeContract(imageSourceType, {
  source: { type: 'image', image: 'registry.example:5000/team/app:1.2' },
  bad: [
    { type: 'image' },
    { type: 'image', image: '' },
    { type: 'image', image: '-v' },
    { type: 'image', image: 'a b' },
    { type: 'image', image: 'app:1', pull: 'sometimes' },
    { type: 'compose', image: 'app:1' },
  ],
});

test('a container in its restart loop is stopped for a pause, and started again', async () => {
  const bench = testDocker();
  const image = await bench.image();
  try {
    const spec = bench.spec(image.id, { command: ['false'], restartPolicy: 'always', network: 'none' });
    const { id } = await bench.docker.createContainer(spec);
    await bench.docker.startContainer(id);
    let containers = await bench.docker.listContainers(spec.labels);
    while (containers[0]?.state !== 'restarting') containers = await bench.docker.listContainers(spec.labels);
    const faulty = new FaultyDockerPort(bench.docker);
    const session = {
      docker: faulty.port,
      mode: 'pause',
      containers,
      stopTimeoutSeconds: 1,
      signal: new AbortController().signal,
    } as const;
    const sourceType = imageSourceType.create();
    const changed = await sourceType.quiesce(session);
    expect(changed).toEqual([id]);
    expect((await bench.docker.inspectContainer(id))?.state).toBe('exited');
    await sourceType.resume(session, changed);
    expect(faulty.calls.map((call) => call.method)).toEqual(['stopContainer', 'startContainer']);
  } finally {
    await bench.cleanUp();
  }
});
