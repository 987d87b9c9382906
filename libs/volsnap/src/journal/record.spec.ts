import { describe, expect, it } from '@jest/globals';
import { isStoredRecord } from './record.ts';

const envelope = {
  v: 1,
  seq: 6,
  tx: 'abc',
  epoch: 0,
  operationId: 'op',
  workloadId: 'wl',
  at: '2026-01-01T00:00:00.000Z',
};
const identity = { fileSystem: 'uuid:f', inode: '2', birthTimeNs: '1' };
/** As servers wrote it that knew of no swap inside a mount point. */
const plain = {
  index: 0,
  target: '/data',
  parent: '/srv',
  livePath: '/srv/data',
  oldPath: '/srv/.data.restore-abc.old',
  old: identity,
  stagingPath: '/srv/.data.restore-abc-1.new',
  staging: identity,
};
const root = { mode: 0o755, uid: 0, gid: 0, modifiedNs: '1700000000000000000' };
const inner = {
  root: identity,
  oldEntries: [{ name: 'token', inode: '12', birthTimeNs: '1' }],
  newEntries: [],
  oldRoot: root,
  newRoot: root,
};
const reads = (volume: object): boolean => isStoredRecord({ ...envelope, type: 'COMMIT', volumes: [volume] });

describe('a COMMIT', () => {
  it('of before the swap inside a mount point is read as it was, and one with it too', () => {
    expect([reads(plain), reads({ ...plain, inner })]).toEqual([true, true]);
  });

  it.each([
    ['a name that is none', { ...inner, oldEntries: [{ ...inner.oldEntries[0], name: 1 }] }],
    ['an entry without identity', { ...inner, newEntries: [{ name: 'token' }] }],
    ['no root', { ...inner, root: null }],
    ['a time that is no number', { ...inner, oldRoot: { ...root, modifiedNs: 'now' } }],
    ['nothing of what it is to hold', {}],
  ])('with %s is none', (_, broken) => expect(reads({ ...plain, inner: broken })).toBe(false));
});
