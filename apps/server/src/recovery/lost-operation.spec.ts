import { expect, it } from '@jest/globals';
import type { TransactionStatus } from '@tiny-forge/volsnap';
import { queuedView, type OperationRecord } from '../state/index.ts';
import { viewOfLost } from './lost-operation.ts';

const at = '2026-01-01T00:01:00.000Z';
const row = {
  id: 'op',
  kind: 'restore',
  view: { ...queuedView('restore', { app: 'stopped', data: 'staged', since: at }), state: 'RUNNING' },
} as unknown as OperationRecord;
const tree = { index: 0, target: '/data', livePath: '/v/data', path: '/v/.data.restore-tx.old', parent: '/v' };
const journal = (over: Partial<TransactionStatus>): TransactionStatus =>
  ({ record: 'CLOSED', before: 'running-healthy', done: true, kept: null, ...over }) as TransactionStatus;

it('a restore whose end was lost, but not its journal, has succeeded and tells the old trees that it keeps', () => {
  const kept = { txId: 'tx', operationId: 'op', workloadId: 'w', keptUntil: at, trees: [tree] };
  expect(viewOfLost(row, journal({ kept }), at)).toMatchObject({
    state: 'SUCCEEDED',
    situation: { app: 'running', data: 'restored' },
    kept: { until: at, trees: [{ target: '/data', livePath: '/v/data', path: '/v/.data.restore-tx.old' }] },
  });
  expect(viewOfLost(row, journal({ kept }), at).kept?.trees[0]).not.toHaveProperty('parent');
  expect(viewOfLost(row, journal({}), at)).not.toHaveProperty('kept');
});

it('one that was taken back, or never had a journal, keeps none', () => {
  expect(viewOfLost(row, journal({ done: false }), at)).toMatchObject({ state: 'ROLLED_BACK' });
  const none = viewOfLost(row, null, at);
  expect([none.state, none.error?.code, none.kept]).toEqual(['FAILED', 'LOST_BY_TEMPORAL', undefined]);
});
