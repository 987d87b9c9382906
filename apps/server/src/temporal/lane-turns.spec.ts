import { describe, expect, it } from '@jest/globals';
import type { OperationKind } from '@tiny-forge/contracts/domain';
import type { OperationInput, SubmitAnswer } from '@tiny-forge/workflows';
import { LaneTurns } from './lane-turns.ts';

const input = (operationId: string, kind: OperationKind = 'restore', recovers?: string): OperationInput => ({
  installation: 'i',
  operationId,
  kind,
  workloadId: 'w',
  hostId: 'h',
  snapshotId: null,
  requestedBy: 'admin',
  operatorWaitSeconds: 0,
  options: recovers === undefined ? {} : { recovers },
});
const accepted: SubmitAnswer = { workflowId: 'x', position: 0, queuedBehind: null };

describe('turns at a lane', () => {
  it('answers restores that waited with the one that was accepted, and asks for all else', async () => {
    const turns = new LaneTurns();
    const asked: string[] = [];
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    const call = (id: string) => async () => {
      asked.push(id);
      await held;
      return id === '0'
        ? accepted
        : { refused: 'OPERATION_IN_PROGRESS', details: { operationId: '0', kind: 'restore' } };
    };
    const restores = Array.from({ length: 20 }, (_, index) => turns.run(input(String(index)), call(String(index))));
    const deploy = turns.run(input('deploy', 'deploy'), call('deploy'));
    const recover = turns.run(input('recover', 'recover', '0'), call('recover'));
    release();
    const answers = await Promise.all(restores);
    await Promise.all([deploy, recover]);
    expect(answers[0]).toBe(accepted);
    for (const answer of answers.slice(1)) {
      expect(answer).toEqual({ refused: 'OPERATION_IN_PROGRESS', details: { operationId: '0', kind: 'restore' } });
    }
    expect(asked).toEqual(['0', '1', '2', '3', 'deploy', 'recover']);
  });

  it('goes on after a call that failed', async () => {
    const turns = new LaneTurns();
    const failing = Array.from({ length: 6 }, (_, index) =>
      turns.run(input(String(index), 'deploy'), async () => Promise.reject(new Error('away'))).catch(() => 'failed'),
    );
    expect(await Promise.all(failing)).toEqual(Array.from({ length: 6 }, () => 'failed'));
    expect(await turns.run(input('next', 'deploy'), async () => accepted)).toBe(accepted);
  });
});
