import { createHash } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import type { WorkloadConfig } from '@tiny-forge/contracts/domain';
import type { PlanInput } from '../restore-engine.ts';
import type { FileSystemFacts, HostFacts, ResolvedVolumeFacts } from './host-facts.ts';
import { planRestore } from './plan-restore.ts';

const GiB = 1024 ** 3;
const now = new Date('2026-11-23T12:00:00.000Z');
const reserve = { fraction: 0.05, minBytes: GiB };
const disk: FileSystemFacts = {
  id: '8:1',
  mountPoint: '/',
  kind: 'ext4',
  readOnly: false,
  space: { totalBytes: 100 * GiB, freeBytes: 50 * GiB, totalInodes: 1_000_000, freeInodes: 900_000 },
};
const identity = (inode: number) => ({ fileSystem: 'uuid:f', inode: `${inode}`, birthTimeNs: '1700000000000000000' });

const config: WorkloadConfig = {
  name: 'guestbook',
  project: 'demo',
  stage: 'prod',
  host: 'local',
  source: { type: 'image', image: 'guestbook:1' },
  env: {},
  command: null,
  ports: [],
  volumes: [],
  health: { type: 'http', port: 80, path: '/', timeoutSeconds: 60, intervalSeconds: 1 },
  strategy: 'recreate',
  stopTimeoutSeconds: 10,
  maxPauseSeconds: 120,
  codec: null,
};
const captured = (index: number, source: string) => ({ index, target: `/${source}`, scope: 'stage', source });
const image = { reference: 'guestbook:1', imageId: 'sha256:11', digest: null };

const input = (more: Partial<PlanInput> = {}): PlanInput => ({
  workload: { id: 'w', revision: 7, name: 'guestbook', project: 'demo', stage: 'prod', config },
  snapshot: {
    id: 's',
    workloadId: 'w',
    createdAt: '2026-11-22T12:00:00.000Z',
    file: '/d/snapshots/w/s.tar.zst',
    archiveSha256: 'aa',
    bytes: 1000,
    contentBytes: 3 * GiB,
    manifest: { formatVersion: 1, quiesce: 'pause', volumes: [captured(0, 'data'), captured(1, 'files')] },
    volumes: [
      { index: 0, contentBytes: 1 * GiB, entries: 100 },
      { index: 1, contentBytes: 2 * GiB, entries: 200 },
    ],
    image,
  },
  safety: 'snapshot',
  lastGoodImage: image,
  safetyDays: 7,
  nameIsAmbiguous: false,
  lastRestore: null,
  ...more,
});

const live = (source: string, inode: number, more: Partial<ResolvedVolumeFacts> = {}): ResolvedVolumeFacts => ({
  kind: 'resolved',
  target: `/${source}`,
  scope: 'stage',
  source,
  hostPath: `/d/volumes/stage/w/${source}`,
  parent: '/d/volumes/stage/w',
  base: '/d',
  standing: 'tree',
  live: identity(inode),
  hasIdentity: true,
  measure: { contentBytes: GiB, entries: 10 },
  mounts: [],
  fileSystem: disk,
  locked: [],
  labels: null,
  ...more,
});
const facts = (more: Partial<HostFacts> = {}): HostFacts => ({
  volumes: [live('data', 11), live('files', 12)],
  archiveBytes: 1000,
  snapshots: disk,
  containers: [{ id: 'c1', name: 'guestbook-1', running: true }],
  users: [],
  image: { ref: image, available: true, pullable: false },
  rights: { missing: [], userIds: null },
  ...more,
});
const plan = (some: Partial<HostFacts> = {}, more: Partial<PlanInput> = {}) =>
  planRestore(input(more), facts(some), { now, reserve });
const codes = (some: Partial<HostFacts> = {}, more: Partial<PlanInput> = {}): string[] =>
  plan(some, more).plan.blockers.map((one) => one.code);
const warnings = (some: Partial<HostFacts> = {}, more: Partial<PlanInput> = {}): string[] =>
  plan(some, more).plan.warnings.map((one) => one.code);

