import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { z } from 'zod';
import type { VolumeConfig } from '@tiny-forge/contracts/domain';
import { PluginRegistry } from './registry.ts';
import { resolveVolumes } from './resolve-volumes.ts';
import { fakeVolumeScope } from './testing/index.ts';
import { defineVolumeScope, type ScopeContext } from './volume-scope.ts';

// I13, each way in which a directory can be another one: by name, by symlink, by bind mount of the whole, by bind mount of a part.

const run = promisify(execFile);
/** Bind mounts need root; without it these few are reported as skipped. */
const asRoot = process.getuid?.() === 0 ? test : test.skip;
let base: string;
const mounted: string[] = [];

beforeAll(async () => {
  base = await realpath(await mkdtemp(path.join(tmpdir(), 'tf-resolve-')));
});
afterEach(async () => {
  for (const point of mounted.splice(0).reverse()) await run('umount', [point]);
  await rm(base, { recursive: true, force: true });
  await mkdir(base);
});
afterAll(() => rm(base, { recursive: true, force: true }));

/** A scope that gives whatever path the source says: the checks must not rely on a scope's own. */
const anyPath = defineVolumeScope({
  id: 'any',
  apiVersion: 1,
  source: z.string(),
  capabilities: { captured: true, createsDirectory: false, deletable: false },
  create: () => ({
    async resolve({ source }) {
      const capabilities = { captured: true, createsDirectory: false, deletable: false };
      return { hostPath: source, parent: path.dirname(source), base: '/', capabilities };
    },
  }),
});
const registry = new PluginRegistry([anyPath, fakeVolumeScope('/nonexistent')]);

const directory = async (...names: string[]): Promise<string> => {
  const made = path.join(base, ...names);
  await mkdir(made, { recursive: true });
  return made;
};
const bind = async (source: string, target: string): Promise<void> => {
  await run('mount', ['--bind', source, target]);
  mounted.push(target);
};
const context = (): ScopeContext => ({
  dataDir: path.join(base, 'checkout', '.tiny-forge'),
  workloadId: 'w1',
  allowedRoots: ['/'],
  forbidden: [
    { path: path.join(base, 'checkout', '.tiny-forge'), what: 'the data folder' },
    { path: path.join(base, 'docker'), what: "Docker's data root" },
    { path: path.join(base, 'checkout'), what: 'the checkout' },
  ],
});
const volumes = (...sources: string[]): VolumeConfig[] =>
  sources.map((source, index) => ({
    scope: 'any',
    source,
    target: `/data${index}`,
    readOnly: false,
    links: 2,
    shared: false,
  }));
const resolve = (...sources: string[]) => resolveVolumes(volumes(...sources), registry, context());
const refusedAs = (code: string, more: object = {}) => expect.objectContaining({ code, kind: 'invalid', ...more });

test('gives volume, place and index, in order', async () => {
  const [a, b] = [await directory('srv', 'a'), path.join(base, 'srv', 'absent', 'b')];
  expect(await resolve(a, b)).toEqual([
    { index: 0, volume: volumes(a, b)[0], resolved: expect.objectContaining({ hostPath: a }) },
    { index: 1, volume: volumes(a, b)[1], resolved: expect.objectContaining({ hostPath: b }) },
  ]);
});

