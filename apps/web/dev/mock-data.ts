import type {
  Operation,
  OperationStep,
  RestorePlan,
  Snapshot,
  SnapshotEntry,
  SnapshotFolder,
  Workload,
} from '@tiny-forge/contracts/domain';

/** Made-up apps, snapshots and operations for looking at pages. Never shipped. */
export const uuid = (n: number): string => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;
export const iso = (msFromNow: number): string => new Date(Date.now() + msFromNow).toISOString();
const MIN = 60_000;
const HOUR = 60 * MIN;
const DAY = 24 * HOUR;
export const BOOT = `boot-${String(process.pid)}`;

export function workload(n: number, name: string, over: Partial<Workload> = {}): Workload {
  const id = uuid(n);
  return {
    id,
    name,
    project: 'demo',
    stage: 'prod',
    host: 'local',
    source: { type: 'image', image: `${name}:1`, pull: 'missing' },
    env: { GREETING: 'hello', TOKEN: { value: null, secret: true } },
    command: null,
    ports: [{ container: 8080, published: 18_080, protocol: 'tcp' }],
    volumes: [
      {
        scope: 'stage',
        source: 'data',
        target: '/data',
        readOnly: false,
        links: 2,
        shared: false,
        hostPath: `/var/lib/tiny-forge/volumes/stage/${id}/data`,
      },
      {
        scope: 'project',
        source: 'files',
        target: '/files',
        readOnly: false,
        links: 2,
        shared: false,
        hostPath: `/var/lib/tiny-forge/volumes/project/${id}/files`,
      },
    ],
    health: { type: 'http', port: 8080, path: '/', timeoutSeconds: 60, intervalSeconds: 1 },
    strategy: 'recreate',
    stopTimeoutSeconds: 10,
    maxPauseSeconds: 120,
    codec: null,
    revision: 3,
    createdAt: iso(-30 * DAY),
    updatedAt: iso(-DAY),
    status: {
      state: 'running',
      instances: [
        {
          containerId: '4f2a9c1d7be04f2a9c1d7be0',
          image: `${name}:1`,
          imageId: 'sha256:9f2c4e8d1a7b9f2c4e8d1a7b',
          digest: null,
          state: 'running',
          health: 'healthy',
          ports: [{ container: 8080, published: 18_080, protocol: 'tcp' }],
        },
      ],
    },
    lastSnapshot: { id: uuid(n * 100 + 1), createdAt: iso(-23 * HOUR), state: 'READY' },
    ...over,
  };
}

export function snapshot(n: number, workloadId: string, over: Partial<Snapshot> = {}): Snapshot {
  return {
    id: uuid(n),
    workloadId,
    kind: 'manual',
    state: 'READY',
    createdAt: iso(-23 * HOUR),
    note: null,
    bytes: 612_000_000,
    contentBytes: 1_181_116_006,
    entries: 4980,
    codec: 'zstd',
    quiesce: 'pause',
    image: { reference: 'guestbook:1', imageId: 'sha256:9f2c4e8d1a7b9f2c', digest: null },
    volumes: [
      { index: 0, target: '/data', scope: 'stage', source: 'data', contentBytes: 1_181_116_006, entries: 4980 },
    ],
    pins: [],
    notes: [],
    operationId: uuid(7),
    ...over,
  };
}

const entry = (path: string, over: Partial<SnapshotEntry> = {}): SnapshotEntry => ({
  name: path.split('/').at(-1) ?? '',
  path,
  path64: Buffer.from(path).toString('base64url'),
  type: 'file',
  size: 4711,
  mode: 0o644,
  uid: 1000,
  gid: 1000,
  mtime: iso(-3 * DAY),
  link: null,
  link64: null,
  sha256: 'ab'.repeat(32),
  ...over,
});

/** A folder of a snapshot, with names nobody would choose. */
export function folder(path: string): SnapshotFolder {
  const within = (name: string): string => (path === '' ? name : `${path}/${name}`);
  const directory = { type: 'directory', size: 0, mode: 0o755, sha256: null } as const;
  const items = path.endsWith('empty')
    ? []
    : [
        entry(within('empty'), directory),
        entry(within('uploads'), { ...directory, mode: 0o1777 }),
        entry(within('guestbook.json'), { size: 48_231 }),
        entry(within('bad'), {
          name: 'invoice\\xff\\u{202e}fdp.exe',
          path: null,
          path64: 'YmFk_w',
          size: 1_288_490_188,
        }),
        entry(within('latest'), {
          type: 'symlink',
          mode: 0o777,
          link: '../releases/2026-11-22',
          size: 0,
          sha256: null,
        }),
        entry(within('copy.json'), { type: 'hardlink', link: 'guestbook.json', size: 0, sha256: null }),
        entry(within(`a-rather-${'very-'.repeat(30)}long-name.log`), { mode: 0o4600, uid: 0, gid: 4_294_967_294 }),
      ];
  return { folder: entry(path, directory), items, nextCursor: items.length === 0 ? null : 'eA' };
}

