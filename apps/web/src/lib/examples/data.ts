import type { Operation, OperationState, OperationStep, RestorePlan } from '@tiny-forge/contracts/domain';

/** Values for the examples page and for component tests: one of each state. Times are relative to `AT`. */
export const AT = Date.UTC(2026, 10, 23, 2, 14, 31);
export const at = (secondsAgo: number): string => new Date(AT - secondsAgo * 1000).toISOString();
const id = (n: number): string => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;
const NAMES = ['preflight', 'extract', 'stop', 'preRestoreSnapshot', 'swap', 'redeploy', 'finish'];

export function stepsAt(index: number, state: OperationStep['state']): OperationStep[] {
  return NAMES.map((name, i) => ({
    name,
    state: i < index ? 'DONE' : i === index ? state : 'PENDING',
    startedAt: i <= index ? at(60 - i * 9) : null,
    endedAt: i < index ? at(60 - (i + 1) * 9) : null,
    attempts: i <= index ? 1 : 0,
    maxAttempts: 3,
    detail: null,
    ...(i === 3 && i === index
      ? { progress: { doneBytes: 796_917_760, totalBytes: 1_288_490_188, doneEntries: 3100, totalEntries: 5120 } }
      : {}),
  }));
}

export function exampleOperation(state: OperationState, over: Partial<Operation> = {}): Operation {
  return {
    id: id(7),
    kind: 'restore',
    workloadId: id(1),
    snapshotId: id(2),
    state,
    steps: stepsAt(3, 'RUNNING'),
    requestedBy: 'admin',
    createdAt: at(60),
    endedAt: null,
    workflow: { workflowId: 'i:op:7', runId: null },
    revision: 4,
    serverTime: at(0),
    workload: { name: 'guestbook', project: 'demo', stage: 'prod' },
    situation: { app: 'stopped', data: 'staged', since: at(14) },
    actions: [],
    live: true,
    snapshotCreatedAt: at(86_400),
    ...over,
  };
}

export const exampleOperations: Readonly<Record<OperationState, Operation>> = {
  QUEUED: exampleOperation('QUEUED', {
    steps: stepsAt(-1, 'PENDING'),
    queuedBehind: id(6),
    actions: ['abort'],
    situation: { app: 'running', data: 'current', since: at(9000) },
  }),
  RUNNING: exampleOperation('RUNNING', { actions: ['abort'], downtime: { from: at(14), to: null } }),
  WAITING: exampleOperation('WAITING', {
    steps: stepsAt(5, 'WAITING'),
    actions: ['retry-step', 'abort'],
    waitingUntil: at(-252),
    situation: { app: 'unhealthy', data: 'restored', since: at(14) },
    downtime: { from: at(60), to: null },
    error: {
      code: 'APP_UNHEALTHY',
      params: { container: 'guestbook-1', seconds: 60, answer: 'HTTP 502' },
      detail: '',
      state: '',
      next: '',
    },
  }),
  COMPENSATING: exampleOperation('COMPENSATING', {
    steps: stepsAt(4, 'UNDOING'),
    downtime: { from: at(60), to: null },
  }),
  SUCCEEDED: exampleOperation('SUCCEEDED', {
    steps: stepsAt(7, 'DONE'),
    endedAt: at(0),
    actions: ['undo'],
    undo: { until: at(-604_800), snapshotId: id(3) },
    situation: { app: 'running', data: 'restored', since: at(0) },
    downtime: { from: at(14), to: at(0) },
  }),
  ROLLED_BACK: exampleOperation('ROLLED_BACK', {
    steps: stepsAt(5, 'FAILED'),
    endedAt: at(0),
    actions: ['replay'],
    situation: { app: 'running', data: 'current', since: at(0) },
    downtime: { from: at(63), to: at(0) },
    error: {
      code: 'APP_UNHEALTHY',
      params: { container: 'guestbook-1', seconds: 60, answer: 'HTTP 502' },
      detail: '',
      state: '',
      next: '',
    },
  }),
  FAILED: exampleOperation('FAILED', {
    steps: stepsAt(0, 'FAILED'),
    endedAt: at(0),
    actions: ['replay'],
    situation: { app: 'running', data: 'current', since: at(9000) },
    error: {
      code: 'INSUFFICIENT_SPACE',
      params: { mount: '/srv', need: 2_576_980_377, free: 1_207_959_552 },
      detail: '',
      state: '',
      next: '',
    },
  }),
  CANCELLED: exampleOperation('CANCELLED', {
    steps: stepsAt(-1, 'PENDING'),
    endedAt: at(0),
    actions: ['replay'],
    situation: { app: 'running', data: 'current', since: at(9000) },
  }),
  NEEDS_OPERATOR: exampleOperation('NEEDS_OPERATOR', {
    steps: stepsAt(4, 'UNDOING'),
    actions: ['recheck'],
    situation: { app: 'stopped', data: 'unclear', since: at(720) },
    downtime: { from: at(720), to: null },
    error: { code: 'ROLLBACK_FAILED', params: { target: '/files', why: 'EBUSY' }, detail: '', state: '', next: '' },
    operatorGuide: {
      volumes: [
        { target: '/data', livePath: '/srv/data', live: 'old', otherPath: '/srv/.data.restore-7-1.new', other: 'new' },
        { target: '/files', livePath: '/srv/files', live: 'new', otherPath: '/srv/.files.restore-7.old', other: 'old' },
      ],
      commands: [
        { summary: 'What holds /files: mounts at or below its directory', command: 'findmnt -R --target /srv' },
        {
          summary: 'Put the data from before the restore back in place',
          command: 'mv -nT -- /srv/.files.restore-7.old /srv/files',
        },
      ],
    },
  }),
};

