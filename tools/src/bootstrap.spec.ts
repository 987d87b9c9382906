import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from '@jest/globals';
import {
  BootstrapError,
  duration,
  ensureInstalled,
  installFingerprint,
  isAtLeast,
  isInstalled,
  lockfileDifferences,
} from '../bootstrap.mjs';
import { temporaryFolders } from '../testing/temporary.ts';

const temporaryFolder = temporaryFolders();

const quiet = (): void => undefined;
const lock = (packages: Record<string, object>): string => JSON.stringify({ lockfileVersion: 3, packages });
const onePackage = lock({ '': { name: 'x' }, 'node_modules/a': { version: '1.0.0', integrity: 'sha512-a' } });

function checkout(): string {
  const root = temporaryFolder();
  fs.writeFileSync(
    path.join(root, 'package.json'),
    JSON.stringify({ name: 'x', workspaces: ['libs/*', 'tools'], dependencies: { a: '1.0.0' } }),
  );
  fs.mkdirSync(path.join(root, 'libs', 'one'), { recursive: true });
  fs.writeFileSync(path.join(root, 'libs', 'one', 'package.json'), JSON.stringify({ name: 'one' }));
  fs.writeFileSync(path.join(root, 'package-lock.json'), onePackage);
  return root;
}

/** An npm that installs a Node and then does `also`. */
function fakeNpm(root: string, also: () => void = () => undefined, code = 0) {
  const calls: string[][] = [];
  const npm = async (args: string[]) => {
    calls.push(args);
    const bin = path.join(root, 'node_modules', '.bin');
    fs.mkdirSync(bin, { recursive: true });
    fs.rmSync(path.join(bin, 'node'), { force: true });
    fs.symlinkSync(process.execPath, path.join(bin, 'node'));
    also();
    return { code, output: 'npm error 404 Not Found' };
  };
  return { npm, calls };
}

const failureOf = async (work: Promise<unknown>): Promise<BootstrapError> => {
  const error = await work.then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(BootstrapError);
  return error as BootstrapError;
};

describe('isAtLeast', () => {
  it.each([
    ['v20.19.0', [20, 19], true],
    ['v20.18.9', [20, 19], false],
    ['v24.21.0', [24, 21], true],
    ['v24.3.0', [24, 21], false],
    ['1.26.8', [1, 25], true],
    ['1.9', [1, 25], false],
  ])('%s against %j: %s', (version, wanted, expected) => {
    expect(isAtLeast(version, wanted)).toBe(expected);
  });
});

