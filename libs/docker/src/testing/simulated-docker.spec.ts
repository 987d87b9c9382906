import { describe, expect, test } from '@jest/globals';
import { dockerLifecycleContract } from './docker-lifecycle-contract.ts';
import { SimulatedDocker } from './simulated-docker.ts';
import type { ContainerSpec } from '../docker-port.ts';

const IMAGE = `sha256:${'1'.repeat(64)}`;
let made = 0;
const spec = (image: string, more: Partial<ContainerSpec> = {}): ContainerSpec => ({
  name: `tf-test-${++made}`,
  image,
  env: {},
  command: null,
  mounts: [],
  ports: [],
  restartPolicy: 'no',
  stopTimeoutSeconds: 1,
  ...more,
  labels: { own: 'yes', ...more.labels },
});

dockerLifecycleContract('SimulatedDocker', () => {
  const sources = new Set<string>();
  const treeAt = (path: string): string | null => (sources.has(path) ? path : null);
  return Promise.resolve({
    port: new SimulatedDocker({ treeAt }, [IMAGE]),
    image: IMAGE,
    spec,
    makeSource: () => {
      sources.add('/source');
      return Promise.resolve('/source');
    },
    removeSource: (source) => {
      sources.delete(source);
      return Promise.resolve();
    },
    dispose: () => Promise.resolve(),
  });
});

describe('a power cut', () => {
  test('starts what Docker would start: always, and unless-stopped that nobody had stopped', async () => {
    const started: string[] = [];
    const docker = new SimulatedDocker({ treeAt: () => 't', onStart: ({ name }) => started.push(name) }, [IMAGE]);
    const make = async (name: string, restartPolicy: ContainerSpec['restartPolicy']): Promise<string> => {
      const { id } = await docker.createContainer(spec(IMAGE, { name, restartPolicy }));
      await docker.startContainer(id);
      return id;
    };
    await make('no', 'no');
    await make('unless-stopped', 'unless-stopped');
    const always = await make('always, stopped', 'always');
    const stopped = await make('unless-stopped, stopped', 'unless-stopped');
    for (const id of [always, stopped]) await docker.stopContainer(id, 1);
    await docker.createContainer(spec(IMAGE, { name: 'never started', restartPolicy: 'always' }));
    started.length = 0;
    docker.powerCut();
    expect(started).toEqual(['unless-stopped', 'always, stopped']);
  });

  test('a running container keeps the tree it was started with', async () => {
    let tree: string | null = 'first';
    const docker = new SimulatedDocker({ treeAt: () => tree }, [IMAGE]);
    const mounts = [{ source: '/s', target: '/d', readOnly: false }];
    const { id } = await docker.createContainer(spec(IMAGE, { mounts, restartPolicy: 'always' }));
    await docker.startContainer(id);
    tree = 'second';
    expect(docker.mounted()).toEqual([{ id, source: '/s', tree: 'first' }]);
    docker.powerCut();
    expect(docker.mounted()).toEqual([{ id, source: '/s', tree: 'second' }]);
    tree = null;
    docker.powerCut();
    expect(docker.mounted()).toEqual([]);
  });
});