describe('a plan', () => {
  it('of two volumes on one disk, whole', () => {
    const planned = plan();
    const agreed =
      '{"archiveSha256":"aa","imageId":"sha256:11","safety":"snapshot","snapshotId":"s","stops":["guestbook-1"],' +
      '"volumes":[{"hostPath":"/d/volumes/stage/w/data","index":0,"liveIdentity":"uuid:f/11/1700000000000000000",' +
      '"scope":"stage","source":"data","target":"/data"},{"hostPath":"/d/volumes/stage/w/files","index":1,' +
      '"liveIdentity":"uuid:f/12/1700000000000000000","scope":"stage","source":"files","target":"/files"}],' +
      '"workloadRevision":7}';
    const staged = 3 * GiB + 300 * 4096;
    const safety = Math.ceil(2 * GiB * 1.01) + 20 * 1536 + 1024 ** 2;
    expect(planned.plan).toEqual({
      planHash: createHash('sha256').update(agreed).digest('hex'),
      confirmWord: 'guestbook',
      keptUntil: '2026-11-30T12:00:00.000Z',
      steps: [
        { name: 'preflight', summary: 'Check everything again; nothing is changed yet.' },
        { name: 'extract', summary: 'Unpack 2 volumes beside the live data while the app runs.' },
        { name: 'stop', summary: 'Stop 1 container.' },
        { name: 'preRestoreSnapshot', summary: "Keep a snapshot of today's data." },
        { name: 'swap', summary: 'Put the unpacked data in place, all volumes or none.' },
        { name: 'redeploy', summary: 'Start the same image and wait until it is healthy.' },
        { name: 'finish', summary: 'Remove what was replaced.' },
      ],
      stops: [{ containerId: 'c1', name: 'guestbook-1' }],
      estimates: { stagingSeconds: 21, downtimeSeconds: 25, downtimeLimitSeconds: 172, from: 'size' },
      volumes: [
        { ...captured(0, 'data'), hostPath: '/d/volumes/stage/w/data', contentBytes: GiB, entries: 100, live: { contentBytes: GiB, entries: 10 } }, // prettier-ignore
        { ...captured(1, 'files'), hostPath: '/d/volumes/stage/w/files', contentBytes: 2 * GiB, entries: 200, live: { contentBytes: GiB, entries: 10 } }, // prettier-ignore
      ],
      untouchedVolumes: [],
      space: [
        {
          mountPoint: '/',
          neededBytes: staged + safety + 5 * GiB,
          reserveBytes: 5 * GiB,
          freeBytes: 50 * GiB,
          neededInodes: 300 + 2 + 50_000,
          freeInodes: 900_000,
        },
      ],
      image: { ...image, available: true },
      blockers: [],
      warnings: [],
    });
    expect(planned.targets[0]).toEqual({
      ...captured(0, 'data'),
      hostPath: '/d/volumes/stage/w/data',
      parent: '/d/volumes/stage/w',
      base: '/d',
      live: identity(11),
      absentInSnapshot: false,
    });
  });

  it('hashes what a person agrees to and nothing that changes by itself', () => {
    const hash = plan().plan.planHash;
    const same = plan({
      volumes: [live('data', 11, { measure: { contentBytes: 5, entries: 1 } }), live('files', 12)],
      snapshots: { ...disk, space: { ...disk.space, freeBytes: 49 * GiB } },
      containers: [{ id: 'c2', name: 'guestbook-1', running: true }],
    });
    expect(same.plan.planHash).toBe(hash);
    const others = [
      plan({ volumes: [live('data', 13), live('files', 12)] }),
      plan({ volumes: [live('data', 11, { standing: 'absent', live: null, measure: null }), live('files', 12)] }),
      plan({ containers: [] }),
      plan({ image: { ref: { ...image, imageId: 'sha256:22' }, available: true, pullable: false } }),
      plan({}, { workload: { ...input().workload, revision: 8 } }),
      plan({}, { snapshot: { ...input().snapshot, archiveSha256: 'bb' } }),
      plan({}, { safety: 'keep-old-tree' }),
    ].map((one) => one.plan.planHash);
    expect(new Set([hash, ...others]).size).toBe(others.length + 1);
  });

  it('is confirmed by stage and name where the name exists twice', () => {
    expect(plan({}, { nameIsAmbiguous: true }).plan.confirmWord).toBe('prod/guestbook');
  });

  it('takes its times from the last restore where there is one', () => {
    const { estimates } = plan({}, { lastRestore: { stagingSeconds: 4.2, downtimeSeconds: 2 } }).plan;
    expect(estimates).toMatchObject({ stagingSeconds: 5, downtimeSeconds: 2, from: 'last-restore' });
  });

  it('of an app that a person stopped leaves it stopped', () => {
    const { stops, steps, estimates } = plan({ containers: [{ id: 'c', name: 'n', running: false }] }).plan;
    expect(stops).toEqual([]);
    expect(steps.find((step) => step.name === 'redeploy')?.summary).toBe('The app stays stopped, as it was.');
    expect(estimates.downtimeSeconds).toBe(0);
  });
});

