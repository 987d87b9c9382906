import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { PERMISSIONS } from '@tiny-forge/contracts/domain';
import type { Clock } from '../state/index.ts';
import { PASSWORD, TestServer } from '../testing/test-server.ts';

let now = Date.parse('2026-11-23T02:14:00.000Z');
const clock: Clock = { now: () => new Date(now) };
let server: TestServer;
beforeAll(async () => {
  server = await TestServer.start({ clock });
});
afterAll(() => server.stop());

const login = (body: unknown = { username: 'admin', password: PASSWORD }, headers: Record<string, string> = {}) =>
  server.anonymous.post('/api/auth/login', body, headers);

describe('signing in', () => {
  it('answers user and CSRF token and sets a cookie that scripts and other sites do not get', async () => {
    const answer = await login();
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual({
      user: { id: expect.any(String), name: 'admin', permissions: [...PERMISSIONS] },
      csrfToken: expect.any(String),
    });
    const cookie = answer.headers['set-cookie']?.[0] ?? '';
    expect(cookie).toMatch(/^tf_session=[A-Za-z0-9_-]{43}; /);
    expect(cookie).toContain('HttpOnly');
    expect(cookie).toContain('SameSite=Strict');
    expect(cookie).toContain('Path=/');
    expect(cookie).not.toContain('Secure');
    const overTls = await login(undefined, { 'x-forwarded-proto': 'https' });
    expect(overTls.headers['set-cookie']?.[0]).toContain('Secure');
  });

  it('me adds csrfToken and expiresAt; logout ends the session at once', async () => {
    const session = await server.login();
    const me = await session.get('/api/auth/me');
    expect(me.body).toMatchObject({
      user: { name: 'admin' },
      csrfToken: session.credentials['x-csrf-token'],
      expiresAt: new Date(now + 7 * 86_400_000).toISOString(),
    });
    expect((await session.post('/api/auth/logout')).status).toBe(204);
    expect((await session.get('/api/auth/me')).status).toBe(401);
  });

  it('a session ends by itself', async () => {
    const session = await server.login();
    now += 7 * 86_400_000;
    expect((await session.get('/api/auth/me')).status).toBe(401);
  });

  it('mutations with the cookie need the CSRF token of that session; reads do not', async () => {
    const session = await server.login();
    const other = await server.login();
    const cookie = { cookie: session.credentials['cookie'] ?? '' };
    expect((await server.anonymous.with(cookie).get('/api/workloads')).status).toBe(200);
    const without = await server.anonymous
      .with(cookie)
      .post('/api/tokens', { name: 'x', permissions: ['system:admin'] });
    expect(without.body.code).toBe('CSRF');
    const foreign = server.anonymous.with({ ...cookie, 'x-csrf-token': other.credentials['x-csrf-token'] ?? '' });
    expect((await foreign.post('/api/tokens', { name: 'x', permissions: ['system:admin'] })).body.code).toBe('CSRF');
  });

  it('says the same for an unknown user as for a wrong password, and names missing fields', async () => {
    const wrong = await login({ username: 'admin', password: 'no' });
    const unknown = await login({ username: 'nobody', password: 'no' });
    expect([wrong.status, wrong.body.code]).toEqual([401, 'BAD_CREDENTIALS']);
    expect(unknown.body).toEqual(wrong.body);
    const missing = await login({ username: 'admin', extra: 1 });
    expect(missing.status).toBe(422);
    expect(missing.body.issues.map((issue: { path: string }) => issue.path).sort()).toEqual(['extra', 'password']);
  });

  it('stores neither password, cookie nor token readable', async () => {
    const session = await server.login();
    const secret = (session.credentials['cookie'] ?? '').split('=')[1] ?? '';
    const made = await session.post('/api/tokens', { name: 'hidden', permissions: ['workloads:read'] });
    const { readFileSync } = await import('node:fs');
    const bytes = ['state.sqlite', 'state.sqlite-wal'].map((name) => readFileSync(`${server.parts.dataDir}/${name}`));
    const all = Buffer.concat(bytes);
    for (const hidden of [PASSWORD, secret, made.body.token as string]) {
      expect(hidden.length).toBeGreaterThan(10);
      expect(all.includes(hidden)).toBe(false);
    }
    expect((await server.parts.state.users.byName('admin'))?.passwordHash).toMatch(
      /^\$argon2id\$v=19\$m=19456,t=2,p=1\$/,
    );
  });
});

describe('slowing down guesses', () => {
  it('429 with Retry-After after some, for that user and address, parallel ones included; later it is free again', async () => {
    const guess = () => login({ username: 'guessed', password: 'no' });
    const answers = await Promise.all(Array.from({ length: 12 }, guess));
    expect(answers.filter((answer) => answer.status === 401)).toHaveLength(5);
    const throttled = answers.filter((answer) => answer.status === 429);
    expect(throttled).toHaveLength(7);
    expect(Number(throttled[0]?.headers['retry-after'])).toBeGreaterThan(0);
    expect((await login()).status).toBe(200);
    now += 11_000;
    expect((await guess()).status).toBe(401);
    expect((await guess()).status).toBe(429);
  });
});

