import { describe, expect, test } from '@jest/globals';
import { volumeScopeContract } from '@tiny-forge/plugin-api/testing';
import { projectScope, stageScope } from './data-folder-scope.ts';

describe.each([stageScope, projectScope])('scope $id', (scope) => {
  volumeScopeContract(() => scope, {
    good: () => ['data', 'A.b_c-9'],
    bad: () => ['', '.', '..', 'a/b', '/etc', 'a b', 'ä', 'x'.repeat(65), 'a\n', 'a\u0000'],
    perWorkload: true,
  });

  test('lives in the data folder under the id, never the name', async () => {
    const resolved = await scope
      .create()
      .resolve(
        { scope: scope.id, source: 'files', target: '/data', readOnly: false, links: 2, shared: false },
        { dataDir: '/var/lib/tiny-forge', workloadId: '0f0e-id', allowedRoots: [], forbidden: [] },
      );
    expect(resolved).toEqual({
      hostPath: `/var/lib/tiny-forge/volumes/${scope.id}/0f0e-id/files`,
      parent: `/var/lib/tiny-forge/volumes/${scope.id}/0f0e-id`,
      base: '/var/lib/tiny-forge',
      capabilities: { captured: true, createsDirectory: true, deletable: true },
    });
  });

  test('a workload id that is no name is refused', async () => {
    await expect(
      scope
        .create()
        .resolve(
          { scope: scope.id, source: 'files', target: '/data', readOnly: false, links: 2, shared: false },
          { dataDir: '/var/lib/tiny-forge', workloadId: '../other', allowedRoots: [], forbidden: [] },
        ),
    ).rejects.toMatchObject({ code: 'VOLUME_PATH_UNSAFE' });
  });
});
