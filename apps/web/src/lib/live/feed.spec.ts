import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { Operation } from '@tiny-forge/contracts/domain';
import { FakeEventSource } from '../../testing/fake-event-source.ts';
import { FakeServer, lostAnswer } from '../../testing/fake-server.ts';
import { exampleOperation } from '../examples/data.ts';
import { operationStore } from '../state/operations.svelte.ts';
import { session } from '../state/session.svelte.ts';
import { feed } from './feed.svelte.ts';

const LIST = 'GET /api/operations';
let server: FakeServer;
let stop: () => void;
let hidden = false;
Object.defineProperty(document, 'hidden', { configurable: true, get: () => hidden });

const open = (...items: Operation[]) => ({ body: { items, nextCursor: null } });
const beat = (bootId = 'boot-1') =>
  FakeEventSource.last.say('heartbeat', { serverTime: new Date().toISOString(), bootId });
const later = (ms: number) => jest.advanceTimersByTimeAsync(ms);
const running = (revision: number, over: Partial<Operation> = {}) =>
  exampleOperation('RUNNING', { revision, serverTime: new Date().toISOString(), ...over });

beforeEach(async () => {
  jest.useFakeTimers();
  FakeEventSource.all = [];
  (globalThis as { EventSource?: unknown }).EventSource = FakeEventSource;
  hidden = false;
  server = new FakeServer().on(LIST, open());
  session.state = 'in';
  operationStore.clear();
  Object.assign(feed, { stale: false, trouble: 'none', notice: 'none' });
  stop = feed.start();
  await later(0);
});
afterEach(() => {
  stop();
  feed.watch(undefined);
  jest.useRealTimers();
});

describe('the stream', () => {
  it('opens one, after a GET', () => {
    expect(server.of(LIST)).toHaveLength(1);
    expect(FakeEventSource.open.map((stream) => stream.url)).toEqual(['/api/events']);
  });

  it('ignores an older revision, whichever way it comes', () => {
    FakeEventSource.last.say('operation', running(5));
    FakeEventSource.last.say('operation', running(4, { state: 'QUEUED' }));
    feed.take(running(3, { state: 'QUEUED' }));
    expect(operationStore.open.map(({ revision, state }) => [revision, state])).toEqual([[5, 'RUNNING']]);
  });

  it('25 s of silence: stale, and tries again; a heartbeat ends it', async () => {
    beat();
    await later(24_000);
    expect(feed.stale).toBe(false);
    await later(2500);
    expect(feed.stale).toBe(true);
    await later(1500);
    expect(feed.stale).toBe(false);
    expect(FakeEventSource.open).toHaveLength(1);
  });

  it('heartbeats alone keep it fresh', async () => {
    for (let i = 0; i < 6; i += 1) {
      beat();
      await later(10_000);
    }
    expect(feed.stale).toBe(false);
  });

  it('after an error it asks with a GET, 1, 2, 4, 8, 10, 10 s apart, then opens again', async () => {
    server.on(LIST, lostAnswer);
    server.on('GET /readyz', lostAnswer);
    FakeEventSource.last.fail();
    const times: number[] = [];
    let count = server.of(LIST).length;
    for (let second = 1; second <= 36; second += 1) {
      await later(1000);
      if (server.of(LIST).length > count) times.push(second);
      count = server.of(LIST).length;
    }
    expect(times).toEqual([1, 3, 7, 15, 25, 35]);
    expect(feed.trouble).toBe('away');
    expect(FakeEventSource.open).toHaveLength(0);
    server.on(LIST, open());
    await later(10_000);
    expect(feed.trouble).toBe('none');
    expect(feed.notice).toBe('reconnected');
    expect(FakeEventSource.open).toHaveLength(1);
  });

  it('what ended while nobody listened is fetched', async () => {
    FakeEventSource.last.say('operation', running(5));
    const [known] = operationStore.open;
    server.on(`GET /api/operations/${known?.id ?? ''}`, {
      body: running(9, { state: 'SUCCEEDED', endedAt: new Date().toISOString() }),
    });
    FakeEventSource.last.fail();
    await later(1000);
    expect(operationStore.open).toEqual([]);
    expect(operationStore.get(known?.id ?? '')?.state).toBe('SUCCEEDED');
  });

  it('one operation has a stream of its own until it ends', async () => {
    const operation = running(5);
    server.on(LIST, open(operation));
    FakeEventSource.last.say('operation', operation);
    feed.watch(operation.id);
    await later(0);
    expect(FakeEventSource.open.map((stream) => stream.url)).toEqual([`/api/operations/${operation.id}/events`]);
    server.on(LIST, open());
    FakeEventSource.last.say('operation', running(6, { state: 'SUCCEEDED' }));
    await later(0);
    expect(FakeEventSource.open.map((stream) => stream.url)).toEqual(['/api/events']);
  });
});

describe('a server that restarts', () => {
  it('says so when it is another process', async () => {
    beat('boot-1');
    FakeEventSource.last.fail();
    server.on(LIST, { status: 503, body: { code: 'STARTING', params: {} } });
    server.on('GET /readyz', {
      status: 503,
      body: { status: 'starting', parts: [{ name: 'recovery', status: 'starting' }] },
    });
    await later(1000);
    expect(feed.trouble).toBe('starting');
    expect(feed.parts).toEqual([{ name: 'recovery', status: 'starting' }]);
    server.on(LIST, open());
    await later(2000);
    beat('boot-2');
    expect(feed.notice).toBe('restarted');
  });

  it('does not try while signed out', async () => {
    server.on(LIST, { status: 401, body: { code: 'UNAUTHENTICATED', params: {} } });
    FakeEventSource.last.fail();
    await later(1000);
    const asked = server.of(LIST).length;
    expect(session.state).toBe('ended');
    await later(60_000);
    expect(server.of(LIST)).toHaveLength(asked);
  });
});

describe('a hidden tab', () => {
  const hide = () => {
    hidden = true;
    document.dispatchEvent(new Event('visibilitychange'));
  };
  it('closes its stream after 30 s and asks every 15 s', async () => {
    hide();
    await later(29_000);
    expect(FakeEventSource.open).toHaveLength(1);
    await later(1500);
    expect(FakeEventSource.open).toHaveLength(0);
    const asked = server.of(LIST).length;
    await later(45_000);
    expect(server.of(LIST)).toHaveLength(asked + 3);
    hidden = false;
    document.dispatchEvent(new Event('visibilitychange'));
    await later(0);
    expect(server.of(LIST)).toHaveLength(asked + 4);
    expect(FakeEventSource.open).toHaveLength(1);
  });

  it('back within 30 s changes nothing', async () => {
    hide();
    await later(10_000);
    beat();
    hidden = false;
    document.dispatchEvent(new Event('visibilitychange'));
    await later(40_000);
    expect(FakeEventSource.open).toHaveLength(1);
  });
});
