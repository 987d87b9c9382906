import net from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { addSnapshot, addWorkload, end } from '../testing/state-fixtures.ts';
import type { TestClient } from '../testing/test-client.ts';
import { TestServer } from '../testing/test-server.ts';
import { ENDPOINTS } from './endpoints.ts';

let server: TestServer;
let client: TestClient;
let workloadId: string;
let snapshotId: string;
let operationId: string;
beforeAll(async () => {
  server = await TestServer.start();
  client = await server.token();
  workloadId = await addWorkload(server);
  snapshotId = await addSnapshot(server, workloadId);
  operationId = (await client.post(`/api/workloads/${workloadId}/deploy`)).body.operationId as string;
  await end(server, operationId, 'FAILED');
});
afterAll(() => server.stop());

const bodies = Object.values(ENDPOINTS).filter((each) => each.body && !['logout', 'login'].includes(each.id));
const pathOf = (path: string): string =>
  path.replace('/operations/:id', `/operations/${operationId}`).replace(':id', workloadId).replace(':sid', snapshotId);

/** JSON that comes near to what a field wants, so that it passes the first checks. */
const near = fc.oneof(
  fc.jsonValue({ maxDepth: 2 }),
  fc.record(
    {
      name: fc.oneof(fc.string(), fc.jsonValue()),
      project: fc.constantFrom('demo', 'x', '__proto__', 5),
      stage: fc.constantFrom('prod', '', null),
      source: fc.oneof(
        fc.record({ type: fc.constantFrom('image', 'constructor'), image: fc.string() }),
        fc.jsonValue(),
      ),
      env: fc.dictionary(fc.string(), fc.oneof(fc.string(), fc.jsonValue({ maxDepth: 1 }))),
      ports: fc.array(fc.jsonValue({ maxDepth: 1 }), { maxLength: 3 }),
      volumes: fc.array(
        fc.record({
          scope: fc.constantFrom('stage', 'absolute', 'project', 'toString'),
          source: fc.oneof(fc.string(), fc.constantFrom('/', '..', 'a', '/proc/self/fd', '/tmp/\u0000x')),
          target: fc.oneof(fc.string(), fc.constantFrom('/data', '/a/../b')),
        }),
        { maxLength: 3 },
      ),
      note: fc.string(),
      quiesce: fc.constantFrom('pause', 'freeze'),
      safety: fc.constantFrom('snapshot', 'keep-old-tree', 1),
      planHash: fc.string(),
      permissions: fc.array(fc.string()),
      command: fc.jsonValue({ maxDepth: 1 }),
      health: fc.jsonValue({ maxDepth: 1 }),
    },
    { requiredKeys: [] },
  ),
);

describe('never a 500 for anything a client sent', () => {
  it('whatever JSON an endpoint gets', async () => {
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...bodies), near, async (endpoint, body) => {
        const answer = await client.send(endpoint.method, pathOf(endpoint.path), {
          body,
          headers: { 'x-confirm-restore': snapshotId, 'x-confirm-delete': workloadId },
        });
        expect([endpoint.id, body, answer.status < 500, answer.text]).toEqual([endpoint.id, body, true, answer.text]);
        if (answer.status >= 400) expect(answer.headers['content-type']).toContain('application/problem+json');
        for (const operation of await server.parts.state.operations.open())
          await end(server, operation.id, 'CANCELLED');
      }),
      { numRuns: 250 },
    );
  }, 120_000);

  it.each([
    '/api/workloads/%zz',
    '/api/workloads/%00',
    '/api/workloads/%ff%fe',
    `/api/workloads/${'x'.repeat(2_000)}`,
    '/api//workloads',
    '/api/workloads/..',
    '/api/workloads/x/../../..',
    '/api',
    '/api?x=%',
    '/api/workloads?limit=%zz',
    '/api/workloads?cursor=W10',
    '/api/workloads?cursor=eyJhIjoxfQ',
    '/api/operations?workloadId=%00',
    '/api/operations?state[]=x',
    '//evil.example/',
    '/%2e%2e/%2e%2e/etc/passwd',
    '/\\evil',
  ])('an address like %s', async (path) => {
    for (const method of ['GET', 'POST', 'PUT', 'OPTIONS']) {
      const answer = await client.send(method, path);
      expect([method, answer.status >= 200 && answer.status < 500]).toEqual([method, true]);
      expect(answer.text).not.toContain('root:');
      if (answer.status >= 400)
        expect([path, answer.headers['content-type']]).toEqual([path, expect.stringContaining('problem+json')]);
    }
  });

  it.each([
    ['a body without a type', { raw: '{}', headers: {} }, 415],
    ['a type without a body', { raw: '', headers: { 'content-type': 'application/json' } }, 202],
    ['a type that is none', { raw: '{}', headers: { 'content-type': ';;;' } }, 415],
    ['another character set', { raw: '{}', headers: { 'content-type': 'application/json; charset=utf-8' } }, 202],
    ['deep nesting', { raw: '['.repeat(100_000), headers: { 'content-type': 'application/json' } }, 400],
    [
      'deep nesting that is JSON',
      { raw: '['.repeat(50_000) + ']'.repeat(50_000), headers: { 'content-type': 'application/json' } },
      422,
    ],
    ['a number beyond all', { raw: '{"a":1e999}', headers: { 'content-type': 'application/json' } }, 422],
    ['a key twice', { raw: '{"a":1,"a":2}', headers: { 'content-type': 'application/json' } }, 422],
  ])('%s', async (_name, sent, status) => {
    const answer = await client.send('POST', `/api/workloads/${workloadId}/deploy`, sent);
    expect(answer.status).toBe(status);
  });

  it.each([
    ['no HTTP at all', 'HELLO\r\n\r\n', /^HTTP\/1\.1 400 /],
    ['HTTP/1.0 without a host', 'GET /healthz HTTP/1.0\r\n\r\n', /^HTTP\/1\.1 421 /],
    [
      'two lengths',
      'POST /api/auth/login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}',
      /^HTTP\/1\.1 400 /,
    ],
    [
      'length and chunks',
      'POST /api/auth/login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      /^HTTP\/1\.1 400 /,
    ],
    [
      'a header without end',
      `GET / HTTP/1.1\r\nHost: localhost\r\nX: ${'y'.repeat(40_000)}\r\n\r\n`,
      /^HTTP\/1\.1 431 /,
    ],
  ])('%s', async (_name, bytes, expected) => {
    expect(await raw(bytes)).toMatch(expected);
    expect((await server.anonymous.get('/healthz')).status).toBe(200);
  });

  it('a body that ends early harms nobody', async () => {
    await raw(
      'POST /api/auth/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{',
      200,
    );
    expect((await server.anonymous.get('/healthz')).status).toBe(200);
  });
});

/** Sends bytes as they are; the answer, or what came of it until `giveUpMs`. */
function raw(bytes: string, giveUpMs = 3_000): Promise<string> {
  return new Promise((resolve) => {
    let answer = '';
    const socket = net.connect(server.port, '127.0.0.1', () => socket.write(bytes));
    const done = (): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answer);
    };
    const timer = setTimeout(done, giveUpMs);
    socket.on('data', (chunk) => {
      answer += chunk.toString('latin1');
      done();
    });
    socket.on('error', done);
    socket.on('close', done);
  });
}
