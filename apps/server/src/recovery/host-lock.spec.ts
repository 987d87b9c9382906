import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { acquireHostLock } from './host-lock.ts';

let dataDir: string;
const children: ChildProcess[] = [];

beforeEach(() => {
  dataDir = mkdtempSync(path.join(tmpdir(), 'tf-lock-'));
});

afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  rmSync(dataDir, { recursive: true, force: true });
});

const codeOf = (work: () => unknown): { code?: string; params?: Record<string, unknown> } => {
  try {
    work();
    return {};
  } catch (error) {
    return error as { code: string };
  }
};

/** Another process that takes the lock and lives on. */
async function otherProcess(): Promise<ChildProcess> {
  const lock = new URL('host-lock.ts', import.meta.url).href;
  const program = `const { acquireHostLock } = await import(${JSON.stringify(lock)});
    acquireHostLock(${JSON.stringify(dataDir)}, new Date('2026-01-02T03:04:05.000Z'));
    console.log('locked'); setInterval(() => {}, 1000);`;
  const args = ['--conditions=tiny-forge-source', '--input-type=module', '-e', program];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  await once(child.stdout as NodeJS.ReadableStream, 'data');
  return child;
}

it('refuses a second process, naming the first', async () => {
  const first = await otherProcess();
  const { code, params } = codeOf(() => acquireHostLock(dataDir, new Date()));
  expect(code).toBe('DATA_DIR_IN_USE');
  expect(params).toEqual({ path: dataDir, pid: first.pid, since: '2026-01-02T03:04:05.000Z' });
}, 30_000);

it('is free when the process is gone, by SIGKILL too', async () => {
  const first = await otherProcess();
  first.kill('SIGKILL');
  await once(first, 'exit');
  const lock = acquireHostLock(dataDir, new Date());
  lock.release();
  acquireHostLock(dataDir, new Date()).release();
}, 30_000);

it('says what is wrong with a folder that cannot be used', () => {
  const file = path.join(dataDir, 'file');
  writeFileSync(file, '');
  expect(codeOf(() => acquireHostLock(file, new Date())).code).toBe('DATA_DIR_UNUSABLE');
});
