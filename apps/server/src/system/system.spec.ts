import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { api } from '@tiny-forge/contracts';
import { ENDPOINTS } from '../http/endpoints.ts';
import { TestServer } from '../testing/test-server.ts';

let server: TestServer;
let webRoot: string;
const INLINE = 'document.documentElement.lang = "en";';
beforeAll(async () => {
  webRoot = mkdtempSync(path.join(tmpdir(), 'tf-web-'));
  mkdirSync(path.join(webRoot, '_app', 'immutable'), { recursive: true });
  writeFileSync(
    path.join(webRoot, 'index.html'),
    `<!doctype html><script src="/boot.js"></script><script>${INLINE}</script>page`,
  );
  writeFileSync(path.join(webRoot, 'boot.js'), '1');
  writeFileSync(path.join(webRoot, '_app', 'immutable', 'a.js'), '2');
  server = await TestServer.start({ webRoot });
});
afterAll(async () => {
  await server.stop();
  rmSync(webRoot, { recursive: true, force: true });
});

describe('outside /api', () => {
  it('healthz says that the process is up; readyz names each part in one word', async () => {
    expect((await server.anonymous.get('/healthz')).status).toBe(200);
    const ready = await server.anonymous.get('/readyz');
    expect(ready.status).toBe(200);
    expect(ready.body).toEqual({
      status: 'ok',
      parts: ['database', 'docker', 'temporal', 'workers', 'recovery'].map((name) => ({ name, status: 'ok' })),
    });
  });

  it('readyz is 503 while a part is away, and 200 as soon as it is back', async () => {
    server.docker.isAway = true;
    const away = await server.anonymous.get('/readyz');
    expect(away.status).toBe(503);
    expect(away.body.parts).toContainEqual({ name: 'docker', status: 'away' });
    expect(away.text).not.toContain('socket');
    server.docker.isAway = false;
    expect((await server.anonymous.get('/readyz')).status).toBe(200);
  });

  it('metrics are open on loopback, and need a token when the request was forwarded', async () => {
    const open = await server.anonymous.get('/metrics');
    expect(open.status).toBe(200);
    expect(open.text).toContain('tiny_forge_part_up{part="docker"} 1');
    const forwarded = { headers: { 'x-forwarded-for': '10.1.2.3' } };
    expect((await server.anonymous.get('/metrics', forwarded)).status).toBe(401);
    expect((await (await server.token(['workloads:read'])).get('/metrics', forwarded)).status).toBe(403);
    expect((await (await server.token(['system:admin'])).get('/metrics', forwarded)).status).toBe(200);
  });
});

describe('while recovery is not through', () => {
  it('every address under /api answers 503 STARTING, signed in or not; the rest answers', async () => {
    const client = await server.token();
    server.facts.recovery = { status: 'starting', detail: null, code: null };
    try {
      for (const each of [client, server.anonymous]) {
        for (const at of ['/api/workloads', '/api/nothing', '/api/auth/me']) {
          const answer = await each.get(at);
          expect([answer.status, answer.body.code]).toEqual([503, 'STARTING']);
        }
      }
      const login = await server.anonymous.post('/api/auth/login', { username: 'admin', password: 'x' });
      expect(login.body.code).toBe('STARTING');
      expect((await server.anonymous.get('/readyz')).body).toMatchObject({ status: 'starting' });
      expect((await server.anonymous.get('/healthz')).status).toBe(200);
      expect((await server.anonymous.get('/')).status).toBe(200);
    } finally {
      server.facts.recovery = { status: 'ok', detail: null, code: null };
    }
  });
});

describe('the Host header', () => {
  it.each(['127.0.0.1', 'localhost', 'LOCALHOST:4400', '[::1]:1', 'localhost.'])('%s is ours', async (host) => {
    expect((await server.anonymous.get('/healthz', { headers: { host } })).status).toBe(200);
  });
  it.each(['evil.example', 'localhost.evil.example', '127.0.0.1.evil.example', '10.0.0.1', 'a b'])(
    '%s is not: 421 everywhere',
    async (host) => {
      for (const at of ['/healthz', '/', '/readyz', '/metrics']) {
        const answer = await server.anonymous.get(at, { headers: { host } });
        // Node itself refuses what is no host name at all.
        expect([400, 421]).toContain(answer.status);
      }
      const login = await server.anonymous.post('/api/auth/login', {}, { host });
      expect([400, 421]).toContain(login.status);
    },
  );
});

