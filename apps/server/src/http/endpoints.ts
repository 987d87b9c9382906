import { z } from 'zod';
import { api, OPERATION_KINDS, OPERATION_STATES } from '@tiny-forge/contracts';
import type { Confirmation, Endpoint, Resources } from './endpoint.ts';

const limit = z.coerce.number().int().min(1).max(200).default(50);
const cursor = z.string().max(1024).optional();
/** A place in a volume: `path` in UTF-8, or `path64`, base64url of its bytes, for names that are not. Neither: the root. */
const placeQuery = {
  volume: z.coerce.number().int().min(0).max(65_535),
  path: z.string().max(8192).optional(),
  path64: z.string().max(8192).optional(),
};
const pageQuery = z.strictObject({ cursor, limit });
/** `state=FAILED,RUNNING` or repeated. */
const several = <T extends string>(allowed: readonly [T, ...T[]]) =>
  z
    .union([z.string(), z.array(z.string())])
    .transform((value) => (Array.isArray(value) ? value : [value]).flatMap((each) => each.split(',')))
    .pipe(z.array(z.enum(allowed)).min(1))
    .optional();

const problem = {
  description: 'Refused; see docs/errors.md.',
  schema: api.problem,
  contentType: 'application/problem+json',
};
const json = (status: number, description: string, schema: z.ZodType): Endpoint['answers'] => [
  { status, description, schema },
];
const accepted = (schema: z.ZodType = api.accepted): Endpoint['answers'] =>
  json(202, 'Accepted; Location names the operation.', schema);

const restoreHeader = ({ resources }: { readonly resources: Resources }): Confirmation => ({
  header: 'X-Confirm-Restore',
  expected: resources.snapshot?.id ?? '',
});

const define = <const T extends Record<string, Omit<Endpoint, 'id'>>>(table: T): { [K in keyof T]: Endpoint } =>
  Object.fromEntries(Object.entries(table).map(([id, endpoint]) => [id, { id, ...endpoint }])) as {
    [K in keyof T]: Endpoint;
  };

