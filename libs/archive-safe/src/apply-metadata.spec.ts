import { afterAll, afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import fs from 'node:fs';
import path from 'node:path';
import { scratch } from './testing/trees.ts';

const calls: string[] = [];
/** The real calls, counted. */
const counted = Object.fromEntries(
  (['fchmodSync', 'fchownSync', 'fstatSync', 'futimesSync'] as const).map((name) => [
    name,
    (...args: unknown[]): unknown => {
      calls.push(name);
      return (fs[name] as (...args: unknown[]) => unknown)(...args);
    },
  ]),
);
jest.unstable_mockModule('node:fs', () => ({ ...fs, default: fs, ...counted }));
const { applyMetadata } = await import('./apply-metadata.ts');

const { dir, done } = scratch();
afterAll(done);

const uid = process.geteuid?.() ?? 0;
const gid = process.getegid?.() ?? 0;
const entry = { path: '0/f', type: 'file', mode: 0o640, uid, gid, mtimeSec: 1_790_000_000, size: 0, link: '' } as const;
const rules = { notes: { add: (): void => undefined }, modes: 0o7777, owner: 'archive' } as const;

let fd = -1;
let number = 0;
beforeEach(() => {
  fd = fs.openSync(path.join(dir, `f${number++}`), 'wx', 0o640);
  calls.length = 0;
});
afterEach(() => fs.closeSync(fd));

test.each([0, 1, 1000, 500_000_000, 123_456_789, 999_999_999])(
  'a file that was made as it is to be costs two calls (mtime .%d)',
  (mtimeNs) => {
    applyMetadata(fd, { ...entry, mtimeNs }, rules, 0o640);
    expect(calls).toEqual(['futimesSync', 'fstatSync']);
  },
);

test('one that was not made so is set whole and read back', () => {
  fs.fchmodSync(fd, 0o600);
  applyMetadata(fd, { ...entry, mtimeNs: 0 }, rules, 0o640);
  expect(calls).toEqual(['futimesSync', 'fstatSync', 'fchownSync', 'fchmodSync', 'futimesSync', 'fstatSync']);
  expect(fs.fstatSync(fd).mode & 0o7777).toBe(0o640);
});

test('a setuid bit is never in the mode a file is made with', () => {
  applyMetadata(fd, { ...entry, mode: 0o4640, mtimeNs: 0 }, rules, 0o640);
  expect(fs.fstatSync(fd).mode & 0o7777).toBe(0o4640);
});
