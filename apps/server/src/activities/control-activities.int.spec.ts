import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Client } from '@temporalio/client';
import { pino } from 'pino';
import type { OperationView } from '@tiny-forge/workflows';
import { OperationsLab } from '../../testing/operations-lab.ts';
import { systemClock } from '../state/index.ts';
import { controlActivities } from './control-activities.ts';

let lab: OperationsLab;
let activities: ReturnType<typeof controlActivities>;
const context = { signal: new AbortController().signal, onProgress: () => undefined };

beforeEach(async () => {
  lab = new OperationsLab('127.0.0.1:1');
  await lab.open();
  activities = controlActivities({
    state: lab.state,
    clock: systemClock,
    client: {} as Client,
    log: pino({ level: 'silent' }),
    installation: lab.installation,
  });
});

afterEach(async () => {
  await lab.close();
});

const running = async (operationId: string): Promise<OperationView> => {
  const row = await lab.row(operationId);
  return { ...(row?.view as OperationView), state: 'RUNNING' };
};
const begin = async (operationId: string, runId = 'run-1') =>
  (await activities.begin({ operationId, runId, seq: 1, view: await running(operationId) }, context)).outcome;

describe('begin', () => {
  it('moves an accepted row, also long after its deadline, and again for the same run only', async () => {
    const { operationId } = await lab.request(await lab.workload());
    await lab.state.operations.accept(operationId, null);
    await lab.state.operations.renewDeadline(operationId, '2020-01-01T00:00:00.000Z');
    expect(await begin(operationId)).toBe('begun');
    expect(await begin(operationId)).toBe('begun');
    expect(await begin(operationId, 'run-2')).toBe('refused');
    expect((await lab.row(operationId))?.state).toBe('RUNNING');
  });

  it('refuses what was never accepted and has expired, for good', async () => {
    const { operationId } = await lab.request(await lab.workload());
    await lab.state.operations.renewDeadline(operationId, '2020-01-01T00:00:00.000Z');
    expect(await begin(operationId)).toBe('refused');
    expect(await lab.row(operationId)).toMatchObject({
      state: 'CANCELLED',
      view: { error: { code: 'SUBMIT_EXPIRED' } },
    });
    expect(await lab.state.operations.accept(operationId, null)).toBe(false);
  });
});

describe('record and end', () => {
  it('apply only what is newer, and nothing after the end', async () => {
    const { operationId } = await lab.request(await lab.workload());
    await begin(operationId);
    const view = await running(operationId);
    await activities.record({ operationId, seq: 5, view: { ...view, pastDecision: true } }, context);
    await activities.record({ operationId, seq: 4, view }, context);
    expect((await lab.row(operationId))?.view.pastDecision).toBe(true);
    await activities.end({ operationId, seq: 6, runId: 'run-1', view: { ...view, state: 'SUCCEEDED' } }, context);
    await activities.record({ operationId, seq: 7, view }, context);
    await activities.end({ operationId, seq: 8, runId: 'run-1', view: { ...view, state: 'FAILED' } }, context);
    const row = await lab.row(operationId);
    expect(row?.state).toBe('SUCCEEDED');
    expect(row?.endedAt).not.toBeNull();
    const ends = (await lab.state.audit.list(10)).filter((entry) => entry.verb === 'restore:end');
    expect(ends.map((entry) => entry.outcome)).toEqual(['SUCCEEDED']);
  });

  it('keeps NEEDS_OPERATOR open, until a recovery ends it together with itself', async () => {
    const workloadId = await lab.workload();
    const { operationId } = await lab.request(workloadId);
    await begin(operationId);
    const view = await running(operationId);
    await activities.end({ operationId, seq: 9, runId: 'run-1', view: { ...view, state: 'NEEDS_OPERATOR' } }, context);
    expect(await lab.row(operationId)).toMatchObject({ state: 'NEEDS_OPERATOR', endedAt: null });
    const recover = await lab.request(workloadId, 'recover', { options: { recovers: operationId } });
    await begin(recover.operationId);
    await activities.end(
      {
        operationId: recover.operationId,
        seq: 2,
        runId: 'run-1',
        view: { ...(await running(recover.operationId)), state: 'SUCCEEDED' },
        recovered: { operationId, state: 'ROLLED_BACK', app: 'running', data: 'current' },
      },
      context,
    );
    expect((await lab.row(operationId))?.state).toBe('ROLLED_BACK');
    expect((await lab.row(recover.operationId))?.state).toBe('SUCCEEDED');
    expect(await lab.state.operations.open(workloadId)).toEqual([]);
  });
});

it('ends what never begins, but not what has begun', async () => {
  const workloadId = await lab.workload();
  const queued = await lab.request(workloadId, 'deploy');
  const begun = await lab.request(workloadId, 'snapshot');
  await begin(begun.operationId);
  for (const { operationId } of [queued, begun]) {
    await activities.endUnbegun(
      { operationId, state: 'CANCELLED', error: { code: 'ABORTED', params: { who: 'admin' } } },
      context,
    );
  }
  expect(await lab.row(queued.operationId)).toMatchObject({ state: 'CANCELLED', view: { error: { code: 'ABORTED' } } });
  expect((await lab.row(begun.operationId))?.state).toBe('RUNNING');
});
