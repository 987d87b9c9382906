import { z } from 'zod';
import {
  ENTRY_TYPES,
  OPERATION_KINDS,
  OPERATION_STATES,
  PERMISSIONS,
  QUIESCE_MODES,
  SNAPSHOT_KINDS,
  SNAPSHOT_STATES,
  STEP_STATES,
} from './words.ts';

/** Schemas of the REST contract (api.md). Requests are strict: unknown fields are refused. Responses are open. */

const time = z.iso.datetime();
const id = z.string().regex(/^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/);
export const slug = z
  .string()
  .regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, 'lower-case letters, digits and inner hyphens, 1 to 63');
const absolutePath = z
  .string()
  .min(1)
  .max(4096)
  .refine((value) => value.startsWith('/') && !value.includes('\0'), 'an absolute path');
const seconds = (min: number, max: number) => z.int().min(min).max(max);
const params = z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()]));

// --- workloads

export const imageSource = z.strictObject({
  type: z.literal('image'),
  image: z
    .string()
    .min(1)
    .max(512)
    .regex(/^[A-Za-z0-9][A-Za-z0-9._:/@-]*$/, 'an image reference'),
  pull: z.enum(['missing', 'always', 'never']).default('missing'),
});
/** `type` decides the plugin, which checks the rest. */
export const source = z.looseObject({ type: z.string().min(1).max(64) });

export const envValue = z.union([
  z.string().max(131_072),
  z.strictObject({ value: z.string().max(131_072).nullable(), secret: z.literal(true) }),
]);
export const env = z
  .record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_.-]{0,255}$/, 'a variable name'), envValue)
  .refine((value) => Object.keys(value).length <= 500, 'at most 500 variables');

export const port = z.strictObject({
  container: z.int().min(1).max(65_535),
  published: z.int().min(1).max(65_535).optional(),
  protocol: z.enum(['tcp', 'udp']).default('tcp'),
  hostIp: z
    .string()
    .max(45)
    .regex(/^[0-9a-fA-F.:]+$/, 'an IP address')
    .optional(),
});

export const volume = z.strictObject({
  scope: z.string().min(1).max(64),
  source: z.string().min(1).max(4096),
  target: absolutePath.refine(
    (value) => value !== '/' && !value.split('/').includes('..') && !value.split('/').includes('.'),
    'an absolute path inside the container, not /',
  ),
  readOnly: z.boolean().default(false),
  links: z.union([z.literal(0), z.literal(1), z.literal(2)]).default(2),
  shared: z.boolean().default(false),
});

const timing = { timeoutSeconds: seconds(1, 3600).default(60), intervalSeconds: seconds(1, 300).default(1) };
const portNumber = z.int().min(1).max(65_535);
export const health = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('http'),
    port: portNumber,
    path: z.string().min(1).max(2048).startsWith('/').default('/'),
    ...timing,
  }),
  z.strictObject({ type: z.literal('tcp'), port: portNumber, ...timing }),
  z.strictObject({ type: z.literal('exec'), command: z.array(z.string().max(8192)).min(1).max(100), ...timing }),
  z.strictObject({ type: z.literal('docker'), ...timing }),
  z.strictObject({ type: z.literal('stable'), stableSeconds: seconds(0, 600).default(3), ...timing }),
]);

const workloadFields = {
  name: slug,
  project: slug,
  stage: slug,
  host: z.string().min(1).max(64).default('local'),
  source,
  env: env.default({}),
  command: z.array(z.string().max(8192)).max(200).nullable().default(null),
  ports: z.array(port).max(100).default([]),
  volumes: z.array(volume).max(32).default([]),
  health: health.default({ type: 'stable', stableSeconds: 3, timeoutSeconds: 60, intervalSeconds: 1 }),
  strategy: z.enum(['recreate', 'blue-green']).default('recreate'),
  stopTimeoutSeconds: seconds(0, 600).default(10),
  maxPauseSeconds: seconds(1, 3600).default(120),
  codec: z.enum(['zstd', 'gzip']).nullable().default(null),
};
export const createWorkloadBody = z.strictObject(workloadFields).meta({ id: 'CreateWorkload' });
/** What a workload is made of, defaults filled in; what a revision freezes. */
export const workloadConfig = createWorkloadBody;

