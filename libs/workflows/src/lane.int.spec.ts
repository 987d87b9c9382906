import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { bundleWorkflows } from '../testing/bundle.ts';
import { Lab } from '../testing/lab.ts';
import { ownFailure, untilCancelled } from '../testing/scripted-activities.ts';
import { startTemporal } from '../testing/temporal-dev-server.ts';

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

/** A restore that stays in `extract` until it is aborted. */
async function busy(workloadId: string): Promise<string> {
  const input = lab.input(workloadId);
  lab.activities.scripts.set(input.operationId, { extract: untilCancelled });
  await lab.submit(input);
  await lab.until(input.operationId, 'RUNNING');
  await lab.eventually(
    () => lab.row(input.operationId).views.at(-1)?.steps[1]?.state === 'RUNNING' || null,
    () => 'extract never ran',
  );
  return input.operationId;
}

describe('one restore at a time', () => {
  it('accepts 1 of 100 at once and names it to the other 99', async () => {
    const running = lab.input('w-hundred');
    lab.activities.scripts.set(running.operationId, { extract: untilCancelled });
    const inputs = [running, ...Array.from({ length: 99 }, () => lab.input('w-hundred'))];
    for (const input of inputs) lab.activities.scripts.set(input.operationId, { extract: untilCancelled });
    const answers = await Promise.all(inputs.map((input) => lab.submit(input, { notAfterMs: 60_000 })));
    const accepted = inputs.filter((_, index) => 'workflowId' in (answers[index] as object));
    expect(accepted).toHaveLength(1);
    const [winner] = accepted;
    const refused = answers.filter((answer) => 'refused' in answer);
    expect(refused).toHaveLength(99);
    for (const answer of refused) {
      expect(answer).toEqual({
        refused: 'OPERATION_IN_PROGRESS',
        details: { operationId: winner?.operationId, kind: 'restore' },
      });
    }
    await lab.until(winner?.operationId ?? '', 'RUNNING');
    await lab.eventually(
      async () => ((await lab.abort(winner?.operationId ?? '')) === null ? true : null),
      () => 'no abort',
    );
    await lab.untilEnded(winner?.operationId ?? '');
    const next = lab.input('w-hundred');
    await lab.eventually(
      async () => ('workflowId' in (await lab.submit(next)) ? true : null),
      () => 'the lane did not let go',
    );
    await lab.untilEnded(next.operationId);
  }, 90_000);

  it('refuses what comes after its deadline', async () => {
    const input = lab.input('w-late');
    expect(await lab.submit(input, { notAfterMs: -1 })).toMatchObject({ refused: 'SUBMIT_EXPIRED' });
    expect(lab.row(input.operationId).begins).toBe(0);
  });

  it('answers the same operation twice with its place', async () => {
    const first = await busy('w-twice');
    const input = lab.input('w-twice', 'deploy');
    const answer = await lab.submit(input);
    expect(answer).toMatchObject({ position: 1, queuedBehind: first });
    expect(await lab.submit(input, { notAfterMs: -1 })).toEqual(answer);
    await lab.abort(first);
    await lab.untilEnded(input.operationId);
    expect(lab.row(input.operationId).begins).toBe(1);
  });
});

