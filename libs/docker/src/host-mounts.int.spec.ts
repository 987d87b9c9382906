import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { execFile, spawn } from 'node:child_process';
import { mkdir, mkdtemp, realpath, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { setTimeout as sleep } from 'node:timers/promises';
import { locateDirectory, mountUsers, relate } from './host-mounts.ts';
import { testDocker, type TestDocker } from './testing/index.ts';

const run = promisify(execFile);
/** Mounting needs root; without it these few are reported as skipped. */
const asRoot = process.getuid?.() === 0 ? test : test.skip;
let bench: TestDocker;
let image: string;
let base: string;
const mounted: string[] = [];

beforeAll(async () => {
  bench = testDocker();
  image = (await bench.image()).id;
  base = await realpath(await mkdtemp(path.join(tmpdir(), 'tf-host-mounts-')));
});
afterEach(async () => {
  await bench.cleanUp();
  for (const point of mounted.splice(0).reverse()) await run('umount', [point]);
});
afterAll(() => rm(base, { recursive: true, force: true }));

const directory = async (...names: string[]): Promise<string> => {
  const made = path.join(base, ...names);
  await mkdir(made, { recursive: true });
  return made;
};
const bind = async (source: string, target: string): Promise<void> => {
  await run('mount', ['--bind', source, target]);
  mounted.push(target);
};
/** A running container with `source` at /data. */
const container = async (source: string): Promise<string> => {
  const spec = bench.spec(image, {
    network: 'none',
    command: ['sleep', '600'],
    mounts: [{ source, target: '/data', readOnly: false }],
  });
  const { id } = await bench.docker.createContainer(spec);
  await bench.docker.startContainer(id);
  return id;
};

describe('mountUsers', () => {
  test('tells a container, its pid and where it has the directory', async () => {
    const live = await directory('plain');
    const id = await container(live);
    const pid = (await bench.docker.inspectContainer(id))?.pid;
    const users = await mountUsers([{ path: live }]);
    expect(users).toContainEqual({
      path: live,
      pid,
      relation: 'same',
      mountPoint: '/data',
      containerId: id,
      command: expect.any(String),
    });
    // Every process of the container has it.
    expect(new Set(users.map((user) => user.containerId))).toEqual(new Set([id]));
  });

  test('follows the directory through a rename, where docker inspect goes on naming the old path', async () => {
    const live = await directory('renamed', 'live');
    const old = path.join(base, 'renamed', '.live.restore-x.old');
    const id = await container(live);
    await rename(live, old);
    await mkdir(live);
    expect((await bench.docker.inspectContainer(id))?.mounts[0]?.source).toBe(live);
    expect(await mountUsers([{ path: live }])).toEqual([]);
    expect(await mountUsers([{ path: old }])).toMatchObject([{ path: old, relation: 'same', containerId: id }]);
  });

  test('tells of directories below and above', async () => {
    const outer = await directory('nested', 'outer');
    const inner = await directory('nested', 'outer', 'inner');
    const id = await container(inner);
    expect(await mountUsers([{ path: outer }, { path: inner }, { path: path.join(inner, 'deep') }])).toMatchObject([
      { path: outer, relation: 'inside', containerId: id },
      { path: inner, relation: 'same', containerId: id },
      { path: path.join(inner, 'deep'), relation: 'around', containerId: id },
    ]);
    expect(await mountUsers([{ path: `${inner}-beside` }])).toEqual([]);
  });

  asRoot('sees a container that mounts it under another path of the host', async () => {
    const live = await directory('alias', 'live');
    const alias = await directory('alias', 'seen as');
    await bind(live, alias);
    const id = await container(alias);
    expect(await mountUsers([{ path: live }])).toMatchObject([{ relation: 'same', containerId: id }]);
  });

  asRoot('a process of no container, in a mount namespace of its own, is told with its pid', async () => {
    const live = await directory('foreign');
    const script = `mount --bind '${live}' /mnt && echo ready && sleep 60`;
    // A group of its own, so that the shell and its sleep end together.
    const child = spawn('unshare', ['--mount', 'sh', '-c', script], { detached: true });
    await new Promise((resolve) => child.stdout.once('data', resolve));
    try {
      expect(await mountUsers([{ path: live }])).toContainEqual({
        path: live,
        pid: expect.any(Number),
        relation: 'same',
        mountPoint: '/mnt',
        containerId: null,
        command: expect.stringMatching(/^(sh|sleep|unshare)$/),
      });
    } finally {
      process.kill(-child.pid!, 'SIGKILL');
    }
  });

  asRoot('no user: a service that has a copy of the mounts of this host, until it mounts one elsewhere', async () => {
    const live = await directory('mount point');
    await bind(live, live);
    for (const [script, users] of [
      ['echo ready && sleep 60', []],
      [`mount --bind '${live}' /mnt && echo ready && sleep 60`, ['/mnt']],
    ] as const) {
      const child = spawn('unshare', ['--mount', 'sh', '-c', script], { detached: true });
      await new Promise((resolve) => child.stdout.once('data', resolve));
      try {
        const found = await mountUsers([{ path: live }]);
        expect([...new Set(found.map((user) => user.mountPoint))]).toEqual(users);
      } finally {
        process.kill(-child.pid!, 'SIGKILL');
      }
    }
    const id = await container(live);
    expect(await mountUsers([{ path: live }])).toMatchObject([{ relation: 'same', containerId: id }]);
  });

  asRoot('no user: a container that is being made, though it has a copy of all mounts for a moment', async () => {
    const live = await directory('while made');
    await bind(live, live);
    const found: unknown[] = [];
    let looks = 0;
    let made = false;
    const looking = (async () => {
      for (; !made; looks++) found.push(...(await mountUsers([{ path: live }])));
    })();
    for (let n = 0; n < 8; n++) await container(await directory('another'));
    made = true;
    await looking;
    expect(found).toEqual([]);
    expect(looks).toBeGreaterThan(8);
  });

  asRoot('no user: a created container, a stopped one, our own namespace', async () => {
    const live = await directory('idle');
    await bind(live, await directory('idle-alias'));
    const id = await container(live);
    await bench.docker.stopContainer(id, 1);
    const spec = bench.spec(image, { mounts: [{ source: live, target: '/data', readOnly: false }] });
    await bench.docker.createContainer(spec);
    // A container of another suite that is just being made has every mount of this host for a moment.
    for (let left = 20; left > 0 && (await mountUsers([{ path: live }])).length > 0; left--) await sleep(250);
    expect(await mountUsers([{ path: live }])).toEqual([]);
  });
});

describe('locateDirectory', () => {
  asRoot('one directory by two paths is one place; what is absent is taken literally', async () => {
    const live = await directory('place', 'live');
    const alias = await directory('place', 'alias');
    const before = await locateDirectory(alias);
    await bind(live, alias);
    expect(await locateDirectory(alias)).toEqual(await locateDirectory(live));
    expect(await locateDirectory(alias)).not.toEqual(before);
    expect(await locateDirectory(path.join(alias, 'a', 'b'))).toEqual(await locateDirectory(path.join(live, 'a', 'b')));
  });

  asRoot('a mount over a parent hides the mount below it', async () => {
    const parent = await directory('hidden', 'parent');
    const below = await directory('hidden', 'parent', 'below');
    const other = await directory('hidden', 'other');
    await directory('hidden', 'other', 'below');
    await bind(await directory('hidden', 'elsewhere'), below);
    await bind(other, parent);
    expect(await locateDirectory(below)).toEqual(await locateDirectory(path.join(other, 'below')));
  });
});

test.each([
  ['/a', '/a', 'same'],
  ['/a/b', '/a', 'inside'],
  ['/a', '/a/b', 'around'],
  ['/', '/a', 'around'],
  ['/a', '/', 'inside'],
  ['/ab', '/a', null],
  ['/a', '/ab', null],
] as const)('relate(%s, %s) is %s', (left, right, expected) => expect(relate(left, right)).toBe(expected));
