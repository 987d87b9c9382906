import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { bundleWorkflows } from '../testing/bundle.ts';
import { Lab } from '../testing/lab.ts';
import { FINISHED_KEEPING, KEPT, ownFailure, untilCancelled } from '../testing/scripted-activities.ts';
import { startTemporal } from '../testing/temporal-dev-server.ts';
import type { OperationInput, OperationView } from './index.ts';

let env: TestWorkflowEnvironment;
let lab: Lab;

beforeAll(async () => {
  const bundle = await bundleWorkflows();
  env = await startTemporal();
  lab = new Lab(env);
  await lab.start(bundle);
}, 60_000);

afterAll(async () => {
  await lab?.stop();
  await env?.teardown();
});

const last = (operationId: string): OperationView => lab.row(operationId).views.at(-1) as OperationView;
const stepStates = (view: OperationView): Record<string, string> =>
  Object.fromEntries(view.steps.map((step) => [step.name, step.state]));

async function run(input: OperationInput): Promise<{ state: string; effects: string[]; view: OperationView }> {
  lab.activities.effects.length = 0;
  await lab.submit(input);
  await lab.untilEnded(input.operationId);
  return {
    state: lab.row(input.operationId).state,
    effects: [...lab.activities.effects],
    view: last(input.operationId),
  };
}

const FORWARD = ['preflight', 'extract', 'stop', 'preRestoreSnapshot', 'swap', 'redeploy', 'finish'];

