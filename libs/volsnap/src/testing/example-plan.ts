import type { FrozenPlan } from '../restore-engine.ts';

/** A plan of two volumes for tests of what only stores or reads plans. */
export const examplePlan = (more: Partial<FrozenPlan> = {}): FrozenPlan => ({
  txId: 'abcdefghijklmnop',
  operationId: '11111111-1111-4111-8111-111111111111',
  workloadId: '22222222-2222-4222-8222-222222222222',
  workloadName: 'guestbook',
  revision: 3,
  snapshotId: '33333333-3333-4333-8333-333333333333',
  archiveFile: '/data/snapshots/w/s.tar.zst',
  archiveSha256: 'ab'.repeat(32),
  planHash: 'cd'.repeat(32),
  safety: 'snapshot',
  targets: ['data', 'files'].map((source, index) => ({
    index,
    target: `/${source}`,
    scope: 'stage',
    source,
    hostPath: `/srv/${source}`,
    parent: '/srv',
    base: '/srv',
    live: { fileSystem: 'uuid:1', inode: `${10 + index}`, birthTimeNs: '1700000000000000001' },
    absentInSnapshot: false,
  })),
  image: { reference: 'guestbook:1', imageId: `sha256:${'ef'.repeat(32)}`, digest: null },
  holderContainerId: null,
  stopTimeoutSeconds: 10,
  ...more,
});
