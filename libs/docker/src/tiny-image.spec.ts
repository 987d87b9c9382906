import { expect, test } from '@jest/globals';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { buildTinyImage, busyboxFiles } from './tiny-image.ts';
import { writeUstar } from './ustar.ts';

const run = promisify(execFile);

test('the same spec gives the same bytes', async () => {
  const spec = { tag: 'a:1', files: [{ path: 'a/b', content: 'x' }], env: { A: '1' }, cmd: ['/a/b'] };
  expect((await buildTinyImage(spec)).equals(await buildTinyImage(spec))).toBe(true);
  expect((await buildTinyImage(spec)).equals(await buildTinyImage({ ...spec, env: { A: '2' } }))).toBe(false);
});

test('a stock tar reads the archive and its layer', async () => {
  const directory = await mkdtemp(path.join(tmpdir(), 'tf-image-'));
  try {
    const archive = await buildTinyImage({
      tag: 'a:1',
      files: [
        { path: 'bin/run', mode: 0o755, content: '#!/bin/sh\n' },
        { path: 'bin/alias', mode: 0o777, content: { linkTo: 'run' } },
        { path: 'tmp', mode: 0o1777, content: { directory: true } },
      ],
    });
    await writeFile(path.join(directory, 'image.tar'), archive);
    await run('tar', ['-xf', 'image.tar'], { cwd: directory });
    const [manifest] = JSON.parse(await readFile(path.join(directory, 'manifest.json'), 'utf8')) as [
      { RepoTags: string[]; Layers: [string]; Config: string },
    ];
    expect(manifest.RepoTags).toEqual(['a:1']);
    const { stdout } = await run('tar', ['-tvf', manifest.Layers[0], '--numeric-owner'], {
      cwd: directory,
      env: { ...process.env, TZ: 'UTC' },
    });
    expect(
      stdout
        .trimEnd()
        .split('\n')
        .map((line) => line.replace(/ +/g, ' ')),
    ).toEqual([
      'drwxr-xr-x 0/0 0 1970-01-01 00:00 bin/',
      '-rwxr-xr-x 0/0 10 1970-01-01 00:00 bin/run',
      'lrwxrwxrwx 0/0 0 1970-01-01 00:00 bin/alias -> run',
      'drwxrwxrwt 0/0 0 1970-01-01 00:00 tmp/',
    ]);
  } finally {
    await rm(directory, { recursive: true });
  }
});

test('a path that does not fit is refused, not cut', () => {
  expect(() => writeUstar([{ path: 'x'.repeat(101), mode: 0o644, type: 'file' }])).toThrow(RangeError);
});

test('the busybox that is named is taken, and no other: one that needs a loader is refused with its place', async () => {
  const directory = await mkdtemp(path.join(tmpdir(), 'tf-busybox-'));
  try {
    const named = path.join(directory, 'busybox');
    await writeFile(named, '#!/bin/sh\n');
    await expect(busyboxFiles(['sh'], named)).rejects.toMatchObject({
      code: 'DEPLOY_FAILED',
      params: { why: expect.stringContaining(named) as unknown },
    });
    await expect(busyboxFiles(['sh'], process.execPath)).rejects.toMatchObject({ code: 'DEPLOY_FAILED' });
  } finally {
    await rm(directory, { recursive: true });
  }
});
