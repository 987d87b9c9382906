import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { KeptTrees } from '@tiny-forge/volsnap';
import { addSnapshot, addWorkload, end } from '../testing/state-fixtures.ts';
import type { TestClient } from '../testing/test-client.ts';
import { TestServer } from '../testing/test-server.ts';
import { SafetyJanitor } from './safety-janitor.ts';

const DAY_MS = 86_400_000;

let now = new Date('2026-11-20T00:00:00.000Z');
let server: TestServer;
let client: TestClient;
let workloadId: string;
const removedFiles: string[] = [];
let moving: string[];
let kept: KeptTrees[];
/** What the engine was told to spare. */
let spared: ReadonlySet<string>;
/** Safety snapshots of this test. */
const made = new Set<string>();

const clock = { now: () => now };
const later = (days: number): void => void (now = new Date(now.getTime() + days * DAY_MS));

beforeAll(async () => {
  server = await TestServer.start({ clock });
  client = await server.token();
});
afterAll(() => server.stop());
beforeEach(async () => {
  workloadId = await addWorkload(server);
  removedFiles.length = 0;
  moving = [];
  kept = [];
  spared = new Set();
  made.clear();
});

const janitor = (): SafetyJanitor =>
  new SafetyJanitor({
    ...server.parts,
    captureEngine: {
      ...server.parts.captureEngine,
      remove: async (_workload, id) => void removedFiles.push(id),
    },
    restoreEngine: {
      ...server.parts.restoreEngine,
      openTransactions: async () => moving.map((id) => ({ workloadId: id }) as never),
      keptTrees: async () => kept,
      collectKept: async (_signal, spare = new Set()) => {
        spared = spare;
        const over = kept.filter(({ keptUntil, workloadId: of }) => Date.parse(keptUntil) <= +now && !spare.has(of));
        kept = kept.filter((one) => !over.includes(one));
        return { collected: over.map(({ txId }) => txId), problems: [] };
      },
    },
  });

/** One pass; what it removed of this test's. */
const run = async (): Promise<readonly string[]> => (await janitor().run()).filter((id) => made.has(id));

/** A restore of `of` that took a safety snapshot and ended as given. @returns both ids */
async function restored(
  of: string,
  state: 'SUCCEEDED' | 'ROLLED_BACK' | null = 'SUCCEEDED',
): Promise<{ operationId: string; safety: string }> {
  const at = `/api/workloads/${workloadId}/snapshots/${of}`;
  const answer = await client.post(`${at}/restore`, {}, { 'x-confirm-restore': of });
  if (answer.status !== 202) throw new Error(answer.text);
  return withSafety(answer.body.operationId, state);
}

async function withSafety(
  operationId: string,
  state: 'SUCCEEDED' | 'ROLLED_BACK' | null,
): Promise<{ operationId: string; safety: string }> {
  const { snapshots } = server.parts.state;
  const safety = randomUUID();
  made.add(safety);
  const expiresAt = new Date(now.getTime() + 7 * DAY_MS).toISOString();
  await snapshots.insert({
    id: safety,
    workloadId,
    kind: 'pre-restore',
    note: null,
    quiesce: 'stop',
    codec: 'zstd',
    operationId,
    expiresAt,
  });
  await snapshots.pin(safety, operationId, 'safety');
  await snapshots.complete(safety, {
    image: null,
    bytes: 1,
    contentBytes: 1,
    entries: 1,
    archiveSha256: '0'.repeat(64),
    manifest: { formatVersion: 1, quiesce: 'stop', volumes: [] },
    volumes: [],
    notes: [],
    quiesce: 'stop',
    codec: 'zstd',
  });
  if (state !== null) await end(server, operationId, state);
  return { operationId, safety };
}

const undo = (operationId: string) => client.post(`/api/operations/${operationId}/undo`);
const exists = async (id: string): Promise<boolean> => (await server.parts.state.snapshots.get(id)) !== null;

describe('what goes', () => {
  it('a safety snapshot past its time that nothing needs; its file too; told in the audit', async () => {
    const { operationId, safety } = await restored(await addSnapshot(server, workloadId));
    expect(await run()).toEqual([]);
    later(7.01);
    expect(await run()).toEqual([safety]);
    expect(await run()).toEqual([]);
    expect([await exists(safety), removedFiles.filter((id) => made.has(id))]).toEqual([false, [safety]]);
    const audit = (await server.parts.state.audit.list(50)).filter(({ verb }) => verb === 'expireSnapshot');
    expect(audit.filter(({ target }) => target === `snapshot ${safety}`)).toMatchObject([
      { principal: 'retention', outcome: 'removed', details: { snapshotId: safety, workloadId, operationId } },
    ]);
    expect([(await undo(operationId)).status, (await undo(operationId)).body.code]).toEqual([409, 'NOT_UNDOABLE']);
  });

  it('that of a restore that was rolled back, as soon as its time is over', async () => {
    const { safety } = await restored(await addSnapshot(server, workloadId), 'ROLLED_BACK');
    expect(await run()).toEqual([]);
    later(8);
    expect(await run()).toEqual([safety]);
  });
});