describe('VOLUME_FORBIDDEN', () => {
  test.each([
    ['the root of the file system', '/', 'the root of the file system'],
    ['the data folder', 'checkout/.tiny-forge', 'the data folder'],
    ['inside the data folder', 'checkout/.tiny-forge/journal', 'the data folder'],
    ['the folder of all volumes', 'checkout/.tiny-forge/volumes', 'the data folder'],
    ['the volumes of a scope', 'checkout/.tiny-forge/volumes/stage', 'the data folder'],
    ['the volumes of a workload', 'checkout/.tiny-forge/volumes/stage/w2', 'the data folder'],
    ["Docker's data root", 'docker', "Docker's data root"],
    ["inside Docker's data root", 'docker/volumes/v/_data', "Docker's data root"],
    ['the checkout', 'checkout', 'the data folder'],
    ['inside the checkout', 'checkout/apps', 'the checkout'],
    ['around everything', '', 'the data folder'],
  ])('%s', async (_, name, what) => {
    await directory('checkout', '.tiny-forge', 'volumes');
    await directory('docker');
    const hostPath = name === '/' ? '/' : path.join(base, name);
    await expect(resolve(hostPath)).rejects.toEqual(
      refusedAs('VOLUME_FORBIDDEN', { params: { path: hostPath, what, volume: 0 } }),
    );
  });

  asRoot('the same by another name: a bind mount of the whole', async () => {
    const docker = await directory('docker');
    await directory('checkout', '.tiny-forge');
    const alias = await directory('srv', 'alias');
    await bind(docker, alias);
    await expect(resolve(alias)).rejects.toEqual(refusedAs('VOLUME_FORBIDDEN'));
    await expect(resolve(path.join(alias, 'below'))).rejects.toEqual(refusedAs('VOLUME_FORBIDDEN'));
  });

  asRoot('a part of it by another name: a bind mount whose ancestors tell nothing', async () => {
    await directory('checkout', '.tiny-forge');
    const alias = await directory('srv', 'alias');
    await bind(await directory('docker', 'volumes', 'v'), alias);
    await expect(resolve(alias)).rejects.toEqual(refusedAs('VOLUME_FORBIDDEN'));
  });

  asRoot('around it by another name: a bind mount of its parent', async () => {
    await directory('checkout', '.tiny-forge');
    await directory('outer', 'docker');
    const alias = await directory('srv', 'alias');
    await bind(path.join(base, 'outer'), alias);
    const nested = { ...context(), forbidden: [{ path: path.join(base, 'outer', 'docker'), what: 'docker' }] };
    await expect(resolveVolumes(volumes(alias), registry, nested)).rejects.toEqual(refusedAs('VOLUME_FORBIDDEN'));
  });

  test('a forbidden directory that is named by a symlink or absent still counts', async () => {
    await directory('checkout', '.tiny-forge');
    const real = await directory('real');
    const link = path.join(base, 'link');
    await symlink(real, link);
    const where = (forbidden: string): ScopeContext => ({ ...context(), forbidden: [{ path: forbidden, what: 'it' }] });
    await expect(resolveVolumes(volumes(real), registry, where(link))).rejects.toEqual(refusedAs('VOLUME_FORBIDDEN'));
    const absent = path.join(base, 'absent');
    await expect(resolveVolumes(volumes(`${absent}/x`), registry, where(absent))).rejects.toEqual(
      refusedAs('VOLUME_FORBIDDEN'),
    );
  });
});

describe('<data>/volumes/... is excepted', () => {
  const own = 'checkout/.tiny-forge/volumes/stage/w1/data';

  test.each([true, false])('wherever the data folder is, whether it exists or not (%s)', async (exists) => {
    if (exists) await directory(own);
    expect(await resolve(path.join(base, own))).toHaveLength(1);
  });

  asRoot('but not as a bind mount of something forbidden', async () => {
    const volume = await directory(own);
    for (const secret of [
      'checkout/.tiny-forge',
      'checkout/.tiny-forge/keys',
      'docker',
      'docker/volumes/v',
      'checkout/apps',
    ]) {
      await bind(await directory(secret), volume);
      await expect(resolve(volume)).rejects.toEqual(refusedAs('VOLUME_FORBIDDEN'));
      await run('umount', [mounted.pop() ?? '']);
    }
  });

  asRoot('and may be a bind mount of a directory that is free', async () => {
    const volume = await directory(own);
    await bind(await directory('disk', 'big'), volume);
    expect(await resolve(volume)).toHaveLength(1);
  });
});

