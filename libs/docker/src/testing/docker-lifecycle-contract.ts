import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { ContainerSpec, DockerPort } from '../docker-port.ts';

/** What the suite runs on. */
export interface LifecycleBench {
  readonly port: DockerPort;
  readonly image: string;
  spec(image: string, more?: Partial<ContainerSpec>): ContainerSpec;
  /** A directory that can be mounted. */
  makeSource(): Promise<string>;
  removeSource(source: string): Promise<void>;
  dispose(): Promise<void>;
}

const NOBODY = 'f'.repeat(64);

/** The obligations of `DockerPort` that need no process inside a container: the part that a simulation can keep, and that engines rely on. */
export function dockerLifecycleContract(name: string, open: () => Promise<LifecycleBench>): void {
  describe(`DockerPort lifecycle contract: ${name}`, () => {
    let bench: LifecycleBench;
    let port: DockerPort;
    const create = async (more: Partial<ContainerSpec> = {}): Promise<string> =>
      (await port.createContainer(bench.spec(bench.image, { network: 'none', ...more }))).id;
    const stateOf = async (id: string): Promise<string | undefined> => (await port.inspectContainer(id))?.state;

    beforeEach(async () => {
      bench = await open();
      port = bench.port;
    });
    afterEach(() => bench.dispose());

    test('what does not exist is an answer', async () => {
      expect(await port.inspectContainer(NOBODY)).toBeNull();
      expect(await port.startContainer(NOBODY)).toBe('gone');
      expect(await port.stopContainer(NOBODY, 1)).toBe('gone');
      expect(await port.removeContainer(NOBODY, { force: true })).toBe('gone');
      expect(await port.renameContainer(NOBODY, 'tf-test-nobody')).toBe('gone');
      expect([await port.pauseContainer(NOBODY), await port.unpauseContainer(NOBODY)]).toEqual(['gone', 'gone']);
      expect(await port.setRestartPolicy(NOBODY, 'no')).toBe('gone');
      expect(await port.inspectImage(`sha256:${NOBODY}`)).toBeNull();
    });

    test('create makes and never starts; what is missing or taken has its code', async () => {
      const source = await bench.makeSource();
      const spec = bench.spec(bench.image, {
        labels: { part: 'a' },
        mounts: [{ source, target: '/data', readOnly: false }],
        restartPolicy: 'unless-stopped',
      });
      const { id } = await port.createContainer(spec);
      expect(await port.inspectContainer(id)).toMatchObject({
        id,
        name: spec.name,
        imageId: bench.image,
        state: 'created',
        labels: spec.labels,
        mounts: [{ type: 'bind', source, target: '/data' }],
        restartPolicy: 'unless-stopped',
        pid: 0,
        startedAt: null,
      });
      await expect(create({ name: spec.name })).rejects.toMatchObject({ code: 'DEPLOY_FAILED' });
      await expect(create({ image: `sha256:${NOBODY}` })).rejects.toMatchObject({ code: 'IMAGE_MISSING' });
      const mounts = [{ source: `${source}/missing`, target: '/data', readOnly: false }];
      await expect(create({ mounts })).rejects.toMatchObject({ code: 'DEPLOY_FAILED' });
      await bench.removeSource(source);
      await expect(port.startContainer(id)).rejects.toMatchObject({ code: 'DEPLOY_FAILED' });
    });

    test('start, stop and remove are idempotent; a running container is removed by force only', async () => {
      const id = await create();
      expect([await port.startContainer(id), await port.startContainer(id)]).toEqual(['started', 'started']);
      expect(await port.inspectContainer(id)).toMatchObject({
        state: 'running',
        exitCode: null,
        startedAt: expect.any(Date),
      });
      await expect(port.removeContainer(id, { force: false })).rejects.toMatchObject({ code: 'DEPLOY_FAILED' });
      expect([await port.stopContainer(id, 5), await port.stopContainer(id, 5)]).toEqual(['stopped', 'stopped']);
      expect(await port.inspectContainer(id)).toMatchObject({ state: 'exited', pid: 0 });
      expect([
        await port.removeContainer(id, { force: false }),
        await port.removeContainer(id, { force: false }),
      ]).toEqual(['removed', 'gone']);
    });

    test('pause and unpause tell what is so, and stop unpauses first', async () => {
      const id = await create();
      expect([await port.pauseContainer(id), await port.unpauseContainer(id)]).toEqual(['not-running', 'unpaused']);
      await port.startContainer(id);
      expect([await port.pauseContainer(id), await port.pauseContainer(id)]).toEqual(['paused', 'paused']);
      expect(await stateOf(id)).toBe('paused');
      expect([await port.unpauseContainer(id), await port.unpauseContainer(id)]).toEqual(['unpaused', 'unpaused']);
      await port.pauseContainer(id);
      expect([await port.stopContainer(id, 2), await stateOf(id)]).toEqual(['stopped', 'exited']);
    });

    test('the restart policy can be changed, running or not', async () => {
      const id = await create();
      for (const policy of ['unless-stopped', 'no', 'always'] as const) {
        expect(await port.setRestartPolicy(id, policy)).toBe('set');
        expect((await port.inspectContainer(id))?.restartPolicy).toBe(policy);
        await port.startContainer(id);
      }
      await port.setRestartPolicy(id, 'no');
      await port.stopContainer(id, 1);
      expect(await port.inspectContainer(id)).toMatchObject({ restartPolicy: 'no', state: 'exited' });
    });

    test('lists by every given label, running or not; rename keeps the container', async () => {
      const a = await create({ labels: { part: 'a', kind: 'x' } });
      const b = await create({ labels: { part: 'b', kind: 'x' } });
      await port.startContainer(b);
      const own = bench.spec(bench.image).labels;
      const ids = async (labels: Record<string, string>): Promise<string[]> =>
        (await port.listContainers({ ...own, ...labels })).map(({ id }) => id).sort();
      expect(await ids({ kind: 'x' })).toEqual([a, b].sort());
      expect(await ids({ kind: 'x', part: 'b' })).toEqual([b]);
      expect(await ids({ kind: 'y' })).toEqual([]);
      const name = `tf-test-renamed-${a.slice(0, 12)}${b.slice(-4)}`;
      expect(await port.renameContainer(a, name)).toBe('renamed');
      expect((await port.inspectContainer(a))?.name).toBe(name);
      await expect(port.renameContainer(b, name)).rejects.toMatchObject({ code: 'DEPLOY_FAILED' });
    });
  });
}
