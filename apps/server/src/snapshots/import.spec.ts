import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ForgeError } from '@tiny-forge/contracts/domain';
import { addWorkload, end } from '../testing/state-fixtures.ts';
import type { TestClient } from '../testing/test-client.ts';
import { TestServer } from '../testing/test-server.ts';

let server: TestServer;
let client: TestClient;
let workloadId: string;
let at: string;
beforeAll(async () => {
  server = await TestServer.start();
  client = await server.token();
  workloadId = await addWorkload(server);
  at = `/api/workloads/${workloadId}/snapshots`;
});
afterAll(() => server.stop());

interface Sent {
  readonly status: number;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  readonly body: any;
}

const TAR = { 'x-import-profile': 'tar', 'content-type': 'application/octet-stream' };

/** Sends an upload and reads the answer, whenever it comes. */
function upload(
  body: Buffer | null,
  {
    headers = TAR,
    query = '',
    by = client,
  }: { headers?: Record<string, string>; query?: string; by?: TestClient } = {},
): Promise<Sent> {
  return new Promise((resolve, reject) => {
    const request = http.request(
      {
        host: '127.0.0.1',
        port: server.port,
        method: 'POST',
        path: `${at}/import${query}`,
        agent: false,
        headers: { ...by.credentials, ...headers },
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString();
          resolve({ status: response.statusCode ?? 0, body: text === '' ? null : JSON.parse(text) });
        });
      },
    );
    request.on('error', reject);
    if (body === null) request.write('it never ends');
    else request.end(body);
  });
}

const uploads = (): string[] => {
  const folder = path.join(server.parts.dataDir, 'imports');
  return existsSync(folder) ? readdirSync(folder) : [];
};
const operations = async (): Promise<number> => (await server.parts.state.operations.open()).length;
const said = ({ status, body }: Sent): unknown[] => [status, body.code];

it('an upload becomes an operation of kind import and a snapshot that is CREATING', async () => {
  const bytes = randomBytes(3 * 1024 * 1024);
  const { status, body } = await upload(bytes, { query: '?links=1&note=from%20home&target=/data' });
  expect(status).toBe(202);
  expect((await client.get(`${at}/${body.snapshotId}`)).body).toMatchObject({
    kind: 'imported',
    state: 'CREATING',
    note: 'from home',
    operationId: body.operationId,
  });
  const input = server.gateway.submitted.at(-1);
  expect(input).toMatchObject({
    kind: 'import',
    snapshotId: body.snapshotId,
    options: { upload: { profile: 'tar', links: 1, target: '/data' } },
  });
  expect(uploads()).toEqual([expect.stringMatching(new RegExp(`^${input?.options.upload?.id}\\..*\\.upload$`))]);
  const audit = (await server.parts.state.audit.list(5)).find(({ verb }) => verb === 'import');
  expect(audit).toMatchObject({ outcome: '202', details: { operationId: body.operationId, profile: 'tar' } });

  await server.app.services.imports.collect();
  expect(uploads()).toHaveLength(1);
  await end(server, body.operationId, 'CANCELLED');
  await server.app.services.imports.collect();
  expect(uploads()).toEqual([]);
  expect((await client.get(`${at}/${body.snapshotId}`)).body).toMatchObject({ state: 'FAILED' });
});

describe('refused before a byte of it was kept', () => {
  it.each<[string, Parameters<typeof upload>[1], number, string]>([
    ['no profile', { headers: {} }, 422, 'VALIDATION_FAILED'],
    ['another profile', { headers: { 'x-import-profile': 'zip' } }, 422, 'VALIDATION_FAILED'],
    ['another tier', { query: '?links=2' }, 422, 'VALIDATION_FAILED'],
    ['a target the workload has not', { query: '?target=/nothing' }, 422, 'VALIDATION_FAILED'],
    ['JSON', { headers: { ...TAR, 'content-type': 'application/json' } }, 415, 'UNSUPPORTED_MEDIA_TYPE'],
    [
      'a form',
      { headers: { ...TAR, 'content-type': 'multipart/form-data; boundary=x' } },
      415,
      'UNSUPPORTED_MEDIA_TYPE',
    ],
    ['more than the disk has', { headers: { ...TAR, 'content-length': '9007199254740991' } }, 413, 'UPLOAD_TOO_LARGE'],
  ])('%s', async (_what, options, status, code) => {
    expect(said(await upload(null, options))).toEqual([status, code]);
    expect([uploads(), await operations()]).toEqual([[], 0]);
  });

  it('no permission, no such workload', async () => {
    expect(said(await upload(null, { by: await server.token(['workloads:read']) }))).toEqual([403, 'FORBIDDEN']);
    expect(said(await upload(null, { by: server.anonymous }))).toEqual([401, 'UNAUTHENTICATED']);
    expect(said(await upload(null, { by: await server.token(['snapshots:read']) }))).toEqual([404, 'NOT_FOUND']);
  });

  it('Temporal away', async () => {
    server.gateway.temporal = { status: 'away', detail: null };
    expect(said(await upload(null))).toEqual([503, 'SERVICE_UNAVAILABLE']);
    server.gateway.temporal = { status: 'ok', detail: null };
  });
});

describe('refused after it lay on disk', () => {
  it.each([
    ['LANE_FULL', 429, 0],
    ['SERVICE_UNAVAILABLE', 503, 0],
  ] as const)('%s: neither upload nor an effect later', async (code, status, open) => {
    server.gateway.failures.set('submit', new ForgeError({ code, params: { part: 'temporal', limit: 20 } }));
    expect(said(await upload(randomBytes(100_000)))).toEqual([status, code]);
    server.gateway.failures.clear();
    expect([uploads(), await operations()]).toEqual([[], open]);
  });
});

it('a client that breaks off leaves nothing', async () => {
  const before = server.gateway.submitted.length;
  await new Promise<void>((resolve) => {
    const request = http.request({
      host: '127.0.0.1',
      port: server.port,
      method: 'POST',
      path: `${at}/import`,
      agent: false,
      headers: { ...client.credentials, ...TAR, 'content-length': '1000000' },
    });
    request.on('error', () => resolve());
    request.write(randomBytes(500_000));
    setTimeout(() => request.destroy(), 300);
    request.on('close', () => resolve());
  });
  for (let tries = 0; uploads().length > 0 && tries < 50; tries++) await new Promise((r) => setTimeout(r, 50));
  expect([uploads(), server.gateway.submitted.length, await operations()]).toEqual([[], before, 0]);
});

it('other endpoints take no stream', async () => {
  const answer = await client.send('POST', at, { raw: 'x', headers: { 'content-type': 'application/octet-stream' } });
  expect([answer.status, answer.body.code]).toEqual([415, 'UNSUPPORTED_MEDIA_TYPE']);
});
