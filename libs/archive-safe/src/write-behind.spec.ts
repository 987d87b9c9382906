import { afterAll, afterEach, expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { openDirectory, closeReadOnly } from './directory-handle.ts';
import { emptyDir, openDescriptors, scratch, shell } from './testing/trees.ts';
import { WriteBehind } from './write-behind.ts';

const { dir: base, done } = scratch();
const searchPath = process.env['PATH'] as string;
const mebibyte = 1 << 20;
afterEach(() => {
  process.env['PATH'] = searchPath;
});
afterAll(done);

function syncThat(name: string, script: string): string {
  const bin = emptyDir(base, name);
  shell(bin, `printf '%s\\n' '#!/bin/sh' '${script}' > sync; chmod 755 sync`);
  process.env['PATH'] = `${bin}:${searchPath}`;
  return bin;
}

async function withRoots(
  signal: AbortSignal,
  work: (behind: WriteBehind) => Promise<void>,
  dirs: string[] = [base, base],
): Promise<void> {
  const before = openDescriptors();
  const roots = dirs.map((dir) => openDirectory(dir));
  const behind = new WriteBehind(roots, signal);
  try {
    await work(behind);
  } finally {
    await behind.stop();
    for (const root of roots) closeReadOnly(root);
  }
  expect(openDescriptors()).toEqual(before);
}

const never = new AbortController().signal;

test('writes back every 256 MiB, one sync for a file system and at a time', async () => {
  const bin = syncThat('counts', `echo "$1 $(readlink /proc/self/fd/3)" >> "$(dirname "$0")/calls"; sleep 0.2`);
  await withRoots(never, async (behind) => {
    for (const reached of [1, 255, 256, 300, 900]) behind.reached(reached * mebibyte);
    await behind.finish();
    for (const reached of [901, 1200, 1300]) behind.reached(reached * mebibyte);
    await behind.finish();
  });
  expect(readFileSync(path.join(bin, 'calls'), 'utf8')).toBe(`-f ${base}\n`.repeat(2));
});

test('an error of writing back is the error of the extraction: the kernel tells it once', async () => {
  syncThat('fails', 'exit 1');
  await withRoots(never, async (behind) => {
    behind.reached(300 * mebibyte);
    await expect(behind.finish()).rejects.toMatchObject({ code: 'EIO' });
  });
});

test('without the program the sync at the end has it all to do', async () => {
  process.env['PATH'] = path.join(base, 'nowhere');
  await withRoots(never, async (behind) => {
    behind.reached(300 * mebibyte);
    await behind.finish();
  });
});

test('a sync that hangs ends with the extraction', async () => {
  syncThat('hangs', 'exec sleep 1000');
  const stop = new AbortController();
  const reason = new Error('stopped');
  await withRoots(stop.signal, async (behind) => {
    behind.reached(300 * mebibyte);
    setTimeout(() => stop.abort(reason), 200);
    await expect(behind.finish()).rejects.toBe(reason);
  });
});
