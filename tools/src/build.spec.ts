import fs from 'node:fs';
import path from 'node:path';
import { expect, it } from '@jest/globals';
import { recordingTerminal } from '../testing/fake-machine.ts';
import { temporaryFolders } from '../testing/temporary.ts';
import { ensureBuilt, type RunBuild } from './build.ts';
import { isProvisionError } from './provision-error.ts';

const temporaryFolder = temporaryFolders();

function checkout() {
  const root = temporaryFolder();
  const write = (file: string, text: string): void => {
    fs.mkdirSync(path.dirname(path.join(root, file)), { recursive: true });
    fs.writeFileSync(path.join(root, file), text);
  };
  write('package.json', JSON.stringify({ workspaces: ['libs/*', 'tools'] }));
  write('package-lock.json', '{}');
  write('libs/one/package.json', JSON.stringify({ name: 'one', scripts: { build: 'tsc' } }));
  write('libs/one/src/index.ts', 'export {};');
  write('tools/package.json', JSON.stringify({ name: 'tools', scripts: { test: 'jest' } }));
  const runs: number[] = [];
  const run: RunBuild = async () => {
    runs.push(runs.length);
    write('libs/one/dist/index.js', '');
    return { code: 0, stdout: '', stderr: '' };
  };
  return { root, write, runs, build: () => ensureBuilt(root, recordingTerminal(), undefined, run) };
}

it('builds once, then not even asks', async () => {
  const { build, runs } = checkout();
  await build();
  await build();
  expect(runs).toHaveLength(1);
});

it.each<[string, (write: (file: string, text: string) => void, root: string) => void, boolean]>([
  ['a changed source', (write) => write('libs/one/src/index.ts', 'export const a = 1;'), true],
  ['a new source', (write) => write('libs/one/src/new.ts', ''), true],
  ['a removed source', (_write, root) => fs.rmSync(path.join(root, 'libs/one/src/index.ts')), true],
  ['another lockfile', (write) => write('package-lock.json', '{ }'), true],
  ['a lost output', (_write, root) => fs.rmSync(path.join(root, 'libs/one/dist'), { recursive: true }), true],
  ['a test report', (write) => write('libs/one/reports/jest.json', '{}'), false],
  ['a project that is not built', (write) => write('tools/src/x.ts', ''), false],
])('%s', async (_name, change, builds) => {
  const { root, write, build, runs } = checkout();
  await build();
  change(write, root);
  await build();
  expect(runs).toHaveLength(builds ? 2 : 1);
});

it('fails with what the compiler said, and builds again the next time', async () => {
  const { root, build, runs } = checkout();
  const broken: RunBuild = async () => ({ code: 1, stdout: 'src/index.ts(1,1): error TS1005', stderr: '' });
  const error: unknown = await ensureBuilt(root, recordingTerminal(), undefined, broken).catch(
    (reason: unknown) => reason,
  );
  if (!isProvisionError(error)) throw new Error('expected a ProvisionError');
  expect(error.code).toBe('BUILD_FAILED');
  expect(error.failure.log).toEqual(['src/index.ts(1,1): error TS1005']);
  await build();
  expect(runs).toHaveLength(1);
});