export const instance = z.looseObject({
  containerId: z.string(),
  image: z.string(),
  imageId: z.string(),
  digest: z.string().nullable(),
  state: z.string(),
  health: z.string(),
  ports: z.array(z.looseObject({ container: z.int(), published: z.int().nullable(), protocol: z.string() })),
});
export const workloadStatus = z.looseObject({
  state: z.enum(['running', 'stopped', 'degraded', 'absent']),
  instances: z.array(instance),
});
export const workload = z
  .looseObject({
    ...workloadFields,
    env: z.record(z.string(), z.union([z.string(), z.looseObject({ value: z.null(), secret: z.literal(true) })])),
    volumes: z.array(z.looseObject({ ...volume.shape, hostPath: z.string().nullable() })),
    id,
    revision: z.int(),
    createdAt: time,
    updatedAt: time,
    status: workloadStatus,
    lastSnapshot: z.looseObject({ id, createdAt: time, state: z.enum(SNAPSHOT_STATES) }).nullable(),
    operationId: id.optional(),
  })
  .meta({ id: 'Workload' });

// --- snapshots

export const createSnapshotBody = z
  .strictObject({ note: z.string().max(500).optional(), quiesce: z.enum(QUIESCE_MODES).optional() })
  .meta({ id: 'CreateSnapshot' });
export const imageRef = z.looseObject({ reference: z.string(), imageId: z.string(), digest: z.string().nullable() });
export const note = z.looseObject({ code: z.string(), params });
export const snapshot = z
  .looseObject({
    id,
    workloadId: id,
    kind: z.enum(SNAPSHOT_KINDS),
    state: z.enum(SNAPSHOT_STATES),
    createdAt: time,
    note: z.string().nullable(),
    bytes: z.int().nullable(),
    contentBytes: z.int().nullable(),
    entries: z.int().nullable(),
    codec: z.enum(['zstd', 'gzip']),
    quiesce: z.enum(QUIESCE_MODES),
    image: imageRef.nullable(),
    volumes: z.array(
      z.looseObject({
        index: z.int(),
        target: z.string(),
        scope: z.string(),
        source: z.string(),
        contentBytes: z.int(),
        entries: z.int(),
        absent: z.boolean().optional(),
      }),
    ),
    pins: z.array(z.looseObject({ operationId: id, reason: z.string() })),
    notes: z.array(note),
    operationId: id.nullable(),
    error: z.lazy(() => operationError).optional(),
    expiresAt: time.nullable().optional(),
  })
  .meta({ id: 'Snapshot' });

/** One name in a snapshot. Names are bytes on disk: `path` is null where they are not UTF-8, `path64` always says them. */
export const snapshotEntry = z
  .looseObject({
    name: z.string().meta({
      description:
        'For people: control, format and direction characters, and bytes that are not UTF-8, are escaped, a backslash is doubled.',
    }),
    path: z.string().nullable().meta({ description: 'From the root of the volume; null where it is not UTF-8.' }),
    path64: z.string().meta({ description: 'The same as base64url of its bytes, for the query parameter path64.' }),
    type: z.enum(ENTRY_TYPES),
    size: z.int(),
    mode: z.int().meta({ description: 'Twelve bits.' }),
    uid: z.int(),
    gid: z.int(),
    mtime: time.nullable().meta({ description: 'Up to nine decimals; null beyond the year 9999.' }),
    link: z
      .string()
      .nullable()
      .meta({ description: 'Symlink: its target; hardlink: the other name in the volume. Escaped as name is.' }),
    link64: z.string().nullable().meta({ description: 'The same as base64url of its bytes.' }),
    sha256: z.string().nullable().meta({ description: 'Hex; of files.' }),
  })
  .meta({ id: 'SnapshotEntry' });
export const snapshotFolder = z
  .looseObject({ folder: snapshotEntry, items: z.array(snapshotEntry), nextCursor: z.string().nullable() })
  .meta({ id: 'SnapshotFolder' });

// --- restore