describe('tokens', () => {
  it('are shown once, need no CSRF token, and do what they may and no more', async () => {
    const session = await server.login();
    const made = await session.post('/api/tokens', { name: 'ci', permissions: ['workloads:read'] });
    expect(made.status).toBe(201);
    expect(made.body).toEqual({ id: expect.any(String), token: expect.stringMatching(/^tf_[A-Za-z0-9_-]{43}$/) });
    const token = server.anonymous.with({ authorization: `Bearer ${made.body.token}` });
    expect((await token.get('/api/workloads')).status).toBe(200);
    expect((await token.post('/api/workloads', {})).body.code).toBe('FORBIDDEN');
    expect((await token.get('/api/tokens')).body.code).toBe('FORBIDDEN');
    expect((await token.get('/api/auth/me')).body).toMatchObject({
      user: { name: 'admin', permissions: ['workloads:read'] },
      csrfToken: null,
      expiresAt: null,
    });
    const list = await session.get('/api/tokens');
    const item = list.body.items.find((each: { id: string }) => each.id === made.body.id);
    expect(item).toMatchObject({ name: 'ci', permissions: ['workloads:read'] });
    expect(list.text).not.toContain(made.body.token);
    expect((await session.delete(`/api/tokens/${made.body.id}`)).status).toBe(204);
    expect((await token.get('/api/workloads')).status).toBe(401);
    expect((await session.delete(`/api/tokens/${made.body.id}`)).status).toBe(404);
  });

  it('never have more than who made them', async () => {
    const limited = await server.token(['system:admin', 'workloads:read']);
    const more = await limited.post('/api/tokens', { name: 'more', permissions: ['snapshots:restore'] });
    expect([more.status, more.body.params.permission]).toEqual([403, 'snapshots:restore']);
    expect((await limited.post('/api/tokens', { name: 'same', permissions: ['workloads:read'] })).status).toBe(201);
  });

  it('repeated with a key: 200, the id, no token', async () => {
    const session = await server.login();
    const make = () =>
      session.post('/api/tokens', { name: 'twice', permissions: ['workloads:read'] }, { 'idempotency-key': 'token-1' });
    const first = await make();
    const second = await make();
    expect([first.status, second.status]).toEqual([201, 200]);
    expect(second.body).toEqual({ id: first.body.id });
    expect(
      (await session.get('/api/tokens')).body.items.filter((each: { name: string }) => each.name === 'twice'),
    ).toHaveLength(1);
  });

  it.each([
    ['no permissions', { name: 'x', permissions: [] }],
    ['an unknown permission', { name: 'x', permissions: ['everything'] }],
    ['no name', { permissions: ['workloads:read'] }],
  ])('with %s: 422', async (_name, body) => {
    expect((await (await server.login()).post('/api/tokens', body)).status).toBe(422);
  });

  it.each(['Bearer nonsense', 'Basic YWRtaW46YWRtaW4=', 'Bearer ', 'bearer'])(
    'a wrong Authorization (%s): 401',
    async (value) => {
      const session = await server.login();
      const both = session.with({ ...session.credentials, authorization: value });
      expect((await both.get('/api/workloads')).status).toBe(401);
    },
  );
});

describe('who may not even read', () => {
  it('gets 404 for what exists and for what does not, and 403 for lists', async () => {
    const { addWorkload } = await import('../testing/state-fixtures.ts');
    const id = await addWorkload(server);
    const blind = await server.token(['operations:read']);
    for (const each of [id, '00000000-0000-4000-8000-000000000000']) {
      expect((await blind.get(`/api/workloads/${each}`)).body.code).toBe('NOT_FOUND');
      expect((await blind.post(`/api/workloads/${each}/deploy`)).body.code).toBe('NOT_FOUND');
      expect((await blind.get(`/api/workloads/${each}/snapshots`)).body.code).toBe('NOT_FOUND');
    }
    expect((await blind.get('/api/workloads')).body.code).toBe('FORBIDDEN');
  });
});

describe('audit', () => {
  it('every mutation leaves a record with who, from where, what and the outcome; reads leave none', async () => {
    const session = await server.login();
    const before = (await server.parts.state.audit.list(1))[0]?.id ?? 0;
    await session.get('/api/workloads');
    await session.post('/api/tokens', { name: 'audited', permissions: ['workloads:read'] });
    await session.post('/api/workloads', { nonsense: true });
    await login({ username: 'audited-user', password: 'very secret guess' });
    await server.anonymous.post('/api/workloads', {});
    const records = (await server.parts.state.audit.list(10)).filter((each) => each.id > before);
    expect(records.map(({ principal, from, verb, outcome }) => ({ principal, from, verb, outcome }))).toEqual([
      { principal: '(nobody)', from: '127.0.0.1', verb: 'login', outcome: '401 BAD_CREDENTIALS' },
      { principal: 'admin', from: '127.0.0.1', verb: 'createWorkload', outcome: '422 VALIDATION_FAILED' },
      { principal: 'admin', from: '127.0.0.1', verb: 'createToken', outcome: '201' },
    ]);
    expect(records[0]?.details).toEqual({ user: 'audited-user' });
    expect(JSON.stringify(records)).not.toContain('very secret');
  });
});

it('sessions and tokens survive a restart of the server', async () => {
  const session = await server.login();
  const token = await server.token(['workloads:read']);
  const second = await TestServer.start({ clock, beside: server });
  for (const client of [session, token]) {
    const moved = second.anonymous.with(client.credentials);
    expect((await moved.get('/api/workloads')).status).toBe(200);
  }
  await second.stop();
});