describe('the web app', () => {
  it('is served, with its page at every address of its own', async () => {
    expect((await server.anonymous.get('/boot.js')).text).toBe('1');
    for (const at of ['/', '/workloads', '/workloads/0/restore', '/operations?state=FAILED']) {
      const answer = await server.anonymous.get(at);
      expect([at, answer.status, answer.text.includes('page')]).toEqual([at, 200, true]);
      expect(answer.headers['content-type']).toContain('text/html');
      expect(answer.headers['cache-control']).toBe('no-cache');
    }
  });

  it('a missing file is no page, nor is anything under /api', async () => {
    for (const at of ['/_app/immutable/gone.js', '/gone.png', '/_app/x']) {
      expect((await server.anonymous.get(at)).status).toBe(404);
    }
    expect((await server.anonymous.get('/api/gone')).status).toBe(401);
    expect((await server.anonymous.post('/workloads', {})).status).toBe(404);
    expect((await server.anonymous.get('/..%2f..%2fetc/passwd')).text).not.toContain('root:');
  });

  it('is cached for ever where its name has a hash', async () => {
    expect((await server.anonymous.get('/_app/immutable/a.js')).headers['cache-control']).toContain('immutable');
  });
});

describe('headers', () => {
  it('allow the scripts of the page and no others, no frames, no sniffing, on every answer', async () => {
    const hash = createHash('sha256').update(INLINE).digest('base64');
    for (const at of ['/', '/api/workloads', '/healthz', '/api/gone']) {
      const { headers } = await server.anonymous.get(at);
      const policy = String(headers['content-security-policy']);
      expect(policy).toContain(`script-src 'self' 'sha256-${hash}'`);
      expect(policy).toContain("frame-ancestors 'none'");
      expect(policy).not.toContain('upgrade-insecure-requests');
      expect(/script-src[^;]*/.exec(policy)?.[0]).not.toContain('unsafe');
      expect(headers['x-content-type-options']).toBe('nosniff');
      expect(headers['x-frame-options']).toBe('DENY');
      expect(headers['strict-transport-security']).toBeUndefined();
    }
    expect((await server.anonymous.get('/api/workloads')).headers['cache-control']).toBe('no-store');
  });
});

describe('system and OpenAPI', () => {
  it('system tells parts with detail, versions, plugins and disks', async () => {
    const client = await server.token(['workloads:read']);
    const answer = await client.get('/api/system');
    expect(answer.status).toBe(200);
    expect(api.systemInfo.safeParse(answer.body).error).toBeUndefined();
    expect(answer.body).toMatchObject({
      sourceTypes: ['image'],
      volumeScopes: ['absolute', 'stage', 'project'],
      allowedRoots: [path.join(server.folder, 'root')],
      hosts: [{ id: server.parts.hostId }],
    });
    expect(answer.body.hosts[0].disks[0].totalBytes).toBeGreaterThan(0);
    server.docker.isAway = true;
    const away = (await client.get('/api/system')).body.parts.find((part: { name: string }) => part.name === 'docker');
    server.docker.isAway = false;
    expect(away).toMatchObject({ status: 'away', code: 'DOCKER_AWAY', since: expect.any(String) });
    expect((await server.anonymous.get('/api/system')).status).toBe(401);
  });

  it('the document is OpenAPI 3.1 and names every address that is served', async () => {
    const { body } = await (await server.token(['workloads:read'])).get('/api/openapi.json');
    expect(body.openapi).toBe('3.1.0');
    const described = Object.entries(body.paths as Record<string, Record<string, { operationId: string }>>).flatMap(
      ([at, methods]) =>
        Object.entries(methods).map(([method, each]) => `${method.toUpperCase()} ${at} ${each.operationId}`),
    );
    const served = Object.values(ENDPOINTS).map(
      (each) => `${each.method} ${each.path.replace(/:(\w+)/g, '{$1}')} ${each.id}`,
    );
    expect(described.sort()).toEqual(served.sort());
    const restore = body.paths['/api/workloads/{id}/snapshots/{sid}/restore'].post;
    expect(restore.parameters.map((each: { name: string }) => each.name)).toEqual([
      'id',
      'sid',
      'X-Confirm-Restore',
      'Idempotency-Key',
      'X-CSRF-Token',
    ]);
    expect(restore.requestBody.content['application/json'].schema.$ref).toBe('#/components/schemas/Restore');
    expect(body.components.schemas.CreateWorkload.additionalProperties).toBe(false);
  });

  it('every endpoint has a handler', async () => {
    const client = await server.token();
    for (const endpoint of Object.values(ENDPOINTS)) {
      if (/events|login/.test(endpoint.id)) continue;
      const at = endpoint.path.replace(/:\w+/g, '00000000-0000-4000-8000-000000000000');
      const answer = await client.send(endpoint.method, at);
      expect([endpoint.id, answer.body?.params?.what]).not.toEqual([endpoint.id, 'This address']);
      expect([endpoint.id, answer.status < 500]).toEqual([endpoint.id, true]);
    }
  });
});

it('comes later: undo, import, entries and content are 404', async () => {
  const client = await server.token();
  const id = '00000000-0000-4000-8000-000000000000';
  for (const [method, at] of [
    ['POST', `/api/operations/${id}/undo`],
    ['POST', `/api/workloads/${id}/snapshots/import`],
    ['GET', `/api/workloads/${id}/snapshots/${id}/entries`],
    ['GET', `/api/workloads/${id}/snapshots/${id}/content`],
  ] as const) {
    expect((await client.send(method, at)).status).toBe(404);
  }
});
