import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { addWorkload, begin, end, record } from '../testing/state-fixtures.ts';
import { readStream, type StreamEvent, type TestClient } from '../testing/test-client.ts';
import { TestServer } from '../testing/test-server.ts';

let server: TestServer;
let client: TestClient;
let workloadId: string;
beforeAll(async () => {
  server = await TestServer.start();
  client = await server.token();
  workloadId = await addWorkload(server);
});
afterAll(() => server.stop());

const deploy = async (): Promise<string> =>
  (await client.post(`/api/workloads/${workloadId}/deploy`)).body.operationId as string;
const states = (events: readonly StreamEvent[]): string[] =>
  events.filter((each) => each.event === 'operation').map((each) => each.data.state as string);
const never = (): boolean => false;

describe('the stream of one operation', () => {
  it('begins with a heartbeat and the present state, tells every change once, and ends after the end', async () => {
    const id = await deploy();
    const reading = readStream(client, `/api/operations/${id}/events`, never);
    await new Promise((resolve) => setTimeout(resolve, 400));
    await begin(server, id);
    await new Promise((resolve) => setTimeout(resolve, 600));
    await record(server, id, 'WAITING');
    await new Promise((resolve) => setTimeout(resolve, 600));
    await end(server, id, 'FAILED');
    const { events, headers, text } = await reading;
    expect(headers['content-type']).toContain('text/event-stream');
    expect(headers['cache-control']).toBe('no-store');
    expect(headers['x-content-type-options']).toBe('nosniff');
    expect(events[0]).toMatchObject({
      event: 'heartbeat',
      data: { serverTime: expect.any(String), bootId: server.app.services.bootId },
    });
    expect(states(events)).toEqual(['QUEUED', 'RUNNING', 'WAITING', 'FAILED']);
    const told = events.filter((each) => each.event === 'operation');
    const full = (await client.get(`/api/operations/${id}`)).body;
    expect({ ...told.at(-1)?.data, serverTime: '' }).toEqual({ ...full, serverTime: '' });
    expect(told.map((each) => each.id)).toEqual(told.map((each) => String(each.data.revision)));
    expect(text.trimEnd().endsWith(': the operation has ended')).toBe(true);
  });

  it('resumes with Last-Event-ID: what was missed is told, what was seen is not told again', async () => {
    const id = await deploy();
    await end(server, id, 'CANCELLED');
    const { revision } = (await client.get(`/api/operations/${id}`)).body;
    const missed = await readStream(client, `/api/operations/${id}/events`, never, { 'last-event-id': '1' });
    expect(states(missed.events)).toEqual(['CANCELLED']);
    const seen = await readStream(client, `/api/operations/${id}/events`, never, { 'last-event-id': String(revision) });
    expect(states(seen.events)).toEqual([]);
    const nonsense = await readStream(client, `/api/operations/${id}/events`, never, {
      'last-event-id': 'x'.repeat(9_000),
    });
    expect(states(nonsense.events)).toEqual(['CANCELLED']);
  });

  it('carries byte progress without a new revision', async () => {
    const id = await deploy();
    await begin(server, id);
    const row = await server.parts.state.operations.get(id);
    const steps = row?.view.steps.map((step) => ({ ...step, state: 'RUNNING' as const })) ?? [];
    await record(server, id, 'RUNNING', { steps });
    const reading = readStream(client, `/api/operations/${id}/events`, (events) =>
      events.some((each) => each.data.steps?.[0]?.progress?.doneBytes === 7),
    );
    server.gateway.steps = { deploy: { doneBytes: 7, totalBytes: 9, doneEntries: 1, totalEntries: 2 } };
    const { events } = await reading;
    expect(events.at(-1)?.data.steps[0].progress.totalBytes).toBe(9);
    server.gateway.steps = {};
    await end(server, id, 'FAILED');
  });

  it('is refused like everything else', async () => {
    const id = await deploy();
    expect((await server.anonymous.get(`/api/operations/${id}/events`)).status).toBe(401);
    expect((await (await server.token(['workloads:read'])).get(`/api/operations/${id}/events`)).status).toBe(404);
    expect((await client.get('/api/operations/00000000-0000-4000-8000-000000000000/events')).status).toBe(404);
    await end(server, id, 'FAILED');
  });
});

describe('the stream of everything', () => {
  it('tells what is open, what begins and what ends, and how the workloads stand', async () => {
    const first = await deploy();
    const reading = readStream(client, '/api/events', (events) => states(events).includes('SUCCEEDED'));
    await new Promise((resolve) => setTimeout(resolve, 400));
    const second = await deploy();
    await new Promise((resolve) => setTimeout(resolve, 600));
    await end(server, second, 'SUCCEEDED');
    const { events } = await reading;
    const told = events.filter((each) => each.event === 'operation');
    expect(told.find((each) => each.data.id === first)?.data.state).toBe('QUEUED');
    expect(told.filter((each) => each.data.id === second).map((each) => each.data.state)).toEqual([
      'QUEUED',
      'SUCCEEDED',
    ]);
    const workload = events.find((each) => each.event === 'workload' && each.data.id === workloadId);
    expect(workload?.data).toMatchObject({ status: { state: 'absent', instances: [] }, operationId: first });
    await end(server, first, 'FAILED');
  });

  it('hides workloads from who may not read them', async () => {
    const id = await deploy();
    const blind = await server.token(['operations:read']);
    const reading = readStream(blind, '/api/events', (events) => states(events).length > 1);
    await new Promise((resolve) => setTimeout(resolve, 400));
    await end(server, id, 'FAILED');
    expect((await reading).events.filter((each) => each.event === 'workload')).toEqual([]);
  });

  it('beats while nothing happens', async () => {
    const started = Date.now();
    const { events } = await readStream(
      client,
      '/api/events',
      (each) => each.filter((event) => event.event === 'heartbeat').length > 1,
    );
    expect(events.filter((event) => event.event === 'heartbeat')).toHaveLength(2);
    expect(Date.now() - started).toBeLessThan(10_000);
  });

  it('ends when its credentials are revoked', async () => {
    const session = await server.login();
    const reading = readStream(session, '/api/events', never);
    await new Promise((resolve) => setTimeout(resolve, 300));
    await session.post('/api/auth/logout');
    expect((await reading).text).toContain(': signed out');
  });
});

it('a stopping server ends every stream with a last word', async () => {
  const second = await TestServer.start({ beside: server });
  const reader = second.anonymous.with(client.credentials);
  const reading = readStream(reader, '/api/events', never);
  await new Promise((resolve) => setTimeout(resolve, 300));
  const started = Date.now();
  await second.stop();
  expect(Date.now() - started).toBeLessThan(5_000);
  expect((await reading).text.trimEnd().endsWith(': the server is stopping')).toBe(true);
});