describe('VOLUME_OVERLAP', () => {
  test.each([
    ['the same twice', 'srv/a', 'srv/a'],
    ['inside', 'srv/a', 'srv/a/b'],
    ['around', 'srv/a/b', 'srv/a'],
    ['inside, both absent', 'gone/a', 'gone/a/b'],
  ])('%s', async (_, left, right) => {
    await directory('srv', 'a', 'b');
    const sources = [path.join(base, left), path.join(base, right)];
    await expect(resolve(...sources)).rejects.toEqual(
      refusedAs('VOLUME_OVERLAP', { params: { path: sources[1], other: sources[0], volume: 1 } }),
    );
  });

  test('neighbours with a common beginning are apart', async () => {
    expect(await resolve(await directory('srv', 'a'), await directory('srv', 'ab'))).toHaveLength(2);
  });

  asRoot('by bind mount, of the whole and of a part', async () => {
    const a = await directory('srv', 'a');
    const alias = await directory('srv', 'alias');
    for (const source of [a, await directory('srv', 'a', 'part')]) {
      await bind(source, alias);
      await expect(resolve(a, alias)).rejects.toEqual(refusedAs('VOLUME_OVERLAP'));
      await expect(resolve(alias, a)).rejects.toEqual(refusedAs('VOLUME_OVERLAP'));
      await run('umount', [mounted.pop() ?? '']);
    }
  });

  test('two volumes at one target', async () => {
    const [first, second] = volumes(await directory('srv', 'a'), await directory('srv', 'b'));
    const twins = [first!, { ...second!, target: '/data0/' }];
    await expect(resolveVolumes(twins, registry, context())).rejects.toEqual(refusedAs('VOLUME_OVERLAP'));
  });
});

describe('VOLUME_PATH_UNSAFE', () => {
  test('through a symlink, as the directory or above it', async () => {
    const real = await directory('srv', 'real');
    const link = path.join(base, 'srv', 'link');
    await symlink(real, link);
    await expect(resolve(link)).rejects.toEqual(refusedAs('VOLUME_PATH_UNSAFE'));
    await expect(resolve(path.join(link, 'below'))).rejects.toEqual(refusedAs('VOLUME_PATH_UNSAFE'));
  });

  test('through a symlink that leads nowhere', async () => {
    const link = path.join(await directory('srv'), 'dangling');
    await symlink('/nonexistent/there', link);
    await expect(resolve(link)).rejects.toEqual(refusedAs('VOLUME_PATH_UNSAFE'));
    await expect(resolve(path.join(link, 'below'))).rejects.toEqual(refusedAs('VOLUME_PATH_UNSAFE'));
  });

  test('a file, or below a file', async () => {
    const file = path.join(await directory('srv'), 'file');
    await writeFile(file, '');
    await expect(resolve(file)).rejects.toEqual(refusedAs('VOLUME_PATH_UNSAFE'));
    await expect(resolve(path.join(file, 'below'))).rejects.toEqual(refusedAs('VOLUME_PATH_UNSAFE'));
  });

  test.each(['relative', '/a/../b', '/a//b', '/a/'])('not in its shortest form: %s', async (source) => {
    await expect(resolve(source)).rejects.toEqual(refusedAs('VOLUME_PATH_UNSAFE'));
  });

  test.each(['.data.restore-abc123-1.new', '.data.restore-abc123.old', '.trash-1', '.tiny-forge-probe-1'])(
    'a name of ours: %s',
    async (name) => {
      await expect(resolve(path.join(base, name))).rejects.toEqual(refusedAs('VOLUME_PATH_UNSAFE'));
      await expect(resolve(path.join(base, name, 'below'))).rejects.toEqual(refusedAs('VOLUME_PATH_UNSAFE'));
    },
  );

  test('a name that leaves no room for the staging tree beside it', async () => {
    await expect(resolve(path.join(base, 'x'.repeat(181)))).rejects.toEqual(refusedAs('VOLUME_PATH_UNSAFE'));
  });

  test('a source its scope refuses', async () => {
    const [volume] = volumes('NOT-A-NAME');
    await expect(resolveVolumes([{ ...volume!, scope: 'fake' }], registry, context())).rejects.toEqual(
      refusedAs('VOLUME_PATH_UNSAFE', { params: { path: 'NOT-A-NAME', why: 'a lower-case name', volume: 0 } }),
    );
  });
});

test('an unknown scope is named', async () => {
  const [volume] = volumes('/srv/a');
  await expect(resolveVolumes([{ ...volume!, scope: 'named' }], registry, context())).rejects.toEqual(
    refusedAs('UNKNOWN_SCOPE'),
  );
});