/** Its safety snapshot failed: the old folders can be kept instead. */
export const exampleUnsafe = exampleOperation('WAITING', {
  steps: stepsAt(3, 'WAITING'),
  actions: ['retry-step', 'abort'],
  waitingUntil: at(-252),
  situation: { app: 'stopped', data: 'staged', since: at(14) },
  downtime: { from: at(60), to: null },
  error: {
    code: 'IO_ERROR',
    params: { call: 'read', path: '/srv/data/broken.bin', why: 'EIO' },
    detail: '',
    state: '',
    next: '',
  },
});
export const exampleKept = exampleOperation('SUCCEEDED', {
  steps: stepsAt(7, 'DONE'),
  endedAt: at(0),
  situation: { app: 'running', data: 'restored', since: at(0) },
  downtime: { from: at(14), to: at(0) },
  safety: 'keep-old-tree',
  kept: {
    until: at(-604_800),
    trees: [{ target: '/data', livePath: '/srv/my data', path: '/srv/.my data.restore-abc.old' }],
  },
});

export const examplePlan: RestorePlan = {
  planHash: 'a'.repeat(64),
  confirmWord: 'guestbook',
  keptUntil: at(-604_800),
  steps: [],
  stops: [{ containerId: 'c1', name: 'guestbook-1' }],
  estimates: { stagingSeconds: 40, downtimeSeconds: 12, downtimeLimitSeconds: 75, from: 'last-restore' },
  volumes: [
    {
      index: 0,
      target: '/data',
      scope: 'stage',
      source: 'data',
      hostPath: '/srv/data',
      contentBytes: 1_181_116_006,
      entries: 4980,
      live: { contentBytes: 1_288_490_188, entries: 5120 },
    },
  ],
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
  warnings: [{ code: 'IMAGE_DIFFERS', params: { was: 'guestbook:0.9', is: 'guestbook:1' }, message: '', next: '' }],
};

export const hostile = `evil\u001b[31m\u202egnp.exe${'x'.repeat(4096)}`;
