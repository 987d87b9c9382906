import { afterAll, expect, test } from '@jest/globals';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { loadOrCreateKey } from './index.ts';
import { scratch } from './testing/trees.ts';

const { dir, done } = scratch();
afterAll(done);

test('made once, 0600, the same for everybody who asks at once', async () => {
  const file = path.join(dir, 'archive');
  const keys = await Promise.all(Array.from({ length: 8 }, () => loadOrCreateKey(file)));
  expect(new Set(keys.map((key) => key.toString('hex'))).size).toBe(1);
  expect(keys[0]).toHaveLength(32);
  expect(keys[0]).not.toEqual(Buffer.alloc(32));
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(readdirSync(dir)).toEqual(['archive']);
  expect(await loadOrCreateKey(file)).toEqual(keys[0]);
});

test('a key of another length is refused and stays', async () => {
  const file = path.join(dir, 'short');
  writeFileSync(file, 'short');
  await expect(loadOrCreateKey(file)).rejects.toMatchObject({ code: 'IO_ERROR', params: { rule: 'KEY' } });
  expect(readFileSync(file, 'utf8')).toBe('short');
});