describe('the queue', () => {
  it('runs deploy and snapshot behind a restore, in order', async () => {
    const restore = await busy('w-queue');
    const deploy = lab.input('w-queue', 'deploy');
    const snapshot = lab.input('w-queue', 'snapshot');
    expect(await lab.submit(deploy)).toMatchObject({ position: 1, queuedBehind: restore });
    expect(await lab.submit(snapshot)).toMatchObject({ position: 2, queuedBehind: deploy.operationId });
    expect(lab.row(deploy.operationId).begins).toBe(0);
    lab.activities.effects.length = 0;
    await lab.abort(restore);
    await lab.untilEnded(snapshot.operationId);
    expect(lab.activities.effects).toEqual(['dropStaging', 'close', 'deploy', 'capture']);
  });

  it('goes on after an operation that failed', async () => {
    const failing = lab.input('w-after-failure', 'deploy');
    lab.activities.scripts.set(failing.operationId, { deploy: async () => Promise.reject(ownFailure('APP_EXITED')) });
    const next = lab.input('w-after-failure', 'snapshot');
    await lab.submit(failing);
    await lab.submit(next);
    await lab.untilEnded(next.operationId);
    expect(lab.row(next.operationId).state).toBe('SUCCEEDED');
  });

  it('takes an aborted one out and writes its outcome', async () => {
    const restore = await busy('w-abort-queued');
    const deploy = lab.input('w-abort-queued', 'deploy');
    await lab.submit(deploy);
    expect(await lab.abortQueued('w-abort-queued', deploy.operationId)).toBe('aborted');
    expect(lab.row(deploy.operationId)).toMatchObject({ state: 'CANCELLED', ended: true });
    expect(await lab.abortQueued('w-abort-queued', deploy.operationId)).toBe('not-queued');
    await lab.abort(restore);
    await lab.untilEnded(restore);
    expect(lab.row(deploy.operationId).begins).toBe(0);
  });

  it('refuses the one that is too many', async () => {
    const restore = await busy('w-full');
    for (let i = 0; i < 20; i += 1) await lab.submit(lab.input('w-full', 'snapshot'));
    expect(await lab.submit(lab.input('w-full', 'snapshot'))).toEqual({ refused: 'LANE_FULL', details: { limit: 20 } });
    await lab.laneHandle('w-full').terminate('end of the test');
    await lab.abort(restore);
  });

  it('cancels what waits behind a delete', async () => {
    const restore = await busy('w-delete');
    const removal = lab.input('w-delete', 'delete');
    const deploy = lab.input('w-delete', 'deploy');
    await lab.submit(removal);
    await lab.submit(deploy);
    await lab.abort(restore);
    await lab.untilEnded(deploy.operationId);
    expect(lab.row(removal.operationId).state).toBe('SUCCEEDED');
    expect(lab.row(deploy.operationId)).toMatchObject({ state: 'CANCELLED', begins: 0 });
  });
});

describe('a lane that was terminated', () => {
  it('refuses a second restore while the first still runs, then starts none before it has ended', async () => {
    const first = await busy('w-terminated');
    await lab.laneHandle('w-terminated').terminate('as an operator might');
    const open = [{ operationId: first, kind: 'restore' }];
    expect(await lab.submit(lab.input('w-terminated'), { open })).toEqual({
      refused: 'OPERATION_IN_PROGRESS',
      details: { operationId: first, kind: 'restore' },
    });
    const deploy = lab.input('w-terminated', 'deploy');
    expect(await lab.submit(deploy, { open })).toMatchObject({ position: 1, queuedBehind: first });
    expect(lab.row(deploy.operationId).begins).toBe(0);
    lab.activities.effects.length = 0;
    await lab.abort(first);
    await lab.untilEnded(deploy.operationId);
    expect(lab.activities.effects).toEqual(['dropStaging', 'close', 'deploy']);
  });

  it('attaches to an operation that runs already', async () => {
    const first = await busy('w-attach');
    await lab.laneHandle('w-attach').terminate('as an operator might');
    const again = lab.input('w-attach', 'restore', { operationId: first });
    const deploy = lab.input('w-attach', 'deploy');
    await lab.submit(again);
    await lab.submit(deploy);
    await lab.abort(first);
    await lab.untilEnded(deploy.operationId);
    expect(lab.row(first).begins).toBe(1);
  });
});

it('ends when idle and is started anew by the next submit', async () => {
  const first = lab.input('w-idle', 'snapshot');
  await lab.submit(first, { timings: { laneIdleMs: 100 } });
  await lab.untilEnded(first.operationId);
  await lab.laneHandle('w-idle').result();
  const second = lab.input('w-idle', 'snapshot');
  await lab.submit(second);
  await lab.untilEnded(second.operationId);
  expect(lab.row(second.operationId).state).toBe('SUCCEEDED');
});
