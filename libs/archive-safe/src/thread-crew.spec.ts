import { execFile } from 'node:child_process';
import { readdirSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, afterEach, describe, expect, test } from '@jest/globals';
import { createArchive, extractVolumes, measureTree, removeTree, verifyArchive } from './index.ts';
import { emptyDir, listTree, openDescriptors, scratch } from './testing/trees.ts';
import { endRestingThreads, startThreads, useThreads, type Crew, type Thread } from './thread-crew.ts';

const { dir: base, done } = scratch();
const one: Crew = { count: 1, where: 'workers' };
const threads = (): number => readdirSync('/proc/self/task').length;
const only = ([thread]: Thread[]): Thread => thread as Thread;

afterEach(async () => void (await endRestingThreads()));
afterAll(done);

describe('threads between two operations', () => {
  test('are taken again: a dozen of operations runs on three, and what comes out is the same', async () => {
    const tree = emptyDir(base, 'tree');
    for (let i = 0; i < 20; i++) writeFileSync(path.join(tree, `f${i}`), `content ${i}`);
    const key = Buffer.alloc(32, 7);
    const sums = new Set<string>();
    await measureTree(tree);
    await endRestingThreads();
    const before = threads();
    const open = openDescriptors();
    for (let round = 0; round < 3; round++) {
      const file = path.join(base, `archive-${round}`);
      const volumes = [{ index: 0, root: tree, links: 2 as const }];
      sums.add((await createArchive({ file, key, manifest: {}, volumes })).sha256);
      await verifyArchive(file, { key, depth: 'content' });
      const dir = emptyDir(base, 'out');
      await extractVolumes({ file, key, targets: [{ index: 0, dir }] });
      expect(listTree(dir)).toEqual(listTree(tree));
      await removeTree(dir);
      expect(threads()).toBeLessThanOrEqual(before + 3);
    }
    expect(sums.size).toBe(1);
    expect(openDescriptors()).toEqual(open);
    expect(await endRestingThreads()).toBeLessThanOrEqual(3);
    expect(threads()).toBe(before);
  });

  test('know nothing of the operation before', async () => {
    const work = async (thread: Thread): Promise<void> => {
      await expect(thread.call('scanNotes', [])).rejects.toThrow(/not set up/);
      await thread.call('scanOpen', [[]]);
      await thread.call('scanNotes', []);
    };
    await useThreads(startThreads(one), undefined, (crew) => work(only(crew)));
    const again = startThreads(one);
    expect(await endRestingThreads()).toBe(0);
    await useThreads(again, undefined, (crew) => work(only(crew)));
  });

  test('cannot be reached by the operation that gave them back, even where the next one has them', async () => {
    const first = only(startThreads(one));
    await first.rest();
    const next = only(startThreads(one));
    await expect(first.call('scanOpen', [[]])).rejects.toMatchObject({ code: 'CANCELLED' });
    await first.end();
    await first.rest();
    await next.call('scanOpen', [[]]);
    await next.rest();
    expect(await endRestingThreads()).toBe(1);
  });

  test.each([
    ['failed', async () => Promise.reject(new Error('failed'))],
    ['was aborted', async (_thread: Thread, stop: AbortController) => stop.abort()],
  ])('are not kept of one that %s', async (_what, work) => {
    const stop = new AbortController();
    await expect(useThreads(startThreads(one), stop.signal, (crew) => work(only(crew), stop))).rejects.toThrow();
    expect(await endRestingThreads()).toBe(0);
  });

  test('are not kept while a call of theirs still runs', async () => {
    const thread = only(startThreads(one));
    const call = thread.call('measure', [base, '0', 2, []]);
    await Promise.all([thread.rest(), expect(call).rejects.toMatchObject({ code: 'CANCELLED' })]);
    expect(await endRestingThreads()).toBe(0);
  });

  test('that have made way for others have their priority again, or are not kept', async () => {
    const lowered = (): number[] =>
      readdirSync('/proc/self/task')
        .map((id) => os.getPriority(Number(id)))
        .filter((priority) => priority === os.constants.priority.PRIORITY_LOW);
    await useThreads(startThreads(one), undefined, async (crew) => {
      await only(crew).call('makeWay', []);
      expect(lowered()).toHaveLength(1);
    });
    expect(lowered()).toEqual([]);
    expect(await endRestingThreads()).toBe(process.getuid?.() === 0 ? 1 : 0);
  });

  test('do not keep the process alive', async () => {
    const entry = pathToFileURL(path.join(import.meta.dirname, 'index.ts')).href;
    const script = path.join(base, 'script.mjs');
    writeFileSync(script, `await (await import('${entry}')).measureTree('${base}'); console.log('measured');`);
    const run = promisify(execFile)(process.execPath, ['--conditions=tiny-forge-source', script], { timeout: 25_000 });
    expect((await run).stdout).toBe('measured\n');
  });
});
