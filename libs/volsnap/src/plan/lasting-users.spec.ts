import { expect, it } from '@jest/globals';
import type { DirectoryUser } from './host-facts.ts';
import { lastingUsers } from './lasting-users.ts';

const user = (name: string, more: Partial<DirectoryUser> = {}): DirectoryUser => ({
  name,
  path: '/data',
  running: true,
  watchesWholeHost: false,
  ...more,
});

/** Answers one look after the other; the last one again and again. */
const looking = (...answers: DirectoryUser[][]): { look: () => Promise<DirectoryUser[]>; count: () => number } => {
  let looks = 0;
  return {
    look: async () => answers[Math.min(looks++, answers.length - 1)] as DirectoryUser[],
    count: () => looks,
  };
};

it('one look is enough where nobody stands in the way', async () => {
  const watcher = user('watcher', { watchesWholeHost: true });
  const { look, count } = looking([watcher, user('created', { running: false })]);
  expect(await lastingUsers(look)).toHaveLength(2);
  expect(count()).toBe(1);
});

it('one that is gone at the next look is none', async () => {
  const { look, count } = looking([user('process 7 (sh)')], []);
  expect(await lastingUsers(look)).toEqual([]);
  expect(count()).toBe(2);
});

it('one that stays is told after six looks', async () => {
  const { look, count } = looking([user('other app')]);
  expect(await lastingUsers(look)).toEqual([user('other app')]);
  expect(count()).toBe(6);
});

it('another one at each look keeps it looking, and none of them counts for the next', async () => {
  const passing = Array.from({ length: 9 }, (_, n) => [user(`process ${n} (sh)`)]);
  const { look, count } = looking(...passing, []);
  expect(await lastingUsers(look)).toEqual([]);
  expect(count()).toBe(10);
});

it('one that came late is looked at as long as one that was there at first', async () => {
  const { look, count } = looking([user('process 1 (sh)')], [user('process 2 (sh)')], [user('other app')]);
  expect(await lastingUsers(look)).toEqual([user('other app')]);
  expect(count()).toBe(8);
});

it('gives up looking after 5 s, and tells who is there then', async () => {
  const passing = Array.from({ length: 40 }, (_, n) => [user(`process ${n} (sh)`)]);
  const { look, count } = looking(...passing);
  expect(await lastingUsers(look)).toEqual([user('process 20 (sh)')]);
  expect(count()).toBe(21);
});