export const blocker = z.looseObject({ code: z.string(), params, message: z.string(), next: z.string() });
export const restorePlan = z
  .looseObject({
    planHash: z.string(),
    confirmWord: z.string(),
    keptUntil: time,
    steps: z.array(z.looseObject({ name: z.string(), summary: z.string() })),
    stops: z.array(z.looseObject({ containerId: z.string(), name: z.string() })),
    estimates: z.looseObject({
      stagingSeconds: z.number(),
      downtimeSeconds: z.number(),
      downtimeLimitSeconds: z.number(),
      from: z.string(),
    }),
    volumes: z.array(
      z.looseObject({
        index: z.int(),
        target: z.string(),
        scope: z.string(),
        source: z.string(),
        hostPath: z.string(),
        contentBytes: z.int(),
        entries: z.int(),
        live: z.looseObject({ contentBytes: z.int(), entries: z.int() }).nullable(),
      }),
    ),
    untouchedVolumes: z.array(z.looseObject({ target: z.string() })),
    space: z.array(
      z.looseObject({
        mountPoint: z.string(),
        /** At the peak, the reserve included. */
        neededBytes: z.int(),
        /** Stays free on this file system whatever a restore does. */
        reserveBytes: z.int(),
        freeBytes: z.int(),
        neededInodes: z.int(),
        freeInodes: z.int(),
      }),
    ),
    image: z
      .looseObject({
        reference: z.string(),
        imageId: z.string(),
        digest: z.string().nullable(),
        available: z.boolean(),
      })
      .nullable(),
    blockers: z.array(blocker),
    warnings: z.array(blocker),
  })
  .meta({ id: 'RestorePlan' });
export const safetyWish = z.enum(['snapshot', 'keep-old-tree']);
export const restoreBody = z
  .strictObject({ planHash: z.string().max(128).optional(), safety: safetyWish.optional() })
  .meta({ id: 'Restore' });
export const retryStepBody = z.strictObject({ safety: z.enum(['keep-old-tree']).optional() }).meta({ id: 'RetryStep' });
export const recheckBody = z.strictObject({ accept: z.literal('as-is').optional() }).meta({ id: 'Recheck' });
export const emptyBody = z.strictObject({});

// --- operations

export const progress = z.looseObject({
  doneBytes: z.int(),
  totalBytes: z.int(),
  doneEntries: z.int(),
  totalEntries: z.int(),
});
export const operationStep = z.looseObject({
  name: z.string(),
  state: z.enum(STEP_STATES),
  startedAt: time.nullable(),
  endedAt: time.nullable(),
  attempts: z.int(),
  maxAttempts: z.int(),
  nextAttemptAt: time.optional(),
  detail: z.string().nullable(),
  progress: progress.optional(),
});
export const operationError = z.looseObject({
  code: z.string(),
  params,
  detail: z.string(),
  state: z.string(),
  next: z.string(),
});
export const operatorGuide = z.looseObject({
  volumes: z.array(
    z.looseObject({
      target: z.string(),
      livePath: z.string(),
      live: z.enum(['old', 'new', 'absent', 'unknown']),
      otherPath: z.string().nullable(),
      other: z.enum(['old', 'new', 'absent', 'unknown']),
    }),
  ),
  commands: z.array(z.looseObject({ summary: z.string(), command: z.string() })),
});
export const operation = z
  .looseObject({
    id,
    kind: z.enum(OPERATION_KINDS),
    workloadId: id,
    snapshotId: id.optional(),
    state: z.enum(OPERATION_STATES),
    steps: z.array(operationStep),
    error: operationError.optional(),
    requestedBy: z.string(),
    createdAt: time,
    endedAt: time.nullable(),
    retryOf: id.optional(),
    undoOf: id.optional(),
    workflow: z.looseObject({ workflowId: z.string(), runId: z.string().nullable() }),
    revision: z.int(),
    serverTime: time,
    workload: z.looseObject({ name: z.string(), project: z.string(), stage: z.string() }),
    situation: z.looseObject({
      app: z.enum(['running', 'stopped', 'unhealthy', 'absent']),
      data: z.enum(['current', 'staged', 'restored', 'unclear']),
      since: time,
    }),
    actions: z.array(z.enum(['retry-step', 'abort', 'replay', 'undo', 'recheck'])),
    waitingUntil: time.optional(),
    queuedBehind: id.optional(),
    downtime: z.looseObject({ from: time, to: time.nullable() }).optional(),
    undo: z.looseObject({ until: time, snapshotId: id }).optional(),
    safety: safetyWish
      .meta({ description: 'Restores: what was asked for; `kept` tells what became of it.' })
      .optional(),
    kept: z
      .looseObject({
        until: time,
        trees: z.array(z.looseObject({ target: z.string(), livePath: z.string(), path: z.string() })),
      })
      .meta({
        description: 'The replaced directories, kept at `path` instead of a safety snapshot; removed after `until`.',
      })
      .optional(),
    recovers: id.optional(),
    live: z.boolean(),
    operatorGuide: operatorGuide.optional(),
    snapshotCreatedAt: time.optional(),
  })
  .meta({ id: 'Operation' });
