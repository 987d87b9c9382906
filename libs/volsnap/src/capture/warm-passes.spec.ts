import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { ForgeError } from '@tiny-forge/contracts/domain';
import type { WarmPass } from '../ports/archive-port.ts';
import { NodeFsPort } from '../ports/node-fs-port.ts';
import { sweepUnfinished, WarmPasses } from './warm-passes.ts';

const fs = new NodeFsPort();
let dir: string;
let warnings: unknown[];
let passes: WarmPasses;
let discarded: number;
const pass: WarmPass = { discard: () => Promise.resolve(void discarded++) };
const never = new AbortController().signal;

beforeEach(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'tf-warm-'));
  warnings = [];
  discarded = 0;
  passes = new WarmPasses(fs, {
    info: () => undefined,
    error: () => undefined,
    warn: (what: object) => void warnings.push(what),
  });
});
afterEach(() => rm(dir, { recursive: true, force: true }));

it('is made once, over what an earlier process left, and used once', async () => {
  await writeFile(path.join(dir, 'a.new.partial'), 'left');
  await passes.make('a', path.join(dir, 'a'), never, () => Promise.resolve(pass));
  await passes.make('a', path.join(dir, 'a'), never, () => Promise.reject(new Error('made twice')));
  expect(await readdir(dir)).toEqual([]);
  expect(passes.take('a')).toBe(pass);
  expect(passes.take('a')).toBeNull();
  await passes.drop('a');
  expect([discarded, warnings]).toEqual([0, []]);
});

it('that fails is a warning; one that was to end ends', async () => {
  const file = path.join(dir, 'a');
  const fails = () => Promise.reject(Object.assign(new Error('no space left'), { code: 'ENOSPC' }));
  await passes.make('a', file, never, fails);
  expect(passes.take('a')).toBeNull();
  expect(warnings).toHaveLength(1);
  await expect(passes.make('a', file, AbortSignal.abort(), fails)).rejects.toMatchObject({ code: 'CANCELLED' });
});

it.each([
  ['an entry that the disk does not give', { entry: '0/file', errno: 'EIO' }, true],
  ['a damaged directory', { entry: '0/d', errno: 'EUCLEAN' }, true],
  ['an archive that cannot be written', { errno: 'EIO' }, false],
  ['an entry of which too many are open', { entry: '0/file', errno: 'EMFILE' }, false],
])('ends a capture, or is but a warning: %s', async (_what, found, ends) => {
  const params = { call: 'read', path: 'p', why: 'w', ...found };
  const fails = () => Promise.reject(new ForgeError({ code: 'IO_ERROR', params }));
  const made = passes.make('a', path.join(dir, 'a'), never, fails);
  if (ends) await expect(made).rejects.toMatchObject({ code: 'IO_ERROR', params });
  else await made;
  expect(warnings).toHaveLength(ends ? 0 : 1);
});

it('that is not wanted any more is discarded', async () => {
  await passes.make('a', path.join(dir, 'a'), never, () => Promise.resolve(pass));
  await passes.drop('a');
  await passes.drop('a');
  expect(discarded).toBe(1);
});

it('unfinished archives go, finished ones and everything else stay', async () => {
  const pauses = path.join(dir, 'pauses');
  expect(await sweepUnfinished(fs, path.join(dir, 'none'), pauses)).toBe(0);
  await mkdir(path.join(dir, 'w'));
  const names = [
    '1.json',
    '1.tar.zst',
    '2.tar.zst.new',
    '2.tar.zst.new.partial',
    '3.tar.gz.new.partial',
    '4.json.tmp',
    'x.partial',
  ];
  for (const name of names) await writeFile(path.join(dir, 'w', name), '');
  await mkdir(pauses);
  for (const name of ['5.json', '6.json.tmp']) await writeFile(path.join(pauses, name), '');
  expect(await sweepUnfinished(fs, dir, pauses)).toBe(5);
  expect((await readdir(pauses)).sort()).toEqual(['5.json']);
  expect((await readdir(path.join(dir, 'w'))).sort()).toEqual(['1.json', '1.tar.zst', 'x.partial']);
});
