import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Manifest } from '@tiny-forge/contracts/domain';
import { standingAt } from '../identity/tree-identity.ts';
import { jsonArchivePort } from '../testing/json-archive-port.ts';
import { archiveSafePort } from './archive-safe-port.ts';
import { NodeFsPort } from './node-fs-port.ts';

const manifest: Manifest = {
  formatVersion: 1,
  quiesce: 'none',
  volumes: [
    { index: 0, target: '/data', scope: 'stage', source: 'data', links: 2 },
    { index: 1, target: '/gone', scope: 'stage', source: 'gone', links: 2, absent: true },
  ],
};
const signal: AbortSignal = new AbortController().signal;
const onProgress = (): void => undefined;
const keepsNothing = { bytes: 0, inodes: 0 };

/** What the engines rely on, of the real port and of the quick one of their tests. */
describe.each([
  ['archive-safe', archiveSafePort(Buffer.alloc(32, 1))],
  ['JSON', jsonArchivePort],
])('archive port: %s', (_, port) => {
  let folder: string;
  let source: string;
  const file = (): string => path.join(folder, 'archive');
  const create = () =>
    port.create({
      file: file(),
      codec: 'zstd',
      manifest,
      volumes: [
        { index: 0, directory: source, links: 2, exclude: ['ours'] },
        { index: 1, directory: null, links: 2, exclude: ['ours'] },
      ],
      reserve: null,
      warm: null,
      signal,
      onProgress,
    });

  beforeEach(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'tf-port-'));
    source = path.join(folder, 'source');
    await mkdir(path.join(source, 'sub'), { recursive: true });
    await writeFile(path.join(source, 'sub', 'file'), 'content');
    await mkdir(path.join(source, 'ours'));
    await writeFile(path.join(source, 'ours', 'file'), 'left out');
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it('gives back what it took: manifest, sums, content, and the mode of the root', async () => {
    const created = await create();
    expect(created.bytes).toBe((await stat(file())).size);
    expect(created.volumes.find((volume) => volume.index === 0)).toMatchObject({ contentBytes: 7 });
    const verified = await port.verify({ file: file(), sha256: created.sha256, signal, onProgress });
    expect(verified.manifest).toEqual(manifest);
    expect(verified.contentBytes).toBe(7);
    const directory = path.join(folder, 'staging');
    await mkdir(directory, { mode: 0o700 });
    const roots = [{ index: 0, directory }];
    const extracted = await port.extract({ file: file(), roots, reserve: keepsNothing, signal, onProgress });
    expect(extracted.contentBytes).toBe(7);
    expect(await readFile(path.join(directory, 'sub', 'file'), 'utf8')).toBe('content');
    expect((await stat(directory)).mode & 0o777).toBe(0o755);
    expect(await readdir(directory)).toEqual(['sub']);
    expect((await port.measure(source, ['ours'], signal)).contentBytes).toBe(7);
    expect((await port.measure(source, [], signal)).contentBytes).toBe(15);
    expect((await port.measure(directory, [], signal)).contentBytes).toBe(7);
  });

  it('refuses a file with another hash, a volume that is absent, and a directory that is not empty', async () => {
    await create();
    const other = 'ab'.repeat(32);
    await expect(port.verify({ file: file(), sha256: other, signal, onProgress })).rejects.toMatchObject({
      code: 'ARCHIVE_DAMAGED',
    });
    const into = (index: number, directory: string) =>
      port.extract({ file: file(), roots: [{ index, directory }], reserve: keepsNothing, signal, onProgress });
    await expect(into(0, source)).rejects.toMatchObject({ code: 'IO_ERROR' });
    const directory = path.join(folder, 'staging');
    await mkdir(directory);
    await expect(into(1, directory)).rejects.toMatchObject({ code: 'ARCHIVE_DAMAGED' });
  });

  it('removes the very tree that is meant, and no other', async () => {
    const standing = await standingAt(new NodeFsPort(), source);
    if (standing.kind !== 'tree' || !standing.identity) throw new Error('no identity');
    const wrong = { ...standing.identity, birthTimeNs: '1' };
    await expect(port.removeTree(source, wrong, signal)).rejects.toMatchObject({ code: 'IO_ERROR' });
    expect(await readdir(source)).toEqual(['ours', 'sub']);
    await port.removeTree(source, standing.identity, signal);
    await port.removeTree(source, standing.identity, signal);
    await expect(stat(source)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('does nothing after an abort', async () => {
    const aborted = AbortSignal.abort();
    const end = port.create({
      file: file(),
      codec: 'zstd',
      manifest,
      volumes: [{ index: 0, directory: source, links: 2, exclude: ['ours'] }],
      reserve: null,
      warm: null,
      signal: aborted,
      onProgress,
    });
    await expect(end).rejects.toMatchObject({ code: 'CANCELLED' });
    expect(await readdir(folder)).toEqual(['source']);
  });
});