describe('restore', () => {
  it('walks its steps in order and keeps the whole view', async () => {
    const { state, effects, view } = await run(lab.input('w-success'));
    expect(state).toBe('SUCCEEDED');
    expect(effects).toEqual(FORWARD);
    expect(view.steps.map((step) => step.state)).toEqual(FORWARD.map(() => 'DONE'));
    expect(view.situation).toMatchObject({ app: 'running', data: 'restored' });
    expect(view.undo).toEqual({ until: '2026-01-08T00:00:00.000Z', snapshotId: 's' });
    expect(view.downtime?.to).not.toBeNull();
    expect(view.error).toBeUndefined();
  });

  it.each([
    ['preflight', 'FAILED', ['preflight']],
    ['extract', 'FAILED', ['preflight', 'extract', 'dropStaging', 'close']],
    ['stop', 'ROLLED_BACK', ['preflight', 'extract', 'stop', 'resume', 'dropStaging', 'close']],
    [
      'preRestoreSnapshot',
      'ROLLED_BACK',
      ['preflight', 'extract', 'stop', 'preRestoreSnapshot', 'resume', 'dropStaging', 'close'],
    ],
    ['swap', 'ROLLED_BACK', [...FORWARD.slice(0, 5), 'swapBack', 'resume', 'dropStaging', 'close']],
    ['redeploy', 'ROLLED_BACK', [...FORWARD.slice(0, 6), 'removeNew', 'swapBack', 'resume', 'dropStaging', 'close']],
    ['finish', 'ROLLED_BACK', [...FORWARD, 'removeNew', 'swapBack', 'resume', 'dropStaging', 'close']],
  ] as const)('undoes last in, first out when %s fails', async (step, outcome, expected) => {
    const input = lab.input(`w-fail-${step}`);
    lab.activities.scripts.set(input.operationId, { [step]: async () => Promise.reject(ownFailure('STOP_TIMEOUT')) });
    const { state, effects, view } = await run(input);
    expect(effects).toEqual(expected);
    expect(state).toBe(outcome);
    expect(view.error).toMatchObject({ code: 'STOP_TIMEOUT' });
    expect(view.hadEffect).toBe(outcome === 'ROLLED_BACK');
    expect(stepStates(view)[step]).toBe('FAILED');
    expect(view.situation).toMatchObject({ app: 'running', data: 'current' });
  });

  it('tries an own error of a retryable kind three times', async () => {
    const input = lab.input('w-retryable');
    lab.activities.scripts.set(input.operationId, {
      extract: async (_id, call) => (call < 3 ? Promise.reject(ownFailure('IO_ERROR')) : undefined),
    });
    const { state, effects, view } = await run(input);
    expect(state).toBe('SUCCEEDED');
    expect(effects.filter((name) => name === 'extract')).toHaveLength(3);
    expect(view.steps[1]).toMatchObject({ state: 'DONE', attempts: 3, maxAttempts: 3 });
  });

  it('sits out an outage from stop on', async () => {
    const input = lab.input('w-outage');
    lab.activities.scripts.set(input.operationId, {
      stop: async (_id, call) => (call < 5 ? Promise.reject(ownFailure('DOCKER_AWAY')) : undefined),
    });
    expect((await run(input)).state).toBe('SUCCEEDED');
  });

  it('waits for a person and goes on after retry-step', async () => {
    const input = lab.input('w-retry', 'restore', { operatorWaitSeconds: 30 });
    lab.activities.scripts.set(input.operationId, {
      redeploy: async (_id, call) => (call === 1 ? Promise.reject(ownFailure('APP_UNHEALTHY')) : undefined),
    });
    await lab.submit(input);
    const row = await lab.until(input.operationId, 'WAITING');
    const view = row.views.at(-1) as OperationView;
    expect(view.waitingUntil).toBeDefined();
    expect(view.error?.code).toBe('APP_UNHEALTHY');
    await lab.retry(input.operationId);
    await lab.untilEnded(input.operationId);
    expect(lab.row(input.operationId).state).toBe('SUCCEEDED');
    expect(last(input.operationId).waitingUntil).toBeUndefined();
  });

  it('takes keep-old-tree with retry-step where the safety snapshot waits, and tells what is kept instead of an undo', async () => {
    const input = lab.input('w-keep', 'restore', { operatorWaitSeconds: 30 });
    const wishes: unknown[] = [];
    lab.activities.scripts.set(input.operationId, {
      preRestoreSnapshot: async (_id, _call, { safety }) => {
        wishes.push(safety);
        return safety === 'keep-old-tree' ? KEPT : Promise.reject(ownFailure('SAFETY_SNAPSHOT_FAILED'));
      },
      finish: async () => FINISHED_KEEPING,
    });
    await lab.submit(input);
    await lab.until(input.operationId, 'WAITING');
    expect(await lab.retry(input.operationId)).toBeNull();
    await lab.eventually(
      () => (wishes.length === 6 ? lab.until(input.operationId, 'WAITING') : null),
      () => `${wishes.length} attempts`,
    );
    expect(await lab.retry(input.operationId, { safety: 'keep-old-tree' })).toBeNull();
    await lab.untilEnded(input.operationId);
    expect(wishes).toEqual([...Array<undefined>(6).fill(undefined), 'keep-old-tree']);
    const view = last(input.operationId);
    expect(view).toMatchObject({ state: 'SUCCEEDED', kept: FINISHED_KEEPING.kept });
    expect(view.undo).toBeUndefined();
    expect(view.steps[3]).toMatchObject({ state: 'DONE', detail: expect.stringContaining('No snapshot') });
  });

  it('asked for keep-old-tree from the start, hands it to preflight and to the step', async () => {
    const input = lab.input('w-keep-asked', 'restore', { options: { safety: 'keep-old-tree' } });
    const wishes: unknown[] = [];
    lab.activities.scripts.set(input.operationId, {
      preflight: async (_id, _call, { safety }) => void wishes.push(safety),
      preRestoreSnapshot: async (_id, _call, { safety }) => {
        wishes.push(safety);
        return KEPT;
      },
      finish: async () => FINISHED_KEEPING,
    });
    expect((await run(input)).state).toBe('SUCCEEDED');
    expect(wishes).toEqual(['keep-old-tree', 'keep-old-tree']);
  });

  it('believes what the journal answers, not what was asked for', async () => {
    const input = lab.input('w-keep-too-late', 'restore', { options: { safety: 'keep-old-tree' } });
    const { state, view } = await run(input);
    expect(state).toBe('SUCCEEDED');
    expect([view.undo, view.kept]).toEqual([{ until: '2026-01-08T00:00:00.000Z', snapshotId: 's' }, undefined]);
  });

  it('refuses keep-old-tree where another step waits, which goes on waiting', async () => {
    const input = lab.input('w-keep-elsewhere', 'restore', { operatorWaitSeconds: 30 });
    lab.activities.scripts.set(input.operationId, {
      redeploy: async (_id, call) => (call === 1 ? Promise.reject(ownFailure('APP_UNHEALTHY')) : undefined),
    });
    await lab.submit(input);
    await lab.until(input.operationId, 'WAITING');
    expect(await lab.retry(input.operationId, { safety: 'keep-old-tree' })).toBe('SAFETY_NOT_SUPPORTED');
    expect(lab.row(input.operationId).state).toBe('WAITING');
    expect(await lab.retry(input.operationId)).toBeNull();
    await lab.untilEnded(input.operationId);
    expect(lab.row(input.operationId).state).toBe('SUCCEEDED');
  });

  it('tells what is kept even where only the garbage of finish failed', async () => {
    const input = lab.input('w-keep-garbage');
    lab.activities.scripts.set(input.operationId, {
      preRestoreSnapshot: async () => KEPT,
      finish: async () => Promise.reject(ownFailure('STOP_TIMEOUT', { done: true, kept: FINISHED_KEEPING.kept })),
    });
    const { state, view } = await run(input);
    expect([state, view.kept]).toEqual(['SUCCEEDED', FINISHED_KEEPING.kept]);
  });

  it('swaps back when aborted in WAITING after the swap', async () => {
    const input = lab.input('w-abort-waiting', 'restore', { operatorWaitSeconds: 30 });
    lab.activities.scripts.set(input.operationId, {
      redeploy: async () => Promise.reject(ownFailure('APP_UNHEALTHY')),
    });
    await lab.submit(input);
    await lab.until(input.operationId, 'WAITING');
    expect(await lab.abort(input.operationId)).toBeNull();
    await lab.untilEnded(input.operationId);
    expect(lab.row(input.operationId).state).toBe('ROLLED_BACK');
    expect(stepStates(last(input.operationId))).toMatchObject({ swap: 'UNDONE', redeploy: 'FAILED', stop: 'UNDONE' });
  });

  it('is undone when nobody decides in time', async () => {
    const input = lab.input('w-wait-ended', 'restore', { operatorWaitSeconds: 1 });
    lab.activities.scripts.set(input.operationId, { stop: async () => Promise.reject(ownFailure('STOP_TIMEOUT')) });
    const { state, view } = await run(input);
    expect(state).toBe('ROLLED_BACK');
    expect(view.error?.code).toBe('STOP_TIMEOUT');
  });

  it('is cancelled without a trace when aborted before the first effect', async () => {
    const input = lab.input('w-abort-extract');
    lab.activities.scripts.set(input.operationId, { extract: untilCancelled });
    await lab.submit(input);
    await lab.eventually(
      () => lab.row(input.operationId).views.at(-1)?.steps[1]?.state === 'RUNNING' || null,
      () => 'extract never ran',
    );
    lab.activities.effects.length = 0;
    expect(await lab.abort(input.operationId)).toBeNull();
    await lab.untilEnded(input.operationId);
    expect(lab.row(input.operationId).state).toBe('CANCELLED');
    expect(lab.activities.effects).toEqual(['dropStaging', 'close']);
    expect(last(input.operationId).error?.code).toBe('ABORTED');
    expect(await lab.abort(input.operationId).catch(() => 'closed')).not.toBeNull();
  });

  it('refuses abort once swap is scheduled', async () => {
    const input = lab.input('w-past-decision');
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    lab.activities.scripts.set(input.operationId, { swap: () => held });
    await lab.submit(input);
    await lab.eventually(
      () => (lab.row(input.operationId).views.at(-1)?.pastDecision ? true : null),
      () => 'swap was never scheduled',
    );
    expect(await lab.abort(input.operationId)).toBe('PAST_DECISION');
    release();
    await lab.untilEnded(input.operationId);
    expect(lab.row(input.operationId).state).toBe('SUCCEEDED');
  });

  it('leaves a stopped app stopped', async () => {
    const input = lab.input('w-stopped-before');
    lab.activities.scripts.set(input.operationId, {
      stop: async () => ({ before: 'stopped', stoppedAt: '2026-01-01T00:00:00.000Z' }),
    });
    const { state, effects, view } = await run(input);
    expect(state).toBe('SUCCEEDED');
    expect(effects).not.toContain('redeploy');
    expect(stepStates(view)['redeploy']).toBe('SKIPPED');
    expect(view.situation.app).toBe('stopped');
    expect(view.downtime).toBeUndefined();
  });

  it('goes back without asking when the journal forbids the step', async () => {
    const input = lab.input('w-tx-state', 'restore', { operatorWaitSeconds: 60 });
    lab.activities.scripts.set(input.operationId, { swap: async () => Promise.reject(ownFailure('TX_ROLLED_BACK')) });
    expect((await run(input)).state).toBe('ROLLED_BACK');
  });

  it('ends the chain at the first undo that fails and starts nothing', async () => {
    const input = lab.input('w-undo-fails');
    lab.activities.scripts.set(input.operationId, {
      redeploy: async () => Promise.reject(ownFailure('APP_UNHEALTHY')),
      swapBack: async () => Promise.reject(ownFailure('ROLLBACK_FAILED', { params: { target: '/data', why: 'EIO' } })),
    });
    const { state, effects, view } = await run(input);
    expect(state).toBe('NEEDS_OPERATOR');
    expect(effects.slice(-3)).toEqual(['removeNew', 'swapBack', 'needsOperator']);
    expect(effects).not.toContain('resume');
    expect(view.error?.code).toBe('ROLLBACK_FAILED');
    expect(view.situation).toMatchObject({ app: 'stopped', data: 'unclear' });
    expect(view.operatorGuide).toBeDefined();
    expect(lab.row(input.operationId).ended).toBe(false);
  });

  it('does nothing when its row will not begin', async () => {
    const input = lab.input('w-refused');
    lab.activities.refuse.add(input.operationId);
    lab.activities.effects.length = 0;
    await lab.submit(input);
    expect(
      await lab.eventually(
        () =>
          lab
            .handle(input.operationId)
            .result()
            .catch(() => null),
        () => 'open',
      ),
    ).toEqual({
      state: 'CANCELLED',
    });
    expect(lab.activities.effects).toEqual([]);
  });

  it('treats a cancellation through Temporal as an abort', async () => {
    const input = lab.input('w-cancelled-outside');
    lab.activities.scripts.set(input.operationId, { extract: untilCancelled });
    await lab.submit(input);
    await lab.eventually(
      () => lab.row(input.operationId).views.at(-1)?.steps[1]?.state === 'RUNNING' || null,
      () => 'extract never ran',
    );
    await lab.handle(input.operationId).cancel();
    await lab.untilEnded(input.operationId);
    expect(lab.row(input.operationId).state).toBe('CANCELLED');
  });
});