export const accepted = z.looseObject({ operationId: id, queuedBehind: id.optional() }).meta({ id: 'Accepted' });
export const acceptedSnapshot = z
  .looseObject({ operationId: id, snapshotId: id, queuedBehind: id.optional() })
  .meta({ id: 'AcceptedSnapshot' });

// --- signing in, system, errors

export const loginBody = z
  .strictObject({ username: z.string().min(1).max(200), password: z.string().min(1).max(1024) })
  .meta({ id: 'Login' });
export const user = z.looseObject({ id, name: z.string(), permissions: z.array(z.enum(PERMISSIONS)) });
export const loginAnswer = z.looseObject({ user, csrfToken: z.string() }).meta({ id: 'LoginAnswer' });
export const me = z
  .looseObject({ user, csrfToken: z.string().nullable(), expiresAt: time.nullable() })
  .meta({ id: 'Me' });
export const createTokenBody = z
  .strictObject({ name: z.string().min(1).max(100), permissions: z.array(z.enum(PERMISSIONS)).min(1).max(20) })
  .meta({ id: 'CreateToken' });
export const tokenCreated = z.looseObject({ id, token: z.string().optional() }).meta({ id: 'TokenCreated' });
export const tokenItem = z
  .looseObject({
    id,
    name: z.string(),
    permissions: z.array(z.enum(PERMISSIONS)),
    createdAt: time,
    lastUsedAt: time.nullable(),
  })
  .meta({ id: 'Token' });

export const PARTS = ['database', 'docker', 'temporal', 'workers', 'recovery'] as const;
export const partState = z.enum(['ok', 'away', 'starting', 'failed']);
export const readiness = z
  .looseObject({
    status: z.enum(['ok', 'starting', 'degraded']),
    parts: z.array(z.looseObject({ name: z.enum(PARTS), status: partState })),
  })
  .meta({ id: 'Readiness' });
export const systemInfo = z
  .looseObject({
    status: z.enum(['ok', 'starting', 'degraded']),
    parts: z.array(
      z.looseObject({
        name: z.enum(PARTS),
        status: partState,
        since: time.nullable(),
        detail: z.string().nullable(),
        code: z.string().nullable(),
      }),
    ),
    versions: z.record(z.string(), z.string().nullable()),
    temporalUiUrl: z.string().nullable(),
    sourceTypes: z.array(z.string()),
    volumeScopes: z.array(z.string()),
    allowedRoots: z.array(z.string()),
    hosts: z.array(
      z.looseObject({
        id: z.string(),
        name: z.string(),
        disks: z.array(
          z.looseObject({
            mountPoint: z.string(),
            totalBytes: z.int(),
            freeBytes: z.int(),
            totalInodes: z.int(),
            freeInodes: z.int(),
          }),
        ),
      }),
    ),
  })
  .meta({ id: 'System' });

export const issue = z.looseObject({ path: z.string(), message: z.string() });
export const problem = z
  .looseObject({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    code: z.string(),
    params,
    detail: z.string(),
    state: z.string(),
    next: z.string(),
    operationId: id.optional(),
    issues: z.array(issue).optional(),
    blockers: z.array(blocker).optional(),
  })
  .meta({ id: 'Problem' });
export const page = <T extends z.ZodType>(item: T) =>
  z.looseObject({ items: z.array(item), nextCursor: z.string().nullable() });

export type WorkloadConfig = z.infer<typeof workloadConfig>;
export type VolumeConfig = z.infer<typeof volume>;
export type HealthConfig = z.infer<typeof health>;
export type Workload = z.infer<typeof workload>;
export type WorkloadStatus = z.infer<typeof workloadStatus>;
export type Snapshot = z.infer<typeof snapshot>;
export type SnapshotEntry = z.infer<typeof snapshotEntry>;
export type SnapshotFolder = z.infer<typeof snapshotFolder>;
export type RestorePlan = z.infer<typeof restorePlan>;
export type Blocker = z.infer<typeof blocker>;
export type Operation = z.infer<typeof operation>;
export type OperationStep = z.infer<typeof operationStep>;
export type OperationErrorView = z.infer<typeof operationError>;
export type OperatorGuide = z.infer<typeof operatorGuide>;
export type StepProgress = z.infer<typeof progress>;
export type Note = z.infer<typeof note>;
export type ImageRef = z.infer<typeof imageRef>;
export type Problem = z.infer<typeof problem>;
export type SystemInfo = z.infer<typeof systemInfo>;
export type Readiness = z.infer<typeof readiness>;
export type Me = z.infer<typeof me>;
