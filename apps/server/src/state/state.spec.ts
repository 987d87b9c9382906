import { randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { api, type WorkloadConfig } from '@tiny-forge/contracts';
import type { OperationInput, OperationView } from '@tiny-forge/workflows';
import { errorView, openState, queuedView, type Clock, type State, type WorkloadRecord } from './index.ts';

let dataDir: string;
let state: State;
let now: number;
const clock: Clock = { now: () => new Date(now) };
const situation = { app: 'running', data: 'current', since: '2026-11-23T00:00:00.000Z' } as const;
const open = (): Promise<State> => openState({ dataDir, clock, newId: randomUUID, busyTimeoutMs: 2_000 });

const config = (over: Partial<Record<string, unknown>> = {}): WorkloadConfig =>
  api.workloadConfig.parse({
    name: 'guestbook',
    project: 'demo',
    stage: 'prod',
    source: { type: 'image', image: 'guestbook:1', pull: 'missing' },
    ...over,
  });
const addWorkload = (over: Partial<Record<string, unknown>> = {}): Promise<WorkloadRecord> =>
  state.transaction((stores) => stores.workloads.create(randomUUID(), config(over), 'host-1'));

const operationInput = (workloadId: string, over: Partial<OperationInput> = {}): OperationInput => ({
  installation: 'i',
  operationId: randomUUID(),
  kind: 'restore',
  workloadId,
  hostId: 'host-1',
  snapshotId: null,
  requestedBy: 'admin',
  operatorWaitSeconds: 300,
  options: {},
  ...over,
});
const insert = async (input: OperationInput, on: State = state): Promise<string> => {
  await on.transaction(async (stores) => {
    await stores.operations.insert({ input, notAfter: new Date(now + 5_000).toISOString(), situation });
    if (input.snapshotId) await stores.snapshots.pin(input.snapshotId, input.operationId, 'restore');
  });
  return input.operationId;
};
const view = (state: OperationView['state'], over: Partial<OperationView> = {}): OperationView => ({
  ...queuedView('restore', situation),
  state,
  ...over,
});
const addSnapshot = async (workloadId: string): Promise<string> => {
  const id = randomUUID();
  await state.snapshots.insert({
    id,
    workloadId,
    kind: 'manual',
    note: null,
    quiesce: 'pause',
    codec: 'zstd',
    operationId: null,
    expiresAt: null,
  });
  return id;
};

beforeEach(async () => {
  now = Date.parse('2026-11-23T02:14:00.000Z');
  dataDir = mkdtempSync(path.join(tmpdir(), 'tf-state-'));
  state = await open();
});
afterEach(async () => {
  await state.close();
  rmSync(dataDir, { recursive: true, force: true });
});

describe('the file', () => {
  it('opens again with what was in it, and a second process may open it too', async () => {
    const made = await addWorkload();
    const second = await open();
    expect((await second.workloads.get(made.id))?.config.name).toBe('guestbook');
    await second.close();
  });

  it('two processes that start together both come up migrated', async () => {
    const other = mkdtempSync(path.join(tmpdir(), 'tf-state-'));
    const opened = await Promise.all(
      [1, 2, 3].map(() => openState({ dataDir: other, clock, newId: randomUUID, busyTimeoutMs: 2_000 })),
    );
    expect(
      new Set(await Promise.all(opened.map((each) => each.meta.getOrCreate('installation', randomUUID())))).size,
    ).toBe(1);
    await Promise.all(opened.map((each) => each.close()));
    rmSync(other, { recursive: true, force: true });
  });

  it('keeps itself and its key readable for their owner only', () => {
    expect(statSync(path.join(dataDir, 'state.sqlite')).mode & 0o777).toBe(0o600);
    expect(statSync(path.join(dataDir, 'keys', 'state')).mode & 0o777).toBe(0o600);
  });

  it('refuses a folder that cannot be used, with a code', async () => {
    await expect(openState({ dataDir: '/proc/nothing', clock, newId: randomUUID })).rejects.toMatchObject({
      code: 'DATA_DIR_UNUSABLE',
    });
  });

  it('rolls a failed transaction back whole', async () => {
    await expect(
      state.transaction(async (stores) => {
        await stores.meta.set('a', '1');
        throw new Error('no');
      }),
    ).rejects.toThrow('no');
    expect(await state.meta.get('a')).toBeNull();
  });
});

describe('workloads', () => {
  it('frees a deleted name and refuses a living one', async () => {
    const first = await addWorkload();
    await expect(addWorkload()).rejects.toMatchObject({ code: 'NAME_TAKEN', kind: 'conflict' });
    await addWorkload({ stage: 'dev' });
    await state.workloads.markDeleted(first.id);
    expect((await addWorkload()).id).not.toBe(first.id);
    expect(await state.workloads.get(first.id)).toBeNull();
    expect((await state.workloads.getEvenDeleted(first.id))?.deletedAt).not.toBeNull();
  });

  it('writes secrets encrypted, answers them as null, keeps them through changes and gives them to the deployer', async () => {
    const made = await addWorkload({ env: { A: 'plain', B: { value: 'hunter2-secret', secret: true } } });
    expect(made.config.env).toEqual({ A: 'plain', B: { value: null, secret: true } });
    const changed = await state.transaction((stores) => stores.workloads.update(made.id, 1, made.config));
    expect(changed?.revision).toBe(2);
    expect(await state.workloads.env(made.id, 2)).toEqual({ A: 'plain', B: 'hunter2-secret' });
    const raw = ['state.sqlite', 'state.sqlite-wal'].map((name) => readFileSync(path.join(dataDir, name)));
    expect(Buffer.concat(raw).includes('hunter2-secret')).toBe(false);
    expect(Buffer.concat(raw).includes('plain')).toBe(true);
  });

  it('updates only the revision that was seen, and keeps every revision', async () => {
    const made = await addWorkload();
    const next = config({ command: ['a'] });
    expect((await state.transaction((stores) => stores.workloads.update(made.id, 1, next)))?.revision).toBe(2);
    expect(await state.transaction((stores) => stores.workloads.update(made.id, 1, next))).toBeNull();
    expect((await state.workloads.atRevision(made.id, 1))?.config.command).toBeNull();
    expect((await state.workloads.atRevision(made.id, 2))?.config.command).toEqual(['a']);
    expect(await state.workloads.atRevision(made.id, 3)).toBeNull();
  });

  it('pages through all, each once', async () => {
    for (const name of ['c', 'a', 'b', 'e', 'd']) await addWorkload({ name });
    const names: string[] = [];
    let cursor: { key: string; id: string } | null = null;
    for (;;) {
      const page = await state.workloads.list(cursor, 2);
      names.push(...page.items.map((item) => item.config.name));
      const last = page.items.at(-1);
      if (page.nextCursor === null || !last) break;
      cursor = { key: last.config.name, id: last.id };
    }
    expect(names).toEqual(['a', 'b', 'c', 'd', 'e']);
  });
});

describe('operations', () => {
  let workload: WorkloadRecord;
  beforeEach(async () => {
    workload = await addWorkload();
  });

  it('a refused submit leaves neither row nor pin nor snapshot', async () => {
    const snapshotId = await addSnapshot(workload.id);
    const id = await insert(operationInput(workload.id, { snapshotId }));
    const made = randomUUID();
    await state.snapshots.insert({
      id: made,
      workloadId: workload.id,
      kind: 'manual',
      note: null,
      quiesce: 'pause',
      codec: 'zstd',
      operationId: id,
      expiresAt: null,
    });
    expect(await state.snapshots.pins(snapshotId)).toHaveLength(1);
    expect(await state.transaction((stores) => stores.operations.refuse(id))).toBe(true);
    expect(await state.operations.get(id)).toBeNull();
    expect(await state.snapshots.pins(snapshotId)).toEqual([]);
    expect(await state.snapshots.get(made)).toBeNull();
  });

  it('never deletes a row that the lane accepted or that began', async () => {
    const accepted = await insert(operationInput(workload.id));
    await state.operations.accept(accepted, null);
    expect(await state.transaction((stores) => stores.operations.refuse(accepted))).toBe(false);
    const begun = await insert(operationInput(workload.id));
    await state.operations.begin(begun, 'run', 1, view('RUNNING'));
    expect(await state.transaction((stores) => stores.operations.refuse(begun))).toBe(false);
  });

  it('expiry and begin exclude each other, whoever comes first, also from two processes', async () => {
    const second = await open();
    for (let round = 0; round < 20; round += 1) {
      const id = await insert(operationInput(workload.id));
      const [expired, begun] = await Promise.all(
        round % 2 === 0
          ? [
              state.transaction((stores) => stores.operations.expire(id)),
              second.operations.begin(id, 'run', 1, view('RUNNING')),
            ]
          : [
              second.transaction((stores) => stores.operations.expire(id)),
              state.operations.begin(id, 'run', 1, view('RUNNING')),
            ],
      );
      expect(expired?.state).toBe(begun === 'begun' ? 'RUNNING' : 'CANCELLED');
      expect((await state.operations.get(id))?.state).toBe(expired?.state);
    }
    await second.close();
  });

  it('an expired operation says why, frees its pin, and is not accepted later', async () => {
    const snapshotId = await addSnapshot(workload.id);
    const id = await insert(operationInput(workload.id, { snapshotId }));
    const row = await state.transaction((stores) => stores.operations.expire(id));
    expect(row).toMatchObject({ state: 'CANCELLED', view: { error: { code: 'SUBMIT_EXPIRED' } } });
    expect(row?.endedAt).not.toBeNull();
    expect(await state.operations.accept(id, null)).toBe(false);
    expect(await state.operations.begin(id, 'run', 1, view('RUNNING'))).toBe('ended');
    expect(await state.snapshots.pins(snapshotId)).toEqual([]);
  });

  it('does not expire what was accepted', async () => {
    const id = await insert(operationInput(workload.id));
    await state.operations.accept(id, null);
    expect((await state.transaction((stores) => stores.operations.expire(id)))?.state).toBe('QUEUED');
  });

  it('begin is repeatable by its own run only', async () => {
    const id = await insert(operationInput(workload.id));
    expect(await state.operations.begin(id, 'run', 1, view('RUNNING'))).toBe('begun');
    expect(await state.operations.begin(id, 'run', 1, view('RUNNING'))).toBe('begun');
    expect(await state.operations.begin(id, 'other', 1, view('RUNNING'))).toBe('ended');
    expect(await state.operations.begin(randomUUID(), 'run', 1, view('RUNNING'))).toBe('unknown');
  });

  it('records apply only forwards and never after the end; the revision only grows', async () => {
    const id = await insert(operationInput(workload.id));
    await state.operations.begin(id, 'run', 1, view('RUNNING'));
    expect(await state.operations.record(id, 3, view('WAITING'))).toBe(true);
    expect(await state.operations.record(id, 2, view('RUNNING'))).toBe(false);
    expect(await state.operations.record(id, 3, view('RUNNING'))).toBe(false);
    expect(await state.transaction((stores) => stores.operations.end(id, view('ROLLED_BACK')))).toBe(true);
    expect(await state.operations.record(id, 9, view('RUNNING'))).toBe(false);
    expect(await state.transaction((stores) => stores.operations.end(id, view('FAILED')))).toBe(false);
    expect(await state.operations.get(id)).toMatchObject({ state: 'ROLLED_BACK', revision: 4 });
  });

  it('a success holds its pins until undo is over, any other end frees them', async () => {
    const snapshotId = await addSnapshot(workload.id);
    const first = await insert(operationInput(workload.id, { snapshotId }));
    await state.operations.begin(first, 'run', 1, view('RUNNING'));
    const until = new Date(now + 1_000).toISOString();
    await state.transaction((stores) =>
      stores.operations.end(first, view('SUCCEEDED', { undo: { until, snapshotId } })),
    );
    expect(await state.transaction((stores) => stores.snapshots.delete(snapshotId))).toEqual({ heldBy: first });
    now += 1_001;
    expect(await state.snapshots.pins(snapshotId)).toEqual([]);
    const second = await insert(operationInput(workload.id, { snapshotId }));
    expect(await state.snapshots.pins(snapshotId)).toHaveLength(1);
    await state.transaction((stores) =>
      stores.operations.end(
        second,
        view('FAILED', { error: errorView('ARCHIVE_DAMAGED', { entry: 'x', why: 'y' }, '') }),
      ),
    );
    expect(await state.transaction((stores) => stores.snapshots.delete(snapshotId))).toBeNull();
    expect(await state.snapshots.get(snapshotId)).toBeNull();
  });

  it('what an operation leaves CREATING is FAILED when it ends', async () => {
    const input = operationInput(workload.id, { kind: 'snapshot', snapshotId: randomUUID() });
    const id = await insert({ ...input, snapshotId: null });
    const snapshotId = randomUUID();
    await state.snapshots.insert({
      id: snapshotId,
      workloadId: workload.id,
      kind: 'manual',
      note: 'n',
      quiesce: 'stop',
      codec: 'gzip',
      operationId: id,
      expiresAt: null,
    });
    await state.transaction((stores) => stores.operations.expire(id));
    expect(await state.snapshots.get(snapshotId)).toMatchObject({ state: 'FAILED', error: { code: 'SUBMIT_EXPIRED' } });
  });

  it('lists newest first in pages, by workload, kind and state', async () => {
    const ids: string[] = [];
    for (let index = 0; index < 5; index += 1) {
      now += 1;
      ids.unshift(await insert(operationInput(workload.id, { kind: index % 2 ? 'deploy' : 'restore' })));
    }
    const first = await state.operations.list({ workloadId: workload.id }, null, 2);
    const last = first.items[1];
    const rest = await state.operations.list(
      { workloadId: workload.id },
      last ? { key: last.createdAt, id: last.id } : null,
      10,
    );
    expect([...first.items, ...rest.items].map((row) => row.id)).toEqual(ids);
    expect(first.nextCursor).not.toBeNull();
    expect(rest.nextCursor).toBeNull();
    expect((await state.operations.list({ kinds: ['deploy'] }, null, 10)).items).toHaveLength(2);
    expect((await state.operations.list({ states: ['FAILED'] }, null, 10)).items).toHaveLength(0);
    expect((await state.operations.list({ states: ['FAILED'], includeOpen: true }, null, 10)).items).toHaveLength(5);
  });

  it('stores a history compressed and gives it back', async () => {
    const id = await insert(operationInput(workload.id));
    await state.operations.storeHistory(id, '{"events":[]}');
    expect(await state.operations.history(id)).toBe('{"events":[]}');
    expect(await state.operations.history(randomUUID())).toBeNull();
  });
});

describe('idempotency', () => {
  const scope = { principal: 'u', method: 'POST', path: '/p', key: 'k' };
  const claim = (fingerprint = 'f', on: State = state) =>
    on.transaction((stores) => stores.idempotency.claim(scope, fingerprint, 1_000));

  it('one of many claims runs, in two processes', async () => {
    const second = await open();
    const claims = await Promise.all([claim(), claim('f', second), claim(), claim('f', second)]);
    expect(claims.map((each) => each.outcome).sort()).toEqual(['run', 'running', 'running', 'running']);
    await second.close();
  });

  it('answers the same, refuses another body, forgets after 48 h', async () => {
    await claim();
    await state.idempotency.store(scope, { status: 202, headers: { location: '/x' }, body: '{}' });
    expect(await claim()).toEqual({
      outcome: 'answer',
      answer: { status: 202, headers: { location: '/x' }, body: '{}' },
    });
    expect(await claim('other')).toEqual({ outcome: 'mismatch' });
    now += 48 * 3_600_000 + 1;
    expect(await claim('other')).toEqual({ outcome: 'run', operationId: null });
  });

  it('a dead run is taken over with the operation it had inserted', async () => {
    await claim();
    await state.idempotency.attachOperation(scope, 'op');
    expect(await claim()).toEqual({ outcome: 'running' });
    now += 1_001;
    expect(await claim()).toEqual({ outcome: 'run', operationId: 'op' });
    expect(await claim()).toEqual({ outcome: 'running' });
    await state.idempotency.drop(scope);
    expect(await claim('other')).toEqual({ outcome: 'run', operationId: null });
  });
});