describe('other kinds', () => {
  it.each([
    ['deploy', ['deploy']],
    ['stop', ['stopApp']],
    ['start', ['startApp']],
    ['snapshot', ['capture']],
    ['delete', ['deleteWorkload']],
  ] as const)('%s runs its one step', async (kind, expected) => {
    const { state, effects } = await run(lab.input(`w-kind-${kind}`, kind));
    expect(state).toBe('SUCCEEDED');
    expect(effects).toEqual(expected);
  });

  it('takes a failed deploy back', async () => {
    const input = lab.input('w-deploy-fails', 'deploy');
    lab.activities.scripts.set(input.operationId, { deploy: async () => Promise.reject(ownFailure('APP_EXITED')) });
    const { state, effects } = await run(input);
    expect(effects).toEqual(['deploy', 'undoDeploy']);
    expect(state).toBe('ROLLED_BACK');
  });

  it('fails a kind that is not built', async () => {
    expect((await run(lab.input('w-kind-promote', 'promote'))).state).toBe('FAILED');
  });
});

describe('recover', () => {
  it.each([
    ['STAGED', ['dropStaging', 'close'], 'FAILED'],
    ['SAFE', ['removeNew', 'swapBack', 'resume', 'dropStaging', 'close'], 'ROLLED_BACK'],
    ['SWAPPED', ['swap', 'redeploy', 'finish'], 'SUCCEEDED'],
    ['ROLLED_BACK', ['removeNew', 'swapBack', 'resume', 'dropStaging', 'close'], 'ROLLED_BACK'],
    ['DONE', ['finish'], 'SUCCEEDED'],
    ['OPERATOR', [], 'NEEDS_OPERATOR'],
  ] as const)('finishes a journal at %s', async (record, expected, outcome) => {
    lab.activities.recoverStatus = { ...lab.activities.recoverStatus, record };
    const recovers = `lost-${record}`;
    const { effects } = await run(lab.input(`w-recover-${record}`, 'recover', { options: { recovers } }));
    expect(effects).toEqual(['recoverStatus', ...expected]);
    expect(lab.activities.recovered.at(-1)).toEqual({ operationId: recovers, state: outcome });
  });

  it.each(['SWAPPED', 'DONE'] as const)('from %s tells the recovered operation what it keeps', async (record) => {
    lab.activities.recoverStatus = { ...lab.activities.recoverStatus, record };
    const recovers = `lost-keeping-${record}`;
    const input = lab.input(`w-recover-keeping-${record}`, 'recover', { options: { recovers } });
    lab.activities.scripts.set(input.operationId, { finish: async () => FINISHED_KEEPING });
    await run(input);
    expect(lab.activities.recovered.at(-1)).toEqual({
      operationId: recovers,
      state: 'SUCCEEDED',
      kept: FINISHED_KEEPING.kept,
    });
  });

  it('goes back when the new app does not become healthy', async () => {
    lab.activities.recoverStatus = { ...lab.activities.recoverStatus, record: 'SWAPPED' };
    const input = lab.input('w-recover-unhealthy', 'recover', { options: { recovers: 'lost-unhealthy' } });
    lab.activities.scripts.set(input.operationId, { redeploy: async () => Promise.reject(ownFailure('APP_EXITED')) });
    const { state } = await run(input);
    expect(state).toBe('SUCCEEDED');
    expect(lab.activities.recovered.at(-1)).toEqual({ operationId: 'lost-unhealthy', state: 'ROLLED_BACK' });
  });
});