/** Every address under /api. Controllers handle them, the pipeline guards them, OpenAPI describes them. */
export const ENDPOINTS = define({
  login: {
    method: 'POST',
    path: '/api/auth/login',
    summary: 'Sign in; sets the session cookie',
    tag: 'auth',
    access: 'open',
    body: api.loginBody,
    idempotent: false,
    answers: json(200, 'Signed in.', api.loginAnswer),
  },
  logout: {
    method: 'POST',
    path: '/api/auth/logout',
    summary: 'End the session',
    tag: 'auth',
    access: 'signed-in',
    body: api.emptyBody,
    idempotent: false,
    answers: [{ status: 204, description: 'Signed out.' }],
  },
  me: {
    method: 'GET',
    path: '/api/auth/me',
    summary: 'Who am I',
    tag: 'auth',
    access: 'signed-in',
    idempotent: false,
    answers: json(200, 'The user of this session or token.', api.me),
  },
  listTokens: {
    method: 'GET',
    path: '/api/tokens',
    summary: 'API tokens of this user',
    tag: 'auth',
    access: 'signed-in',
    query: pageQuery,
    idempotent: false,
    answers: json(200, 'Tokens, without their secrets.', api.page(api.tokenItem)),
  },
  createToken: {
    method: 'POST',
    path: '/api/tokens',
    summary: 'Make an API token; shown once',
    tag: 'auth',
    access: 'signed-in',
    body: api.createTokenBody,
    idempotent: true,
    answers: json(201, 'Made. Repeated with the same Idempotency-Key: 200 without the token.', api.tokenCreated),
  },
  deleteToken: {
    method: 'DELETE',
    path: '/api/tokens/:id',
    summary: 'Revoke an API token',
    tag: 'auth',
    access: 'signed-in',
    idempotent: true,
    answers: [{ status: 204, description: 'Revoked.' }],
  },

  listWorkloads: {
    method: 'GET',
    path: '/api/workloads',
    summary: 'Workloads by name',
    tag: 'workloads',
    access: 'workloads:read',
    query: pageQuery,
    idempotent: false,
    answers: json(200, 'One page.', api.page(api.workload)),
  },
  createWorkload: {
    method: 'POST',
    path: '/api/workloads',
    summary: 'Make a workload',
    tag: 'workloads',
    access: 'workloads:write',
    body: api.createWorkloadBody,
    idempotent: true,
    answers: json(201, 'Made; not deployed yet.', api.workload),
  },
  getWorkload: {
    method: 'GET',
    path: '/api/workloads/:id',
    summary: 'One workload; ETag is its revision',
    tag: 'workloads',
    access: 'workloads:read',
    readAccess: 'workloads:read',
    resource: 'workload',
    idempotent: false,
    answers: json(200, 'The workload.', api.workload),
  },
  patchWorkload: {
    method: 'PATCH',
    path: '/api/workloads/:id',
    summary: 'Change a workload by JSON merge patch; If-Match is optional',
    tag: 'workloads',
    access: 'workloads:write',
    readAccess: 'workloads:read',
    resource: 'workload',
    body: z
      .record(z.string(), z.unknown())
      .meta({ id: 'PatchWorkload', description: 'JSON merge patch of CreateWorkload' }),
    idempotent: true,
    answers: json(200, 'Changed.', api.workload),
  },
  deleteWorkload: {
    method: 'DELETE',
    path: '/api/workloads/:id',
    summary: 'Remove the containers; with data=delete also the directories of the workload',
    tag: 'workloads',
    access: 'workloads:write',
    readAccess: 'workloads:read',
    resource: 'workload',
    query: z.strictObject({ data: z.enum(['keep', 'delete']).default('keep') }),
    confirm: ({ query, resources }) =>
      (query as { data: string }).data === 'delete'
        ? { header: 'X-Confirm-Delete', expected: resources.workload?.id ?? '' }
        : null,
    idempotent: true,
    answers: accepted(),
  },
  deployWorkload: {
    method: 'POST',
    path: '/api/workloads/:id/deploy',
    summary: 'Deploy the current config',
    tag: 'workloads',
    access: 'workloads:deploy',
    readAccess: 'workloads:read',
    resource: 'workload',
    body: api.emptyBody,
    idempotent: true,
    answers: accepted(),
  },
  stopWorkload: {
    method: 'POST',
    path: '/api/workloads/:id/stop',
    summary: 'Stop the app',
    tag: 'workloads',
    access: 'workloads:deploy',
    readAccess: 'workloads:read',
    resource: 'workload',
    body: api.emptyBody,
    idempotent: true,
    answers: accepted(),
  },
  startWorkload: {
    method: 'POST',
    path: '/api/workloads/:id/start',
    summary: 'Start the app',
    tag: 'workloads',
    access: 'workloads:deploy',
    readAccess: 'workloads:read',
    resource: 'workload',
    body: api.emptyBody,
    idempotent: true,
    answers: accepted(),
  },
  workloadLogs: {
    method: 'GET',
    path: '/api/workloads/:id/logs',
    summary: 'The last lines of the container',
    tag: 'workloads',
    access: 'workloads:read',
    readAccess: 'workloads:read',
    resource: 'workload',
    query: z.strictObject({ tail: z.coerce.number().int().min(1).max(5000).default(200) }),
    idempotent: false,
    answers: json(
      200,
      'Lines, oldest first; control characters replaced.',
      z.looseObject({ containerId: z.string().nullable(), lines: z.array(z.string()) }),
    ),
  },

  listSnapshots: {
    method: 'GET',
    path: '/api/workloads/:id/snapshots',
    summary: 'Snapshots, newest first',
    tag: 'snapshots',
    access: 'snapshots:read',
    readAccess: 'workloads:read',
    resource: 'workload',
    query: pageQuery,
    idempotent: false,
    answers: json(200, 'One page.', api.page(api.snapshot)),
  },
  createSnapshot: {
    method: 'POST',
    path: '/api/workloads/:id/snapshots',
    summary: 'Take a snapshot',
    tag: 'snapshots',
    access: 'snapshots:write',
    readAccess: 'workloads:read',
    resource: 'workload',
    body: api.createSnapshotBody,
    idempotent: true,
    answers: accepted(api.acceptedSnapshot),
  },
  importSnapshot: {
    method: 'POST',
    path: '/api/workloads/:id/snapshots/import',
    summary: 'Upload an archive; it is untrusted, checked as a whole and written anew before it is READY',
    tag: 'snapshots',
    access: 'snapshots:data',
    readAccess: 'workloads:read',
    resource: 'workload',
    query: z.strictObject({
      links: z
        .enum(['0', '1'])
        .default('0')
        .meta({ description: '1: also hardlinks, and symlinks that stay inside their volume.' }),
      target: z
        .string()
        .max(4096)
        .optional()
        .meta({ description: 'Which volume an archive without a manifest is; not needed where there is one.' }),
      note: z.string().max(500).optional(),
    }),
    streamed: true,
    idempotent: false,
    answers: accepted(api.acceptedSnapshot),
  },
  getSnapshot: {
    method: 'GET',
    path: '/api/workloads/:id/snapshots/:sid',
    summary: 'One snapshot',
    tag: 'snapshots',
    access: 'snapshots:read',
    readAccess: 'snapshots:read',
    resource: 'snapshot',
    idempotent: false,
    answers: json(200, 'The snapshot.', api.snapshot),
  },
  deleteSnapshot: {
    method: 'DELETE',
    path: '/api/workloads/:id/snapshots/:sid',
    summary: 'Delete a snapshot that nothing needs',
    tag: 'snapshots',
    access: 'snapshots:write',
    readAccess: 'snapshots:read',
    resource: 'snapshot',
    idempotent: true,
    answers: [{ status: 204, description: 'Deleted.' }],
  },
  snapshotArchive: {
    method: 'GET',
    path: '/api/workloads/:id/snapshots/:sid/archive',
    summary: 'The archive file',
    tag: 'snapshots',
    access: 'snapshots:data',
    readAccess: 'snapshots:read',
    resource: 'snapshot',
    idempotent: false,
    answers: [{ status: 200, description: 'The file, streamed.', contentType: 'application/octet-stream' }],
  },
  snapshotEntries: {
    method: 'GET',
    path: '/api/workloads/:id/snapshots/:sid/entries',
    summary: 'What lies in a folder of a snapshot, in byte order of the names',
    tag: 'snapshots',
    access: 'snapshots:data',
    readAccess: 'snapshots:read',
    resource: 'snapshot',
    query: z.strictObject({ ...placeQuery, cursor, limit: z.coerce.number().int().min(1).max(1000).default(200) }),
    idempotent: false,
    answers: json(200, 'One page.', api.snapshotFolder),
  },
  snapshotContent: {
    method: 'GET',
    path: '/api/workloads/:id/snapshots/:sid/content',
    summary: 'One file of a snapshot, or a range of it',
    tag: 'snapshots',
    access: 'snapshots:data',
    readAccess: 'snapshots:read',
    resource: 'snapshot',
    query: z.strictObject(placeQuery),
    idempotent: false,
    answers: [
      { status: 200, description: 'The file, streamed.', contentType: 'application/octet-stream' },
      { status: 206, description: 'The range that was asked for.', contentType: 'application/octet-stream' },
    ],
  },
  restorePlan: {
    method: 'GET',
    path: '/api/workloads/:id/snapshots/:sid/plan',
    summary: 'What a restore would do; changes nothing',
    tag: 'restore',
    access: 'snapshots:read',
    readAccess: 'snapshots:read',
    resource: 'snapshot',
    query: z.strictObject({ safety: api.safetyWish.optional() }),
    idempotent: false,
    answers: json(200, 'The plan.', api.restorePlan),
  },
  restoreSnapshot: {
    method: 'POST',
    path: '/api/workloads/:id/snapshots/:sid/restore',
    summary: 'Restore the workload to this snapshot',
    tag: 'restore',
    access: 'snapshots:restore',
    readAccess: 'snapshots:read',
    resource: 'snapshot',
    body: api.restoreBody,
    confirm: restoreHeader,
    idempotent: true,
    answers: accepted(),
  },

  listOperations: {
    method: 'GET',
    path: '/api/operations',
    summary: 'Operations, newest first',
    tag: 'operations',
    access: 'operations:read',
    query: z.strictObject({
      workloadId: z.string().max(64).optional(),
      kind: several(OPERATION_KINDS),
      state: several(OPERATION_STATES),
      cursor,
      limit,
    }),
    idempotent: false,
    answers: json(200, 'One page.', api.page(api.operation)),
  },
  getOperation: {
    method: 'GET',
    path: '/api/operations/:id',
    summary: 'One operation',
    tag: 'operations',
    access: 'operations:read',
    readAccess: 'operations:read',
    resource: 'operation',
    idempotent: false,
    answers: json(200, 'The operation.', api.operation),
  },
  operationEvents: {
    method: 'GET',
    path: '/api/operations/:id/events',
    summary: 'Changes of one operation as server-sent events; ends after the terminal state',
    tag: 'operations',
    access: 'operations:read',
    readAccess: 'operations:read',
    resource: 'operation',
    idempotent: false,
    answers: [{ status: 200, description: 'Events `operation` and `heartbeat`.', contentType: 'text/event-stream' }],
  },
  operationHistory: {
    method: 'GET',
    path: '/api/operations/:id/history',
    summary: 'The Temporal history, for npm run replay',
    tag: 'operations',
    access: 'operations:read',
    readAccess: 'operations:read',
    resource: 'operation',
    idempotent: false,
    answers: json(200, 'History as JSON.', z.looseObject({})),
  },
  retryStep: {
    method: 'POST',
    path: '/api/operations/:id/retry-step',
    summary: 'Try the waiting step again; where the safety snapshot waits, with the old directories kept instead',
    tag: 'operations',
    access: 'operations:control',
    readAccess: 'operations:read',
    resource: 'operation',
    body: api.retryStepBody,
    idempotent: true,
    answers: accepted(),
  },
  abortOperation: {
    method: 'POST',
    path: '/api/operations/:id/abort',
    summary: 'Stop and go back',
    tag: 'operations',
    access: 'operations:control',
    readAccess: 'operations:read',
    resource: 'operation',
    body: api.emptyBody,
    idempotent: true,
    answers: accepted(),
  },
  replayOperation: {
    method: 'POST',
    path: '/api/operations/:id/replay',
    summary: 'Run an operation that ended without success again, as a new one',
    tag: 'operations',
    access: 'operations:control',
    readAccess: 'operations:read',
    resource: 'operation',
    body: api.emptyBody,
    confirm: ({ resources }) =>
      resources.operation?.kind === 'restore'
        ? { header: 'X-Confirm-Restore', expected: resources.operation.snapshotId ?? '' }
        : null,
    idempotent: true,
    answers: accepted(),
  },
  undoOperation: {
    method: 'POST',
    path: '/api/operations/:id/undo',
    summary:
      'Bring back the data of before a restore: its safety snapshot is restored, with a safety snapshot of its own',
    tag: 'operations',
    access: 'snapshots:restore',
    readAccess: 'operations:read',
    resource: 'operation',
    body: api.emptyBody,
    idempotent: true,
    answers: accepted(),
  },
  recheckOperation: {
    method: 'POST',
    path: '/api/operations/:id/recheck',
    summary: 'The commands of the operator guide were run: look again',
    tag: 'operations',
    access: 'operations:control',
    readAccess: 'operations:read',
    resource: 'operation',
    body: api.recheckBody,
    idempotent: true,
    answers: accepted(),
  },

  events: {
    method: 'GET',
    path: '/api/events',
    summary: 'Changes of all open operations and of workload states, as server-sent events',
    tag: 'operations',
    access: 'operations:read',
    idempotent: false,
    answers: [
      { status: 200, description: 'Events `operation`, `workload` and `heartbeat`.', contentType: 'text/event-stream' },
    ],
  },
  system: {
    method: 'GET',
    path: '/api/system',
    summary: 'Parts, versions, hosts',
    tag: 'system',
    access: 'signed-in',
    idempotent: false,
    answers: json(200, 'The state of this installation.', api.systemInfo),
  },
  openapi: {
    method: 'GET',
    path: '/api/openapi.json',
    summary: 'This document',
    tag: 'system',
    access: 'signed-in',
    idempotent: false,
    answers: json(200, 'OpenAPI 3.1.', z.looseObject({})),
  },
});

export const PROBLEM_ANSWER = problem;
