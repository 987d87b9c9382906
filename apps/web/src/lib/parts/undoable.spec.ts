import { expect, it } from '@jest/globals';
import type { Snapshot } from '@tiny-forge/contracts/domain';
import { undoneBy } from './undoable.ts';

const safety = {
  kind: 'pre-restore',
  state: 'READY',
  operationId: 'restore',
  pins: [
    { operationId: 'other', reason: 'undo-restore' },
    { operationId: 'restore', reason: 'undo' },
  ],
} as unknown as Snapshot;

it('a safety snapshot undoes the restore that took it, while that holds it for an undo', () => {
  expect(undoneBy(safety)).toBe('restore');
});

it.each<[string, Partial<Snapshot>]>([
  ['one that is only restored by somebody', { pins: [{ operationId: 'other', reason: 'undo' }] }],
  ['one whose restore still runs', { pins: [{ operationId: 'restore', reason: 'safety' }] }],
  ['one past its time', { pins: [] }],
  ['one that failed', { state: 'FAILED' }],
  ['what a person took', { kind: 'manual' }],
])('not %s', (_what, over) => {
  expect(undoneBy({ ...safety, ...over })).toBeNull();
});