export function plan(snap: Snapshot, over: Partial<RestorePlan> = {}): RestorePlan {
  return {
    planHash: 'a'.repeat(64),
    confirmWord: 'guestbook',
    keptUntil: iso(7 * DAY),
    steps: [],
    stops: [{ containerId: '4f2a9c1d7be0', name: 'guestbook-1' }],
    estimates: { stagingSeconds: 41, downtimeSeconds: 12, downtimeLimitSeconds: 75, from: 'last-restore' },
    volumes: snap.volumes.map((volume) => ({
      ...volume,
      hostPath: '/var/lib/tiny-forge/volumes/stage/x/data',
      live: { contentBytes: 1_288_490_188, entries: 5120 },
    })),
    untouchedVolumes: [{ target: '/files' }],
    space: [
      {
        mountPoint: '/srv',
        neededBytes: 2_576_980_377,
        reserveBytes: 1_288_490_189,
        freeBytes: 19_327_352_832,
        neededInodes: 10_100,
        freeInodes: 1_204_000,
      },
    ],
    image: { reference: 'guestbook:1', imageId: 'sha256:9f2c4e8d1a7b', digest: null, available: true },
    blockers: [],
    warnings: [
      {
        code: 'IMAGE_DIFFERS',
        params: { was: 'guestbook:0.9', is: 'guestbook:1' },
        message: 'The snapshot was taken with another image.',
        next: '',
      },
    ],
    ...over,
  };
}

export const blockers = [
  { code: 'VOLUME_NOT_IN_CONFIG', params: { target: '/old' }, message: '', next: '' },
  {
    code: 'INSUFFICIENT_SPACE',
    params: { mount: '/srv', need: 2_576_980_377, free: 1_207_959_552 },
    message: '',
    next: '',
  },
];

export const STEPS = ['preflight', 'extract', 'stop', 'preRestoreSnapshot', 'swap', 'redeploy', 'finish'];

export function step(name: string, over: Partial<OperationStep> = {}): OperationStep {
  return { name, state: 'PENDING', startedAt: null, endedAt: null, attempts: 0, maxAttempts: 3, detail: null, ...over };
}

/** A restore that has come to the step `at`, which is in `state`. */
export function steps(at: number, state: OperationStep['state'], startedAgo = 70_000): OperationStep[] {
  const lengths = [900, 41_200, 2100, 12_000, 300, 6000, 400];
  let clock = -startedAgo;
  return STEPS.map((name, index) => {
    const begin = clock;
    clock += lengths[index] ?? 1000;
    const progress =
      name === 'extract' || name === 'preRestoreSnapshot'
        ? { doneBytes: 1_181_116_006, totalBytes: 1_181_116_006, doneEntries: 4980, totalEntries: 4980 }
        : undefined;
    if (index < at)
      return step(name, {
        state: 'DONE',
        startedAt: iso(begin),
        endedAt: iso(clock),
        attempts: 1,
        ...(progress ? { progress } : {}),
      });
    if (index > at) return step(name);
    return step(name, {
      state,
      startedAt: iso(begin),
      endedAt: state === 'FAILED' ? iso(clock) : null,
      attempts: state === 'WAITING' ? 3 : 1,
      ...(progress && state === 'RUNNING'
        ? { progress: { ...progress, doneBytes: 796_917_760, totalBytes: 1_288_490_188, doneEntries: 3300 } }
        : {}),
    });
  });
}

export function operation(n: number, w: Workload, over: Partial<Operation> = {}): Operation {
  return {
    id: uuid(n),
    kind: 'restore',
    workloadId: w.id,
    snapshotId: uuid(101),
    state: 'RUNNING',
    steps: steps(3, 'RUNNING'),
    requestedBy: 'admin',
    createdAt: iso(-70_000),
    endedAt: null,
    workflow: { workflowId: `i:op:${uuid(n)}`, runId: uuid(n + 1000) },
    revision: 4,
    serverTime: iso(0),
    workload: { name: w.name, project: w.project, stage: w.stage },
    situation: { app: 'stopped', data: 'staged', since: iso(-9400) },
    actions: ['abort'],
    live: true,
    downtime: { from: iso(-9400), to: null },
    snapshotCreatedAt: iso(-23 * HOUR),
    ...over,
  };
}
