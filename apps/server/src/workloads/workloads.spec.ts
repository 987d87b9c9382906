import { mkdirSync, rmSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { api } from '@tiny-forge/contracts';
import { addSnapshot, begin, end, record } from '../testing/state-fixtures.ts';
import type { Answer, TestClient } from '../testing/test-client.ts';
import { TestServer } from '../testing/test-server.ts';

let server: TestServer;
let client: TestClient;
let root: string;
let count = 0;
beforeAll(async () => {
  server = await TestServer.start();
  client = await server.token();
  root = path.join(server.folder, 'root');
});
afterAll(() => server.stop());

const body = (over: Record<string, unknown> = {}): Record<string, unknown> => ({
  name: `app-${(count += 1)}`,
  project: 'demo',
  stage: 'prod',
  source: { type: 'image', image: 'guestbook:1' },
  ...over,
});
const create = async (over: Record<string, unknown> = {}): Promise<Answer> => client.post('/api/workloads', body(over));
const made = async (over: Record<string, unknown> = {}): Promise<Answer['body']> => {
  const answer = await create(over);
  if (answer.status !== 201) throw new Error(answer.text);
  return answer.body;
};
const said = (answer: Answer): string[] => [
  String(answer.status),
  answer.body.code as string,
  ...((answer.body.issues ?? []) as { path: string }[]).map((issue) => issue.path).sort(),
];

describe('making one', () => {
  it('fills in every default and answers what GET answers', async () => {
    const answer = await create({ volumes: [{ scope: 'stage', source: 'data', target: '/data' }] });
    expect(answer.status).toBe(201);
    const { id } = answer.body;
    expect(answer.headers.location).toBe(`/api/workloads/${id}`);
    expect(answer.headers.etag).toBe('"1"');
    expect(api.workload.safeParse(answer.body).error).toBeUndefined();
    expect(answer.body).toMatchObject({
      host: 'local',
      source: { type: 'image', image: 'guestbook:1', pull: 'missing' },
      env: {},
      command: null,
      ports: [],
      volumes: [
        {
          scope: 'stage',
          source: 'data',
          target: '/data',
          readOnly: false,
          links: 2,
          shared: false,
          hostPath: path.join(server.parts.dataDir, 'volumes', 'stage', id, 'data'),
        },
      ],
      health: { type: 'stable', stableSeconds: 3 },
      strategy: 'recreate',
      stopTimeoutSeconds: 10,
      maxPauseSeconds: 120,
      codec: null,
      revision: 1,
      status: { state: 'absent', instances: [] },
      lastSnapshot: null,
    });
    const got = await client.get(`/api/workloads/${id}`);
    expect(got.body).toEqual(answer.body);
    expect(got.headers.etag).toBe('"1"');
  });

  it('refuses a name twice within project and stage, and frees no other', async () => {
    const name = (await made()).name as string;
    expect(said(await create({ name }))).toEqual(['409', 'NAME_TAKEN']);
    expect((await create({ name, stage: 'dev' })).status).toBe(201);
  });

  it.each<[string, Record<string, unknown>, string, string[]]>([
    ['unknown fields', { a: 1, source: { type: 'image', image: 'x', b: 2 } }, 'VALIDATION_FAILED', ['a']],
    [
      'unknown fields of its source',
      { source: { type: 'image', image: 'x', b: 2 } },
      'VALIDATION_FAILED',
      ['source.b'],
    ],
    ['a missing image', { source: { type: 'image' } }, 'VALIDATION_FAILED', ['source.image']],
    ['an unknown source type', { source: { type: 'moon' } }, 'UNKNOWN_SOURCE_TYPE', ['source.type']],
    [
      'names that are none',
      { name: 'A', project: '-a', stage: 'a_b' },
      'VALIDATION_FAILED',
      ['name', 'project', 'stage'],
    ],
    ['an unknown host', { host: 'moon' }, 'VALIDATION_FAILED', ['host']],
    [
      'a port twice',
      {
        ports: [
          { container: 1, published: 80 },
          { container: 2, published: 80 },
        ],
      },
      'VALIDATION_FAILED',
      ['ports.1.published'],
    ],
    ['a NUL in its environment', { env: { A: 'a\0b' } }, 'VALIDATION_FAILED', ['env.A']],
    ['a secret without a value', { env: { A: { value: null, secret: true } } }, 'VALIDATION_FAILED', ['env.A.value']],
    ['a name of a variable that is none', { env: { 'A=B': '' } }, 'VALIDATION_FAILED', ['env.A=B']],
    [
      'an unknown scope',
      { volumes: [{ scope: 'moon', source: 'a', target: '/a' }] },
      'UNKNOWN_SCOPE',
      ['volumes.0.scope'],
    ],
    [
      'a source that climbs',
      { volumes: [{ scope: 'stage', source: '..', target: '/a' }] },
      'VALIDATION_FAILED',
      ['volumes.0.source'],
    ],
    [
      'a target that is none',
      { volumes: [{ scope: 'stage', source: 'a', target: '/' }] },
      'VALIDATION_FAILED',
      ['volumes.0.target'],
    ],
    [
      'two volumes at one target',
      {
        volumes: [
          { scope: 'stage', source: 'a', target: '/a' },
          { scope: 'stage', source: 'b', target: '/a' },
        ],
      },
      'VOLUME_OVERLAP',
      ['volumes.1.source'],
    ],
    [
      'one directory twice',
      {
        volumes: [
          { scope: 'stage', source: 'a', target: '/a' },
          { scope: 'stage', source: 'a', target: '/b' },
        ],
      },
      'VOLUME_OVERLAP',
      ['volumes.1.source'],
    ],
    [
      'blue-green and a writable volume',
      { strategy: 'blue-green', volumes: [{ scope: 'stage', source: 'a', target: '/a' }] },
      'VALIDATION_FAILED',
      ['strategy'],
    ],
    ['a wrong type', { stopTimeoutSeconds: '10' }, 'VALIDATION_FAILED', ['stopTimeoutSeconds']],
  ])('refuses %s', async (_name, over, code, paths) => {
    expect(said(await create(over))).toEqual(['422', code, ...paths]);
  });

  it('takes blue-green where nothing is written twice', async () => {
    const volumes = [
      { scope: 'stage', source: 'a', target: '/a', shared: true },
      { scope: 'stage', source: 'b', target: '/b', readOnly: true },
    ];
    expect((await create({ strategy: 'blue-green', volumes })).status).toBe(201);
  });

  it('refuses absolute paths outside the roots, through links, around our data (I13)', async () => {
    const at = (source: string) => create({ volumes: [{ scope: 'absolute', source, target: '/v' }] });
    expect(said(await at('/etc'))).toEqual(['422', 'VOLUME_OUTSIDE_ROOTS', 'volumes.0.source']);
    mkdirSync(path.join(root, 'real'));
    symlinkSync(path.join(root, 'real'), path.join(root, 'link'));
    expect((await at(path.join(root, 'link'))).body.code).toBe('VOLUME_PATH_UNSAFE');
    expect((await at(path.join(root, 'real'))).status).toBe(201);
    const wide = await TestServer.start({ beside: server, settings: { allowedRoots: [server.folder] } });
    const there = wide.anonymous.with(client.credentials);
    for (const source of [server.parts.dataDir, path.join(server.parts.dataDir, 'snapshots')]) {
      const answer = await there.post(
        '/api/workloads',
        body({ volumes: [{ scope: 'absolute', source, target: '/v' }] }),
      );
      expect(said(answer)).toEqual(['422', 'VOLUME_FORBIDDEN', 'volumes.0.source']);
    }
    await wide.stop();
  });

  it('makes nothing on disk', async () => {
    const { volumes } = await made({ volumes: [{ scope: 'stage', source: 'data', target: '/data' }] });
    const { existsSync } = await import('node:fs');
    expect(existsSync(volumes[0].hostPath as string)).toBe(false);
  });

  it('secrets are write-only', async () => {
    const workload = await made({ env: { PLAIN: 'a', TOKEN: { value: 's3cret-value', secret: true } } });
    expect(workload.env).toEqual({ PLAIN: 'a', TOKEN: { value: null, secret: true } });
    const patched = await client.patch(`/api/workloads/${workload.id}`, { env: workload.env });
    expect([patched.status, patched.body.env]).toEqual([200, workload.env]);
    expect(await server.parts.state.workloads.env(workload.id, 2)).toEqual({ PLAIN: 'a', TOKEN: 's3cret-value' });
    await client.patch(`/api/workloads/${workload.id}`, { env: { TOKEN: { value: 'other' } } });
    expect(await server.parts.state.workloads.env(workload.id, 3)).toEqual({ PLAIN: 'a', TOKEN: 'other' });
    await client.patch(`/api/workloads/${workload.id}`, { env: { TOKEN: null } });
    expect(await server.parts.state.workloads.env(workload.id, 4)).toEqual({ PLAIN: 'a' });
    const bad = await client.patch(`/api/workloads/${workload.id}`, { env: { PLAIN: { value: null, secret: true } } });
    expect(said(bad)).toEqual(['422', 'VALIDATION_FAILED', 'env.PLAIN.value']);
  });
});

describe('changing one', () => {
  it('merges objects, replaces arrays, takes null for the default; the revision grows', async () => {
    const { id } = await made({ env: { A: '1', B: '2' }, ports: [{ container: 1 }], command: ['a'] });
    const answer = await client.patch(`/api/workloads/${id}`, {
      env: { B: null, C: '3' },
      ports: [{ container: 2 }],
      command: null,
      health: { type: 'tcp', port: 5 },
    });
    expect(answer.status).toBe(422);
    const second = await client.patch(`/api/workloads/${id}`, {
      env: { B: null, C: '3' },
      ports: [{ container: 2 }],
      command: null,
    });
    expect(second.status).toBe(200);
    expect(second.headers.etag).toBe('"2"');
    expect(second.body).toMatchObject({ revision: 2, env: { A: '1', C: '3' }, command: null });
    expect(second.body.ports).toEqual([{ container: 2, protocol: 'tcp' }]);
  });

  it('If-Match is optional, and 412 when the workload changed meanwhile', async () => {
    const { id } = await made();
    const patch = (headers: Record<string, string>) =>
      client.patch(`/api/workloads/${id}`, { command: ['x'] }, headers);
    expect((await patch({ 'if-match': '"1"' })).status).toBe(200);
    const stale = await patch({ 'if-match': '"1"' });
    expect([stale.status, stale.body.code, stale.body.params.revision]).toEqual([412, 'REVISION_MISMATCH', 2]);
    expect((await patch({ 'if-match': '*' })).status).toBe(200);
    expect((await patch({})).body.revision).toBe(4);
  });

  it('of many at once without If-Match all apply, one after the other', async () => {
    const { id } = await made();
    const answers = await Promise.all(
      Array.from({ length: 5 }, (_, index) => client.patch(`/api/workloads/${id}`, { env: { [`A${index}`]: 'x' } })),
    );
    expect(answers.map((answer) => answer.status)).toEqual([200, 200, 200, 200, 200]);
    const { env, revision } = (await client.get(`/api/workloads/${id}`)).body;
    expect([Object.keys(env as object).sort(), revision]).toEqual([['A0', 'A1', 'A2', 'A3', 'A4'], 6]);
  });

  it.each([[[]], ['text'], [null], [5]])('a patch that is no object (%j): 422', async (patch) => {
    const { id } = await made();
    expect((await client.patch(`/api/workloads/${id}`, patch)).status).toBe(422);
  });

  it('names what it does not know, and what must stay', async () => {
    const { id } = await made();
    expect(said(await client.patch(`/api/workloads/${id}`, { id: 'x', status: {} }))).toEqual([
      '422',
      'VALIDATION_FAILED',
      'id',
      'status',
    ]);
    expect(said(await client.patch(`/api/workloads/${id}`, { name: null }))).toEqual([
      '422',
      'VALIDATION_FAILED',
      'name',
    ]);
  });

  it('what would leave a directory behind is 409 VOLUME_WOULD_MOVE; removing a volume is not', async () => {
    const workload = await made({ volumes: [{ scope: 'stage', source: 'data', target: '/data' }] });
    const at = `/api/workloads/${workload.id}`;
    const moves = [
      { name: 'other' },
      { project: 'other' },
      { stage: 'other' },
      { volumes: [{ scope: 'project', source: 'data', target: '/data' }] },
      { volumes: [{ scope: 'stage', source: 'other', target: '/data' }] },
    ];
    mkdirSync(workload.volumes[0].hostPath as string, { recursive: true });
    for (const change of moves) {
      const answer = await client.patch(at, change);
      expect([answer.status, answer.body.code]).toEqual([409, 'VOLUME_WOULD_MOVE']);
      expect(answer.body.params).toEqual({ field: Object.keys(change)[0], path: workload.volumes[0].hostPath });
    }
    expect(
      (await client.patch(at, { volumes: [{ scope: 'stage', source: 'data', target: '/elsewhere' }] })).status,
    ).toBe(200);
    expect((await client.patch(at, { volumes: [] })).status).toBe(200);
    rmSync(workload.volumes[0].hostPath as string, { recursive: true });
    expect((await client.patch(at, { name: `renamed-${(count += 1)}` })).status).toBe(200);
  });

  it('volumes, host and source stay while an operation is open; the rest may change', async () => {
    const { id } = await made();
    const at = `/api/workloads/${id}`;
    const { operationId } = (await client.post(`${at}/deploy`)).body;
    const changes = [
      { volumes: [{ scope: 'stage', source: 'x', target: '/x' }] },
      { source: { type: 'image', image: 'other:2' } },
    ];
    for (const change of changes) {
      const answer = await client.patch(at, change);
      expect([answer.status, answer.body.code, answer.body.operationId]).toEqual([
        409,
        'OPERATION_IN_PROGRESS',
        operationId,
      ]);
    }
    expect((await client.patch(at, { env: { A: '1' }, command: ['b'], host: server.parts.hostId })).status).toBe(200);
    await begin(server, operationId);
    await record(server, operationId, 'NEEDS_OPERATOR');
    expect((await client.patch(at, changes[0])).body.code).toBe('WORKLOAD_HELD');
    await end(server, operationId, 'FAILED');
    expect((await client.patch(at, changes[0])).status).toBe(200);
  });
});

describe('looking', () => {
  it('lists in pages, each once, and tells the last snapshot and what is open', async () => {
    const { id } = await made();
    const failed = await addSnapshot(server, id);
    const { operationId } = (await client.post(`/api/workloads/${id}/snapshots`, {})).body;
    const one = (await client.get(`/api/workloads/${id}`)).body;
    expect(one).toMatchObject({ operationId, lastSnapshot: { id: failed, state: 'READY' } });
    const seen: string[] = [];
    let cursor = '';
    for (let page = 0; page < 50; page += 1) {
      const answer = await client.get(`/api/workloads?limit=3${cursor === '' ? '' : `&cursor=${cursor}`}`);
      seen.push(...answer.body.items.map((each: { id: string }) => each.id));
      if (answer.body.nextCursor === null) break;
      cursor = answer.body.nextCursor as string;
    }
    expect(new Set(seen).size).toBe(seen.length);
    expect(seen).toContain(id);
    expect(seen).toHaveLength((await server.parts.state.workloads.all()).length);
  });

  it.each(['limit=0', 'limit=201', 'limit=x', 'cursor=nonsense', 'unknown=1'])('?%s: 422', async (query) => {
    const answer = await client.get(`/api/workloads?${query}`);
    expect([answer.status, answer.body.issues[0].path]).toEqual([422, `query.${query.split('=')[0]}`]);
  });

  it('while Docker is away: 200 with what was known, logs 503', async () => {
    const { id } = await made();
    server.docker.isAway = true;
    const answer = await client.get(`/api/workloads/${id}`);
    const logs = await client.get(`/api/workloads/${id}/logs`);
    const deploy = await client.post(`/api/workloads/${id}/deploy`);
    server.docker.isAway = false;
    expect([answer.status, answer.body.volumes]).toEqual([200, []]);
    expect([logs.status, logs.body.params.part]).toEqual([503, 'docker']);
    expect([deploy.status, deploy.body.params.part]).toEqual([503, 'docker']);
    expect((await client.get(`/api/workloads/${id}/logs?tail=5`)).body).toEqual({ containerId: null, lines: [] });
    expect((await client.get(`/api/workloads/${id}/logs?tail=x`)).status).toBe(422);
  });
});

describe('operations on one', () => {
  it.each([
    ['deploy', 'deploy'],
    ['stop', 'stop'],
    ['start', 'start'],
  ])('POST %s is 202 with Location and the full input for the running side', async (verb, kind) => {
    const { id } = await made();
    const answer = await client.post(`/api/workloads/${id}/${verb}`);
    expect(answer.status).toBe(202);
    expect(answer.headers.location).toBe(`/api/operations/${answer.body.operationId}`);
    expect(server.gateway.submitted.at(-1)).toMatchObject({
      installation: server.parts.installation,
      operationId: answer.body.operationId,
      kind,
      workloadId: id,
      hostId: server.parts.hostId,
      requestedBy: 'admin/spec',
      operatorWaitSeconds: 300,
    });
    const behind = await client.post(`/api/workloads/${id}/deploy`, {});
    expect(behind.body.queuedBehind).toBe(answer.body.operationId);
  });

  it('DELETE keeps the data unless it is asked for and confirmed', async () => {
    const { id } = await made();
    const at = `/api/workloads/${id}`;
    expect((await client.delete(`${at}?data=delete`)).body.code).toBe('CONFIRM_REQUIRED');
    expect((await client.delete(`${at}?data=delete`, { 'x-confirm-delete': 'x' })).body.code).toBe('CONFIRM_MISMATCH');
    expect((await client.delete(`${at}?data=maybe`)).status).toBe(422);
    const kept = await client.delete(at);
    expect([kept.status, server.gateway.submitted.at(-1)?.options]).toEqual([202, { deleteData: false }]);
    const deleted = await client.delete(`${at}?data=delete`, { 'x-confirm-delete': id });
    expect([deleted.status, server.gateway.submitted.at(-1)?.options]).toEqual([202, { deleteData: true }]);
    await server.parts.state.workloads.markDeleted(id);
    expect((await client.get(at)).status).toBe(404);
    expect((await client.post(`${at}/deploy`)).status).toBe(404);
  });

  it('a workload that needs an operator is held, but may be stopped', async () => {
    const { id } = await made();
    const at = `/api/workloads/${id}`;
    const { operationId } = (await client.post(`${at}/deploy`)).body;
    await begin(server, operationId);
    await record(server, operationId, 'NEEDS_OPERATOR');
    for (const send of [
      () => client.post(`${at}/deploy`),
      () => client.post(`${at}/start`),
      () => client.post(`${at}/snapshots`, {}),
      () => client.delete(at),
    ]) {
      const answer = await send();
      expect([answer.status, answer.body.code, answer.body.operationId]).toEqual([409, 'WORKLOAD_HELD', operationId]);
    }
    expect((await client.post(`${at}/stop`)).status).toBe(202);
  });
});