describe('blockers', () => {
  it('match volumes by target, scope and source', () => {
    expect(codes({ volumes: [live('data', 11)] })).toEqual(['VOLUME_NOT_IN_CONFIG']);
    expect(codes({ volumes: [live('data', 11, { scope: 'project' }), live('files', 12)] })).toEqual(['VOLUME_CHANGED']);
    expect(codes({ volumes: [live('data', 11, { source: 'db' }), live('files', 12)] })).toEqual(['VOLUME_CHANGED']);
    const { volumes } = input().snapshot.manifest;
    const twice = { ...input().snapshot.manifest, volumes: [...volumes, { ...volumes[0]!, index: 2 }] };
    expect(codes({}, { snapshot: { ...input().snapshot, manifest: twice } })).toEqual(['ARCHIVE_DAMAGED']);
  });

  it('name every volume that has no place, and the directories that cannot be swapped', () => {
    const refused = { kind: 'refused', target: '/data', scope: 'stage', source: 'data' } as const;
    const outside = { ...refused, code: 'VOLUME_OUTSIDE_ROOTS', params: { path: '/x', roots: '/srv' } } as const;
    expect(codes({ volumes: [outside, live('files', 12, { mounts: ['/d/volumes/stage/w/files/sub'] })] })).toEqual([
      'VOLUME_OUTSIDE_ROOTS',
      'VOLUME_IS_MOUNT_POINT',
    ]);
    expect(codes({ volumes: [live('data', 11, { live: null }), live('files', 12, { standing: 'other' })] })).toEqual([
      'FS_IDENTITY',
      'VOLUME_PATH_UNSAFE',
    ]);
    const long = 'x'.repeat(220);
    expect(codes({ volumes: [live('data', 11, { hostPath: `/d/${long}` }), live('files', 12)] })).toEqual([
      'VOLUME_PATH_UNSAFE',
    ]);
  });

  it('name a mount below a mount point, and one that would have to become absent', () => {
    const hostPath = '/d/volumes/stage/w/data';
    const mounts = [hostPath];
    expect(codes({ volumes: [live('data', 11, { mounts }), live('files', 12)] })).toEqual([]);
    const below = live('data', 11, { mounts: [hostPath, `${hostPath}/sub`] });
    expect(codes({ volumes: [below, live('files', 12)] })).toEqual(['VOLUME_IS_MOUNT_POINT']);
    const { snapshot } = input();
    const absent = { ...captured(0, 'data'), absent: true };
    const manifest = { ...snapshot.manifest, volumes: [absent, captured(1, 'files')] };
    const asked = { snapshot: { ...snapshot, manifest } };
    expect(codes({}, asked)).toEqual([]);
    expect(codes({ volumes: [live('data', 11, { mounts }), live('files', 12)] }, asked)).toEqual([
      'VOLUME_IS_MOUNT_POINT',
    ]);
    const unreadableName = `${hostPath}/\uFFFD`;
    expect(codes({ volumes: [live('data', 11, { mounts, unreadableName }), live('files', 12)] })).toEqual([
      'VOLUME_PATH_UNSAFE',
    ]);
  });

  it('do not name a live directory that is absent', () => {
    expect(
      codes({ volumes: [live('data', 11, { standing: 'absent', live: null, measure: null }), live('files', 12)] }),
    ).toEqual([]);
  });

  it('sum needs of directories on one file system, with one reserve each', () => {
    const small = { ...disk, id: '8:2', mountPoint: '/small', space: { ...disk.space, freeBytes: 6 * GiB } };
    expect(codes({ snapshots: small, volumes: [live('data', 11), live('files', 12)] })).toEqual(['INSUFFICIENT_SPACE']);
    const two = plan({ volumes: [live('data', 11, { fileSystem: small }), live('files', 12)] });
    expect(two.plan.space.map((one) => one.mountPoint)).toEqual(['/small', '/']);
    const few = { ...disk, space: { ...disk.space, freeInodes: 50_301 } };
    expect(codes({ snapshots: few, volumes: [live('data', 11, { fileSystem: few }), live('files', 12, { fileSystem: few })] })).toEqual(['INSUFFICIENT_INODES']); // prettier-ignore
    const uncounted = { ...disk, space: { ...disk.space, totalInodes: 0, freeInodes: 0 } };
    expect(codes({ snapshots: uncounted, volumes: [live('data', 11, { fileSystem: uncounted })] })).toEqual([
      'VOLUME_NOT_IN_CONFIG',
    ]);
  });

  it('name running users of a directory, and only warn of those that do not run or watch the whole host', () => {
    const user = { name: 'other', path: '/d/volumes/stage/w/data', running: true, watchesWholeHost: false };
    expect(codes({ users: [user] })).toEqual(['DIRECTORY_FOREIGN_USER']);
    expect(warnings({ users: [{ ...user, running: false }] })).toEqual(['DIRECTORY_FOREIGN_USER']);
    expect(warnings({ users: [{ ...user, watchesWholeHost: true }] })).toEqual(['DIRECTORY_FOREIGN_USER']);
    expect(codes({ users: [{ ...user, path: '/d/volumes/stage/w/untouched' }] })).toEqual([]);
  });

  it('refuse an archive file that is gone or has another size, and an image that nobody has', () => {
    expect(codes({ archiveBytes: null })).toEqual(['ARCHIVE_MISSING']);
    expect(codes({ archiveBytes: 999 })).toEqual(['ARCHIVE_DAMAGED']);
    expect(codes({ image: { ref: image, available: false, pullable: false } })).toEqual(['IMAGE_MISSING']);
    expect(codes({ image: { ref: image, available: false, pullable: true } })).toEqual([]);
  });
});

