import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { ContainerSpec, DockerPort } from '../docker-port.ts';
import { archiveStream, buildTinyImage, busyboxFiles } from '../tiny-image.ts';
import { testBusybox, testDocker, type TestDocker } from './test-docker.ts';

const NOBODY = 'f'.repeat(64);

/** The obligations of `DockerPort`, one test each. Every implementation and every wrapper runs them, on a real Engine. */
export function dockerPortContract(name: string, makePort: (bench: TestDocker) => DockerPort): void {
  describe(`DockerPort contract: ${name}`, () => {
    let bench: TestDocker;
    let port: DockerPort;
    let image: string;
    let directory: string;

    beforeAll(async () => {
      bench = testDocker();
      port = makePort(bench);
      image = (await bench.image()).id;
      directory = await mkdtemp(path.join(tmpdir(), 'tf-docker-port-'));
    });
    afterEach(() => bench.cleanUp());
    afterAll(() => rm(directory, { recursive: true, force: true }));

    const create = async (more: Partial<ContainerSpec> = {}): Promise<string> =>
      (await port.createContainer(bench.spec(image, { network: 'none', ...more }))).id;
    const run = async (more: Partial<ContainerSpec> = {}): Promise<string> => {
      const id = await create(more);
      await port.startContainer(id);
      return id;
    };
    const stateOf = async (id: string): Promise<string | undefined> => (await port.inspectContainer(id))?.state;
    const listed = async (): Promise<string[]> =>
      (await port.listContainers(bench.spec(image).labels)).map(({ id }) => id);

    test('info names the Engine, its version and its data root', async () => {
      expect(await port.info()).toEqual({
        id: expect.stringMatching(/.+/),
        version: expect.stringMatching(/^\d+\./),
        apiVersion: expect.stringMatching(/^1\.\d+$/),
        rootDir: expect.stringMatching(/^\//),
        architecture: expect.stringMatching(/.+/),
      });
    });

    test('what does not exist is an answer', async () => {
      expect(await port.inspectContainer(NOBODY)).toBeNull();
      expect(await port.startContainer(NOBODY)).toBe('gone');
      expect(await port.stopContainer(NOBODY, 1)).toBe('gone');
      expect(await port.removeContainer(NOBODY, { force: true })).toBe('gone');
      expect(await port.renameContainer(NOBODY, `tf-test-${Date.now()}`)).toBe('gone');
      expect(await port.pauseContainer(NOBODY)).toBe('gone');
      expect(await port.unpauseContainer(NOBODY)).toBe('gone');
      expect(await port.setRestartPolicy(NOBODY, 'no')).toBe('gone');
      expect(await port.logs(NOBODY, 1)).toBeNull();
      expect(await port.exec(NOBODY, ['true'], 1000)).toBe('gone');
      expect(await port.waitContainer(NOBODY)).toBeNull();
      expect(await port.inspectImage('tiny-forge-test/none:1')).toBeNull();
      expect(await port.inspectImage(`sha256:${NOBODY}`)).toBeNull();
      expect(await port.inspectImage('../containers')).toBeNull();
      expect(await port.inspectImage('NOT A REFERENCE')).toBeNull();
    });

    test('create makes, never starts, and tells what it made', async () => {
      const spec = bench.spec(image, {
        env: { GREETING: 'a=b "c"', EMPTY: '' },
        command: ['sleep', '60'],
        labels: { 'io.tiny-forge.test': 'ä b' },
        mounts: [{ source: directory, target: '/data', readOnly: false }],
        ports: [
          { container: 8080, protocol: 'tcp' },
          { container: 53, protocol: 'udp', published: 15353, hostIp: '127.0.0.1' },
        ],
        restartPolicy: 'unless-stopped',
      });
      const { id } = await port.createContainer(spec);
      expect(await port.inspectContainer(id)).toEqual({
        id,
        name: spec.name,
        image,
        imageId: image,
        state: 'created',
        labels: spec.labels,
        mounts: [{ type: 'bind', source: directory, target: '/data' }],
        createdAt: expect.any(Date),
        pid: 0,
        exitCode: null,
        startedAt: null,
        restartCount: 0,
        restartPolicy: 'unless-stopped',
        health: 'none',
        ports: [
          { container: 53, published: 15353, protocol: 'udp', hostIp: '127.0.0.1' },
          { container: 8080, published: null, protocol: 'tcp', hostIp: null },
        ],
        ipAddress: null,
      });
    });

    test('a missing image, a taken name and a missing mount source have their codes, and make nothing', async () => {
      await expect(create({ image: `sha256:${NOBODY}` })).rejects.toMatchObject({ code: 'IMAGE_MISSING' });
      const first = await create();
      const taken = (await port.inspectContainer(first))?.name ?? '';
      await expect(create({ name: taken })).rejects.toMatchObject({
        code: 'DEPLOY_FAILED',
        retryable: false,
        params: { conflict: 'name' },
      });
      const missing = path.join(directory, 'missing');
      await expect(create({ mounts: [{ source: missing, target: '/data', readOnly: false }] })).rejects.toMatchObject({
        code: 'DEPLOY_FAILED',
      });
      expect(await listed()).toEqual([first]);
    });

    test('a mount source that vanished makes start fail and is not created', async () => {
      const gone = await mkdtemp(path.join(directory, 'gone-'));
      const id = await create({ mounts: [{ source: gone, target: '/data', readOnly: false }] });
      await rm(gone, { recursive: true });
      await expect(port.startContainer(id)).rejects.toMatchObject({ code: 'DEPLOY_FAILED' });
      await expect(rename(gone, `${gone}.moved`)).rejects.toMatchObject({ code: 'ENOENT' });
    });

    test('start, stop and remove are idempotent', async () => {
      const id = await create();
      expect([await port.startContainer(id), await port.startContainer(id)]).toEqual(['started', 'started']);
      expect(await port.inspectContainer(id)).toMatchObject({
        state: 'running',
        pid: expect.any(Number),
        exitCode: null,
        startedAt: expect.any(Date),
      });
      expect([await port.stopContainer(id, 5), await port.stopContainer(id, 5)]).toEqual(['stopped', 'stopped']);
      expect(await port.inspectContainer(id)).toMatchObject({ state: 'exited', pid: 0, exitCode: 0 });
      expect([
        await port.removeContainer(id, { force: false }),
        await port.removeContainer(id, { force: false }),
      ]).toEqual(['removed', 'gone']);
    });

    test('a running container is removed by force only', async () => {
      const id = await run();
      await expect(port.removeContainer(id, { force: false })).rejects.toMatchObject({ code: 'DEPLOY_FAILED' });
      expect(await port.removeContainer(id, { force: true })).toBe('removed');
    });

    test('a container that ignores SIGTERM is killed after its time', async () => {
      const id = await run({ command: ['sh', '-c', 'trap "" TERM; while :; do sleep 1; done'] });
      const began = Date.now();
      expect(await port.stopContainer(id, 1)).toBe('stopped');
      expect(Date.now() - began).toBeGreaterThanOrEqual(900);
      expect(await port.inspectContainer(id)).toMatchObject({ state: 'exited', exitCode: 137 });
    });

    test('pause and unpause tell what is so, and stop unpauses first', async () => {
      const id = await create();
      expect(await port.pauseContainer(id)).toBe('not-running');
      expect(await port.unpauseContainer(id)).toBe('unpaused');
      await port.startContainer(id);
      expect([await port.pauseContainer(id), await port.pauseContainer(id)]).toEqual(['paused', 'paused']);
      expect(await stateOf(id)).toBe('paused');
      expect([await port.unpauseContainer(id), await port.unpauseContainer(id)]).toEqual(['unpaused', 'unpaused']);
      expect(await stateOf(id)).toBe('running');
      await port.pauseContainer(id);
      expect(await port.stopContainer(id, 2)).toBe('stopped');
      expect(await port.pauseContainer(id)).toBe('not-running');
    });

    test('the restart policy can be changed, running or not', async () => {
      const id = await run();
      for (const policy of ['unless-stopped', 'no', 'always'] as const) {
        expect(await port.setRestartPolicy(id, policy)).toBe('set');
        expect((await port.inspectContainer(id))?.restartPolicy).toBe(policy);
      }
      await port.stopContainer(id, 1);
      expect(await port.setRestartPolicy(id, 'no')).toBe('set');
      expect((await port.inspectContainer(id))?.restartPolicy).toBe('no');
    });

    test('a taken host port is PORT_TAKEN, whoever holds it', async () => {
      const server = net.createServer().listen(0, '127.0.0.1');
      await new Promise((resolve) => server.once('listening', resolve));
      const { port: number } = server.address() as net.AddressInfo;
      const published = {
        ports: [{ container: 80, published: number, protocol: 'tcp', hostIp: '127.0.0.1' }],
      } as const;
      const bridged = async (): Promise<string> => (await port.createContainer(bench.spec(image, published))).id;
      const first = await bridged();
      await expect(port.startContainer(first)).rejects.toMatchObject({ code: 'PORT_TAKEN', params: { port: number } });
      await new Promise((resolve) => server.close(resolve));
      expect(await port.startContainer(first)).toBe('started');
      expect(await port.inspectContainer(first)).toMatchObject({
        ports: [{ container: 80, published: number, protocol: 'tcp', hostIp: '127.0.0.1' }],
        ipAddress: expect.stringMatching(/^\d+\.\d+\.\d+\.\d+$/),
      });
      await expect(port.startContainer(await bridged())).rejects.toMatchObject({
        code: 'PORT_TAKEN',
        params: { port: number },
      });
    });

    test('lists by every given label, running or not', async () => {
      const a = await create({ labels: { part: 'a', kind: 'x' } });
      const b = await run({ labels: { part: 'b', kind: 'x' } });
      const own = bench.spec(image).labels;
      const ids = async (labels: Record<string, string>): Promise<string[]> =>
        (await port.listContainers({ ...own, ...labels })).map(({ id }) => id).sort();
      expect(await ids({ kind: 'x' })).toEqual([a, b].sort());
      expect(await ids({ kind: 'x', part: 'b' })).toEqual([b]);
      expect(await ids({ kind: 'y' })).toEqual([]);
      expect((await port.listContainers()).map(({ id }) => id)).toEqual(expect.arrayContaining([a, b]));
    });

    test('exec answers code and output of both streams, cut and limited in time', async () => {
      const id = await run();
      expect(await port.exec(id, ['sh', '-c', 'echo out; echo err >&2; exit 3'], 5000)).toEqual({
        exitCode: 3,
        output: expect.stringMatching(/^(out\nerr|err\nout)\n$/),
      });
      const long = await port.exec(
        id,
        ['sh', '-c', 'i=0; while [ $i -lt 3000 ]; do echo 012345678901234567890123456789; i=$((i+1)); done'],
        20_000,
      );
      expect(long === 'gone' ? 0 : long.output.length).toBe(64 * 1024);
      expect(await port.exec(id, ['sleep', '20'], 300)).toEqual({ exitCode: 124, output: '' });
      expect(await port.exec(id, ['no-such-program'], 5000)).toMatchObject({ exitCode: expect.any(Number) });
      await port.stopContainer(id, 1);
      expect(await port.exec(id, ['true'], 5000)).toBe('gone');
    });

    test('logs join both streams and keep the last lines; wait gives the exit code', async () => {
      const id = await run({ command: ['sh', '-c', 'echo one; echo two; echo three >&2; exit 4'] });
      expect(await port.waitContainer(id)).toEqual({ exitCode: 4 });
      expect(await port.logs(id, 10)).toContain('one\n');
      expect((await port.logs(id, 1))?.split('\n')).toHaveLength(2);
    });

    test('rename keeps the container; a taken name is refused', async () => {
      const [a, b] = [await create(), await create()];
      const name = `tf-test-renamed-${a.slice(0, 12)}`;
      expect(await port.renameContainer(a, name)).toBe('renamed');
      expect((await port.inspectContainer(a))?.name).toBe(name);
      await expect(port.renameContainer(b, name)).rejects.toMatchObject({ code: 'DEPLOY_FAILED' });
    });

    test('loads an image and finds it by name and by id', async () => {
      const tag = 'tiny-forge-test/contract:1';
      const archive = await buildTinyImage({ tag, files: await busyboxFiles(['true'], testBusybox()), cmd: ['true'] });
      expect(await port.loadImage(archiveStream(archive))).toEqual([tag]);
      const loaded = await port.inspectImage(tag);
      expect(loaded).toMatchObject({ repoTags: [tag], repoDigests: [] });
      expect(await port.inspectImage(loaded?.id ?? '')).toEqual(loaded);
    });

    test('a damaged image archive is refused', async () => {
      await expect(port.loadImage(archiveStream(Buffer.from('not a tar')))).rejects.toMatchObject({
        code: 'DEPLOY_FAILED',
      });
    });

    test('an image no registry has is IMAGE_MISSING', async () => {
      for (const reference of ['127.0.0.1:9/none:1', `sha256:${NOBODY}`, 'NOT A REFERENCE']) {
        await expect(port.pullImage(reference)).rejects.toMatchObject({ code: 'IMAGE_MISSING' });
      }
    });

    test('an aborted signal settles a call with CANCELLED, before and while it runs', async () => {
      const id = await run();
      await expect(port.info(AbortSignal.abort())).rejects.toMatchObject({ code: 'CANCELLED' });
      await expect(port.waitContainer(id, AbortSignal.timeout(200))).rejects.toMatchObject({ code: 'CANCELLED' });
      await expect(port.exec(id, ['sleep', '20'], 20_000, AbortSignal.timeout(200))).rejects.toMatchObject({
        code: 'CANCELLED',
      });
    });

    test("a mount is what it says: read-only is read-only, and content is the host's", async () => {
      await writeFile(path.join(directory, 'file'), 'content');
      const id = await run({ mounts: [{ source: directory, target: '/data', readOnly: true }] });
      expect(await port.exec(id, ['cat', '/data/file'], 5000)).toEqual({ exitCode: 0, output: 'content' });
      expect(await port.exec(id, ['sh', '-c', 'echo x > /data/file'], 5000)).toMatchObject({ exitCode: 1 });
    });
  });
}