describe('old trees that were kept', () => {
  const keep = (id: string, of = workloadId): void =>
    void kept.push({
      txId: id,
      operationId: `op-${id}`,
      workloadId: of,
      keptUntil: new Date(now.getTime() + 7 * DAY_MS).toISOString(),
      trees: [{ target: '/data', livePath: '/v/data', path: `/v/.data.restore-${id}.old` }],
    });
  const expiries = async () =>
    (await server.parts.state.audit.list(50)).filter(
      ({ verb, details }) => verb === 'expireOldTrees' && details['workloadId'] === workloadId,
    );

  it('go after their time, each told in the audit with its place', async () => {
    keep('a');
    await run();
    later(7.01);
    keep('b');
    await run();
    expect(kept.map(({ txId }) => txId)).toEqual(['b']);
    expect(await expiries()).toMatchObject([
      {
        principal: 'retention',
        target: 'operation op-a',
        outcome: 'removed',
        details: { operationId: 'op-a', paths: '/v/.data.restore-a.old' },
      },
    ]);
    later(8);
    await run();
    expect((await expiries()).length).toBe(2);
  });

  it('stay while directories of their workload are in motion, or an operator has to look', async () => {
    const other = await addWorkload(server);
    keep('a');
    keep('c', other);
    later(8);
    moving = [workloadId];
    await run();
    expect([...spared]).toEqual([workloadId]);
    expect(kept.map(({ txId }) => txId)).toEqual(['a']);
    moving = [];
    server.heldBy = randomUUID();
    await run();
    server.heldBy = null;
    expect([kept.length, (await expiries()).length]).toEqual([1, 0]);
    await run();
    expect([kept.length, (await expiries()).length]).toEqual([0, 1]);
  });
});

describe('what stays (I10)', () => {
  it('what was taken by hand, however old', async () => {
    const manual = await addSnapshot(server, workloadId);
    later(4000);
    await run();
    expect(await exists(manual)).toBe(true);
  });

  it('one whose restore still runs, or that an accepted undo will restore', async () => {
    const first = await restored(await addSnapshot(server, workloadId));
    later(6.9);
    const accepted = await undo(first.operationId);
    expect(accepted.status).toBe(202);
    later(1);
    expect(await run()).toEqual([]);
    const second = await withSafety(accepted.body.operationId, null);
    later(30);
    expect(await run()).toEqual([]);
    await end(server, accepted.body.operationId, 'SUCCEEDED');
    expect(await exists(first.safety)).toBe(true);
    expect(await exists(second.safety)).toBe(true);
  });

  it('the one that an undo restored, until that undo can no longer be undone itself', async () => {
    const first = await restored(await addSnapshot(server, workloadId));
    later(6.9);
    const answer = await undo(first.operationId);
    await withSafety(answer.body.operationId, 'SUCCEEDED');
    later(1);
    expect(await run()).toEqual([]);
    const refused = await client.delete(`/api/workloads/${workloadId}/snapshots/${first.safety}`);
    expect([refused.status, refused.body.code]).toEqual([409, 'SNAPSHOT_PINNED']);
    later(7);
    expect(await run()).toContain(first.safety);
  });

  it('everything of a workload whose directories are in motion or whose operation needs an operator', async () => {
    const { safety } = await restored(await addSnapshot(server, workloadId));
    later(8);
    moving = [workloadId];
    expect(await run()).toEqual([]);
    moving = [];
    server.heldBy = randomUUID();
    expect(await run()).toEqual([]);
    server.heldBy = null;
    expect(await run()).toEqual([safety]);
  });

  it('the last READY snapshot there is: of several expired ones the newest', async () => {
    const manual = await addSnapshot(server, workloadId);
    const older = await restored(manual);
    later(0.1);
    const newer = await restored(manual);
    later(20);
    await client.delete(`/api/workloads/${workloadId}/snapshots/${manual}`);
    expect(await exists(manual)).toBe(false);
    expect(await run()).toEqual([older.safety]);
    expect(await exists(newer.safety)).toBe(true);
  });
});
