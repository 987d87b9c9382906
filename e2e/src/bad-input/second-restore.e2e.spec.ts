import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { isEnded, workflowIds, type Problem } from '@tiny-forge/contracts/domain';
import type { Answer } from '../harness/http-client.ts';
import { Stack } from '../harness/stack.ts';
import { TestWorkload, type Accepted } from '../harness/test-workload.ts';
import { expectRestored } from '../harness/untouched.ts';
import { sleep } from '../harness/waiting.ts';

// An app that is deaf to SIGTERM keeps the restore in `stop` for as long as its time-out says.
const SLOW_TO_STOP = { env: { IGNORE_TERM: '1' }, stopTimeoutSeconds: 4 };

describe('bad input: a second restore at once', () => {
  let stack: Stack;
  /** A second server process on the same data, with role `api`. */
  let second: Stack;
  let app: TestWorkload;
  let snapshotId: string;

  beforeAll(async () => {
    stack = await Stack.start();
    second = await Stack.make({ role: 'api', beside: stack });
    second.launch();
    await second.ready();
    ({ app, snapshotId } = await TestWorkload.withSnapshot(stack, SLOW_TO_STOP));
  });
  afterAll(async () => {
    await second.stop();
    await stack.destroy();
    await second.destroy();
  });

  const submit = (port: number): Promise<Answer<Accepted & Problem>> =>
    stack.api.at(port).post(`${app.path}/snapshots/${snapshotId}/restore`, undefined, {
      headers: { 'x-confirm-restore': snapshotId },
      timeoutMs: 60_000,
    });

  const counted = (answers: readonly Answer<Accepted & Problem>[]): Record<string, number> => {
    const counts: Record<string, number> = {};
    for (const answer of answers) {
      const said =
        answer.status === 202 ? '' : answer.body.code === 'OPERATION_IN_PROGRESS' ? answer.body.code : answer.text;
      const key = `${answer.status} ${said}`.trim();
      counts[key] = (counts[key] ?? 0) + 1;
    }
    return counts;
  };

  /** Resolves at the first moment at which the operation reads as ended. */
  async function ended(operationId: string): Promise<void> {
    for (let left = 6_000; left > 0; left--) {
      if (isEnded((await stack.operation(operationId)).state)) return;
      await sleep(10);
    }
    throw new Error(`${operationId} does not end`);
  }

  it('of 100 parallel ones through two processes 1 is accepted and 99 are refused; right after its end the next is accepted', async () => {
    const answers = await Promise.all(
      Array.from({ length: 100 }, (_, i) => submit(i % 2 === 0 ? stack.port : second.port)),
    );
    expect(counted(answers)).toEqual({ '202': 1, '409 OPERATION_IN_PROGRESS': 99 });
    const accepted = answers.find((answer) => answer.status === 202)?.body.operationId ?? '';
    expect(new Set(answers.map((answer) => answer.body.operationId))).toEqual(new Set([accepted]));

    await ended(accepted);
    const next = await submit(second.port);
    expect(next.status).toBe(202);
    await ended(next.body.operationId);
    expect((await stack.operation(accepted)).state).toBe('SUCCEEDED');
    expect((await stack.operation(next.body.operationId)).state).toBe('SUCCEEDED');
    await expectRestored(app);
  });

  it('the same with the server killed and started again in between', async () => {
    const first = await submit(stack.port);
    expect(first.status).toBe(202);
    await stack.until(first.body.operationId, 'stops the app', (operation) => operation.steps[2]?.state === 'RUNNING');
    await stack.kill();
    await stack.up();
    const answers = await Promise.all(
      Array.from({ length: 100 }, (_, i) => submit(i % 2 === 0 ? stack.port : second.port)),
    );
    expect(counted(answers)).toEqual({ '409 OPERATION_IN_PROGRESS': 100 });
    await stack.until(first.body.operationId);
    const next = await submit(stack.port);
    expect(next.status).toBe(202);
    await ended(next.body.operationId);
    expect((await stack.operation(first.body.operationId)).state).toBe('SUCCEEDED');
    expect((await stack.operation(next.body.operationId)).state).toBe('SUCCEEDED');
    await expectRestored(app);
  });

  it('with the lane terminated in Temporal while a restore runs, the second waits or is refused', async () => {
    const first = await submit(stack.port);
    expect(first.status).toBe(202);
    await stack.until(first.body.operationId, 'stops the app', (operation) => operation.steps[2]?.state === 'RUNNING');
    await stack.temporal.terminate(workflowIds.lane(stack.installation, app.id));
    const answer = await submit(second.port);
    expect([202, 409]).toContain(answer.status);
    const deploy = await stack.api.post<Accepted>(`${app.path}/deploy`);
    expect(deploy.status).toBe(202);

    const one = await stack.until(first.body.operationId);
    expect(one.state).toBe('SUCCEEDED');
    const later = [...(answer.status === 202 ? [answer.body.operationId] : []), deploy.body.operationId];
    for (const operationId of later) {
      const operation = await stack.until(operationId);
      expect(operation.state).toBe('SUCCEEDED');
      const began = operation.steps[0]?.startedAt ?? '';
      expect(Date.parse(began)).toBeGreaterThanOrEqual(Date.parse(one.endedAt ?? ''));
    }
    await expectRestored(app);
  });
});