describe('ensureInstalled', () => {
  it('runs npm install once; the second time there is nothing to do', async () => {
    const root = checkout();
    const { npm, calls } = fakeNpm(root);
    await ensureInstalled(root, npm, quiet);
    await ensureInstalled(root, npm, quiet);
    expect(calls).toHaveLength(1);
    expect(calls[0]?.[0]).toBe('install');
    expect(isInstalled(root)).toBe(true);
  });

  it('installs again when a dependency, a lockfile or a workspace changes, not when a script does', async () => {
    const root = checkout();
    const { npm, calls } = fakeNpm(root);
    await ensureInstalled(root, npm, quiet);
    const manifest = path.join(root, 'libs', 'one', 'package.json');
    fs.writeFileSync(manifest, JSON.stringify({ name: 'one', scripts: { build: 'true' } }));
    await ensureInstalled(root, npm, quiet);
    expect(calls).toHaveLength(1);
    fs.writeFileSync(manifest, JSON.stringify({ name: 'one', dependencies: { b: '1.0.0' } }));
    await ensureInstalled(root, npm, quiet);
    expect(calls).toHaveLength(2);
    fs.mkdirSync(path.join(root, 'tools'));
    fs.writeFileSync(path.join(root, 'tools', 'package.json'), JSON.stringify({ name: 'tools' }));
    expect(isInstalled(root)).toBe(false);
  });

  it('installs again when the installed Node is gone', async () => {
    const root = checkout();
    const { npm, calls } = fakeNpm(root);
    await ensureInstalled(root, npm, quiet);
    fs.rmSync(path.join(root, 'node_modules', '.bin'), { recursive: true });
    await ensureInstalled(root, npm, quiet);
    expect(calls).toHaveLength(2);
  });

  it('refuses a lockfile that npm changed, names the package and puts the file back', async () => {
    const root = checkout();
    const changed = onePackage.replace('1.0.0', '1.0.1');
    const { npm } = fakeNpm(root, () => {
      fs.mkdirSync(path.join(root, 'node_modules', 'a'), { recursive: true });
      fs.writeFileSync(path.join(root, 'package-lock.json'), changed);
    });
    const { missing } = await failureOf(ensureInstalled(root, npm, quiet));
    expect(missing.why).toContain('a 1.0.0 became 1.0.1');
    expect(fs.readFileSync(path.join(root, 'package-lock.json'), 'utf8')).toBe(onePackage);
    expect(isInstalled(root)).toBe(false);
  });

  it('puts back a lockfile that npm only wrote differently, and goes on', async () => {
    const root = checkout();
    const { npm } = fakeNpm(root, () => {
      const same = lock({
        '': { name: 'x' },
        'node_modules/a': { version: '1.0.0', integrity: 'sha512-a', libc: ['glibc'] },
      });
      fs.writeFileSync(path.join(root, 'package-lock.json'), same);
    });
    await ensureInstalled(root, npm, quiet);
    expect(fs.readFileSync(path.join(root, 'package-lock.json'), 'utf8')).toBe(onePackage);
  });

  it('fails with the command when npm fails, and tries again the next time', async () => {
    const root = checkout();
    const { missing } = await failureOf(ensureInstalled(root, fakeNpm(root, undefined, 1).npm, quiet));
    expect(missing.command).toMatch(/^npm install /);
    expect(isInstalled(root)).toBe(false);
  });

  it('names the lockfile when it is not there', async () => {
    const root = checkout();
    fs.rmSync(path.join(root, 'package-lock.json'));
    const { missing } = await failureOf(ensureInstalled(root, fakeNpm(root).npm, quiet));
    expect(missing).toMatchObject({ missing: 'package-lock.json', command: 'git checkout package-lock.json' });
  });

  it('runs one install at a time and takes over the lock of a dead one', async () => {
    const root = checkout();
    fs.mkdirSync(path.join(root, '.nx'));
    fs.writeFileSync(path.join(root, '.nx', 'install.lock'), '4194304');
    let now = 0;
    let most = 0;
    const slow = async () => {
      most = Math.max(most, ++now);
      await new Promise((resolve) => setTimeout(resolve, 100));
      now--;
      return fakeNpm(root).npm([]);
    };
    await Promise.all([ensureInstalled(root, slow, quiet), ensureInstalled(root, slow, quiet)]);
    expect(most).toBe(1);
  });
});

describe('lockfileDifferences', () => {
  const was = lock({
    'node_modules/a': { version: '1.0.0', integrity: 'x' },
    'node_modules/o': { version: '2.0.0', optional: true },
  });
  it.each<[string, Record<string, object>, string[]]>([
    [
      'the same',
      {
        'node_modules/a': { version: '1.0.0', integrity: 'x' },
        'node_modules/o': { version: '2.0.0', optional: true },
      },
      [],
    ],
    [
      'other content',
      {
        'node_modules/a': { version: '1.0.0', integrity: 'y' },
        'node_modules/o': { version: '2.0.0', optional: true },
      },
      ['a 1.0.0 has other content'],
    ],
    ['an optional one of another platform left out', { 'node_modules/a': { version: '1.0.0', integrity: 'x' } }, []],
    ['a needed one left out', { 'node_modules/o': { version: '2.0.0', optional: true } }, ['a 1.0.0 was removed']],
    [
      'one of another platform added',
      {
        'node_modules/a': { version: '1.0.0', integrity: 'x' },
        'node_modules/o': { version: '2.0.0', optional: true },
        'node_modules/a-darwin': { version: '1.0.0', optional: true },
      },
      [],
    ],
    [
      'one added and installed',
      {
        'node_modules/a': { version: '1.0.0', integrity: 'x' },
        'node_modules/o': { version: '2.0.0', optional: true },
        'node_modules/b/node_modules/@s/c': { version: '3.0.0' },
      },
      ['@s/c 3.0.0 was added'],
    ],
  ])('%s', (_name, packages, expected) => {
    expect(lockfileDifferences(was, lock(packages), (place: string) => !place.includes('darwin'))).toEqual(expected);
  });

  it('the fingerprint follows the lockfile', () => {
    const root = checkout();
    const before = installFingerprint(root);
    fs.writeFileSync(path.join(root, 'package-lock.json'), `${onePackage}\n`);
    expect(installFingerprint(root)).not.toBe(before);
  });
});

it.each([
  [400, '0.4 s'],
  [59_949, '59.9 s'],
  [140_000, '2 min 20 s'],
])('duration of %d ms is %s', (ms, text) => {
  expect(duration(ms)).toBe(text);
});
