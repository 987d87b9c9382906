import { expect, it } from '@jest/globals';
import type { OperationView, StepView } from '@tiny-forge/workflows';
import { recoveredView } from './recovered-view.ts';

const at = '2026-01-01T00:01:00.000Z';
const step = (name: string, state: StepView['state']): StepView => ({
  name,
  state,
  startedAt: null,
  endedAt: null,
  attempts: 1,
  maxAttempts: 3,
  detail: null,
});
const was: OperationView = {
  state: 'RUNNING',
  steps: [
    step('extract', 'DONE'),
    step('stop', 'DONE'),
    step('preRestoreSnapshot', 'DONE'),
    step('swap', 'DONE'),
    step('redeploy', 'RUNNING'),
    step('finish', 'PENDING'),
  ],
  situation: { app: 'stopped', data: 'restored', since: '2026-01-01T00:00:00.000Z' },
  downtime: { from: '2026-01-01T00:00:00.000Z', to: null },
  pastDecision: true,
  hadEffect: true,
};
const states = (view: OperationView): readonly string[] => view.steps.map(({ state }) => state);

it('ends a recovered restore that went on', () => {
  const view = recoveredView(was, { operationId: 'o', state: 'SUCCEEDED', app: 'running', data: 'restored' }, at);
  expect(states(view)).toEqual(['DONE', 'DONE', 'DONE', 'DONE', 'DONE', 'DONE']);
  expect(view).toMatchObject({ state: 'SUCCEEDED', downtime: { to: at }, situation: { app: 'running', since: at } });
  expect(view.error).toBeUndefined();
});

it('ends one that went back: what was done is undone, the safety snapshot stays', () => {
  const error = { code: 'RECOVERED', params: { operationId: 'r' }, detail: 'd' };
  const view = recoveredView(
    was,
    { operationId: 'o', state: 'ROLLED_BACK', app: 'running', data: 'current', error },
    at,
  );
  expect(states(view)).toEqual(['UNDONE', 'UNDONE', 'DONE', 'UNDONE', 'FAILED', 'PENDING']);
  expect(view.error).toMatchObject({ code: 'RECOVERED' });
});