describe('a host that cannot do it', () => {
  const one = (more: Partial<ResolvedVolumeFacts>) => codes({ volumes: [live('data', 11, more), live('files', 12)] });
  const label = (type: string): string => `system_u:object_r:${type}:s0`;

  it.each([
    ['a read-only mount', one({ fileSystem: { ...disk, readOnly: true } }), ['READ_ONLY_MOUNT']],
    ['an overlay', one({ fileSystem: { ...disk, kind: 'overlay' } }), ['FS_UNSUITABLE']],
    ['a flag', one({ locked: [{ path: '/d/volumes/stage/w', flag: 'immutable' }] }), ['DIRECTORY_IMMUTABLE']],
    [
      'a label that a new directory would not have',
      one({ labels: { live: label('container_file_t'), parent: label('var_t') } }),
      ['SELINUX_LABEL'],
    ],
    ['a label that is inherited', one({ labels: { live: label('var_t'), parent: label('var_t') } }), []],
    [
      'capabilities missing',
      codes({ rights: { missing: ['CAP_CHOWN', 'CAP_FOWNER'], userIds: null } }),
      ['CAPABILITY_MISSING'],
    ],
  ])('%s', (_, found, expected) => expect(found).toEqual(expected));

  it('and says where not every owner exists', () => {
    expect(warnings({ rights: { missing: [], userIds: 65_536 } })).toEqual(['USER_NAMESPACE']);
  });

  it('needs no room for a safety archive where old trees are kept', () => {
    const snapshots = { ...disk, id: '8:2', mountPoint: '/snapshots', space: { ...disk.space, freeBytes: 7 * GiB } };
    expect(codes({ snapshots })).toEqual(['INSUFFICIENT_SPACE']);
    expect(codes({ snapshots }, { safety: 'keep-old-tree' })).toEqual([]);
  });
});

describe('a live directory that is a mount point', () => {
  const hostPath = '/d/volumes/stage/w/data';
  const mounted = { volumes: [live('data', 11, { mounts: [hostPath], parent: hostPath }), live('files', 12)] };

  it('is swapped inside, and the plan says so', () => {
    const { plan: planned, targets } = plan(mounted);
    expect(planned.warnings).toEqual([
      expect.objectContaining({ code: 'VOLUME_SWAPPED_INSIDE', params: { path: hostPath } }),
    ]);
    expect(targets[0]).toMatchObject({ hostPath, parent: hostPath, swap: 'inner' });
    expect(targets[1]).not.toHaveProperty('swap');
    expect(planned.planHash).not.toBe(plan().plan.planHash);
  });
});

describe('warnings', () => {
  it('tell a snapshot of a running app, another image, and volumes that stay as they are', () => {
    const { snapshot } = input();
    const none = { ...snapshot, manifest: { ...snapshot.manifest, quiesce: 'none' as const } };
    expect(warnings({}, { snapshot: none })).toEqual(['QUIESCE_NONE']);
    expect(warnings({}, { safety: 'keep-old-tree' })).toEqual(['KEEPS_OLD_TREE']);
    expect(warnings({}, { snapshot: { ...snapshot, image: { ...image, imageId: 'sha256:99' } } })).toEqual([
      'IMAGE_DIFFERS',
    ]);
    const more = plan({ volumes: [live('data', 11), live('files', 12), live('cache', 13)] });
    expect(more.plan.untouchedVolumes).toEqual([{ target: '/cache' }]);
    expect(more.plan.warnings.map((one) => one.code)).toEqual(['VOLUME_NOT_TOUCHED']);
  });
});
