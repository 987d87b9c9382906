import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { mkdir, mkdtemp, readdir, realpath, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { isForgeError, type VolumeConfig } from '@tiny-forge/contracts/domain';
import { PluginRegistry } from '../registry.ts';
import { resolveVolumes } from '../resolve-volumes.ts';
import type { ResolvedVolume, ScopeContext, VolumeScopePlugin } from '../volume-scope.ts';

export interface VolumeScopeContractOptions {
  /** Two sources that are fine and mean different directories. `root` is an empty directory, allowed and canonical. */
  readonly good: (root: string) => readonly [string, string];
  /** Sources that are refused. */
  readonly bad: (root: string) => readonly string[];
  /** Whether two workloads that say the same get different directories. */
  readonly perWorkload: boolean;
}

const REFUSALS = ['VOLUME_OUTSIDE_ROOTS', 'VOLUME_PATH_UNSAFE', 'VOLUME_FORBIDDEN'];

/** The obligations of `VolumeScope`. `makePlugin` is given an empty directory that exists for the suite. */
export function volumeScopeContract(
  makePlugin: (root: string) => VolumeScopePlugin,
  options: VolumeScopeContractOptions,
): void {
  describe('VolumeScope contract', () => {
    let base: string;
    let root: string;
    let plugin: VolumeScopePlugin;

    beforeAll(async () => {
      base = await realpath(await mkdtemp(path.join(tmpdir(), 'tf-scope-')));
      root = path.join(base, 'allowed');
      await mkdir(root);
      await mkdir(path.join(base, 'data'));
      plugin = makePlugin(root);
    });
    afterAll(() => rm(base, { recursive: true, force: true }));

    const context = (workloadId = '11111111-1111-4111-8111-111111111111'): ScopeContext => ({
      dataDir: path.join(base, 'data'),
      workloadId,
      allowedRoots: [root],
      forbidden: [{ path: path.join(base, 'data'), what: 'the data folder' }],
    });
    const volume = (source: string, more: Partial<VolumeConfig> = {}): VolumeConfig => ({
      scope: plugin.id,
      source,
      target: '/data',
      readOnly: false,
      links: 2,
      shared: false,
      ...more,
    });
    const resolve = (source: string, where = context()): Promise<ResolvedVolume> =>
      plugin.create().resolve(volume(source), where);

    test('names itself with one lower-case word and speaks version 1', () => {
      expect(plugin).toMatchObject({
        kind: 'volume-scope',
        apiVersion: 1,
        id: expect.stringMatching(/^[a-z][a-z0-9_]*$/),
      });
      expect(new PluginRegistry([plugin]).scopeIds).toEqual([plugin.id]);
    });

    test('gives a canonical directory strictly below its base, with the capabilities it declares', async () => {
      for (const source of options.good(root)) {
        const resolved = await resolve(source);
        expect(path.normalize(resolved.hostPath)).toBe(resolved.hostPath);
        expect(path.dirname(resolved.hostPath)).toBe(resolved.parent);
        expect(resolved.hostPath.startsWith(`${resolved.base}/`)).toBe(true);
        expect(await realpath(resolved.base)).toBe(resolved.base);
        expect(resolved.capabilities).toEqual(plugin.capabilities);
        expect(plugin.source.safeParse(source).success).toBe(true);
      }
    });

    test('answers the same every time, whoever asks, whatever the target', async () => {
      const [source] = options.good(root);
      const first = await resolve(source);
      const other = volume(source, { target: '/elsewhere', readOnly: true, links: 0, shared: true });
      expect(await resolve(source)).toEqual(first);
      expect(await plugin.create().resolve(other, context())).toEqual(first);
    });

    test('writes nothing', async () => {
      const before = await readdir(base, { recursive: true });
      for (const source of [...options.good(root), ...options.bad(root)]) await resolve(source).catch(() => {});
      expect(await readdir(base, { recursive: true })).toEqual(before);
    });

    test('two sources are two directories that do not contain each other', async () => {
      const [left, right] = options.good(root);
      const volumes = [volume(left, { target: '/left' }), volume(right, { target: '/right' })];
      const resolved = await resolveVolumes(volumes, new PluginRegistry([plugin]), context());
      expect(new Set(resolved.map((entry) => entry.resolved.hostPath)).size).toBe(2);
    });

    test(`two workloads get ${options.perWorkload ? 'different directories' : 'the same directory'}`, async () => {
      const [source] = options.good(root);
      const other = await resolve(source, context('22222222-2222-4222-8222-222222222222'));
      const first = await resolve(source);
      expect(other.hostPath === first.hostPath).toBe(!options.perWorkload);
    });

    test('refuses what is no good, by schema or by code, and never gives a directory for it', async () => {
      for (const source of options.bad(root)) {
        const answer: unknown = await resolve(source).catch((error: unknown) => error);
        const refused = isForgeError(answer) && answer.kind === 'invalid' && REFUSALS.includes(answer.code);
        expect([source, refused]).toEqual([source, true]);
        await expect(resolveVolumes([volume(source)], new PluginRegistry([plugin]), context())).rejects.toMatchObject({
          kind: 'invalid',
          code: expect.stringMatching(REFUSALS.join('|')),
        });
      }
    });

    test('never follows a symlink below its base', async () => {
      const [source] = options.good(root);
      const { hostPath, parent } = await resolve(source);
      const outside = path.join(base, 'outside');
      await mkdir(outside);
      await mkdir(parent, { recursive: true });
      await symlink(outside, hostPath);
      try {
        await expect(resolveVolumes([volume(source)], new PluginRegistry([plugin]), context())).rejects.toMatchObject({
          code: 'VOLUME_PATH_UNSAFE',
        });
        const answer = await resolve(source).catch(() => null);
        expect(answer?.hostPath ?? hostPath).toBe(hostPath);
      } finally {
        await rm(hostPath);
        await rm(outside, { recursive: true });
      }
    });
  });
}
