import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { ResolvedVolume } from '@tiny-forge/plugin-api';
import { volumeScopeContract } from '@tiny-forge/plugin-api/testing';
import { absoluteScope } from './absolute-scope.ts';

volumeScopeContract(() => absoluteScope, {
  good: (root) => [`${root}/files`, `${root}/deep/er/files`],
  bad: (root) => [
    '',
    'relative',
    '/etc',
    '/',
    root,
    `${root}/`,
    `${root}/../data`,
    `${root}/a/../b`,
    `${root}/./a`,
    `${root}//a`,
    `${root}/a/`,
    `${root}beside`,
    `${root}/a\nb`,
    `${root}/a\u0000b`,
    path.dirname(root),
  ],
  perWorkload: false,
});

describe('absolute', () => {
  let base: string;
  beforeAll(async () => {
    base = await realpath(await mkdtemp(path.join(tmpdir(), 'tf-absolute-')));
    await mkdir(path.join(base, 'srv', 'inner'), { recursive: true });
    await symlink(path.join(base, 'srv'), path.join(base, 'srv-link'));
    await mkdir(path.join(base, 'secret'));
    await symlink(path.join(base, 'secret'), path.join(base, 'srv', 'out'));
    await symlink(path.join(base, 'srv', 'inner'), path.join(base, 'srv', 'in'));
    await symlink('/nonexistent', path.join(base, 'srv', 'dangling'));
    await writeFile(path.join(base, 'srv', 'file'), '');
  });
  afterAll(() => rm(base, { recursive: true, force: true }));

  const resolve = (name: string, ...roots: string[]): Promise<ResolvedVolume> =>
    absoluteScope.create().resolve(
      { scope: 'absolute', source: path.join(base, name), target: '/data', readOnly: false, links: 2, shared: false },
      {
        dataDir: path.join(base, 'data'),
        workloadId: 'w1',
        allowedRoots: roots.map((root) => path.join(base, root)),
        forbidden: [],
      },
    );

  test('a directory below an allowed root, existing or not', async () => {
    const capabilities = { captured: true, createsDirectory: false, deletable: false };
    expect(await resolve('srv/inner', 'srv')).toEqual({
      hostPath: path.join(base, 'srv/inner'),
      parent: path.join(base, 'srv'),
      base: path.join(base, 'srv'),
      capabilities,
    });
    expect(await resolve('srv/none/at/all', 'srv')).toMatchObject({ hostPath: path.join(base, 'srv/none/at/all') });
  });

  test('the deepest of several roots is the base', async () => {
    expect((await resolve('srv/inner/x', 'srv', 'srv/inner', 'secret')).base).toBe(path.join(base, 'srv/inner'));
  });

  test('a root that is a symlink counts under both names and gives the canonical path', async () => {
    const hostPath = path.join(base, 'srv/inner');
    expect(await resolve('srv-link/inner', 'srv-link')).toMatchObject({ hostPath });
    expect(await resolve('srv/inner', 'srv-link')).toMatchObject({ hostPath });
  });

  test('without roots, or with one that does not exist, everything is outside', async () => {
    await expect(resolve('srv/inner')).rejects.toMatchObject({
      code: 'VOLUME_OUTSIDE_ROOTS',
      params: { roots: 'none is configured' },
    });
    await expect(resolve('gone/x', 'gone')).rejects.toMatchObject({ code: 'VOLUME_OUTSIDE_ROOTS' });
  });

  test.each(['srv/out', 'srv/out/x', 'srv/in', 'srv/in/x', 'srv/dangling', 'srv/dangling/x', 'srv/file', 'srv/file/x'])(
    'through a symlink or a file: %s',
    async (name) => {
      await expect(resolve(name, 'srv')).rejects.toMatchObject({ code: 'VOLUME_PATH_UNSAFE', kind: 'invalid' });
    },
  );
});
