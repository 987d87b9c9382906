import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { fakeMachine, recordingTerminal, type Answer, type FakeMachineInit } from '../testing/fake-machine.ts';
import { temporaryFolders } from '../testing/temporary.ts';
import { cacheDir, cachedTemporal, ensureTemporalBinary, goVersion, type Download } from './temporal-binary.ts';
import { isProvisionError } from './provision-error.ts';

const temporaryFolder = temporaryFolders();
const GO = { go: '/usr/local/go/bin/go' };

const offline: Download = async () => {
  throw new Error('getaddrinfo ENOTFOUND temporal.download');
};
const online: Download = async (folder) => {
  const file = path.join(folder, 'temporal-sdk-typescript');
  fs.writeFileSync(file, 'downloaded');
  return file;
};

const isExecutable = (file: string): boolean => fs.existsSync(file);

/** A Go that leaves read-only modules and, unless it fails, a program in GOBIN. */
function fakeGo(version: string, fails = false): Readonly<Record<string, Answer>> {
  return {
    go: (args, cwd) => {
      if (args[0] === 'version') return { stdout: `go version go${version} linux/amd64\n` };
      fs.mkdirSync(path.join(cwd, 'mod', 'm'), { recursive: true });
      fs.writeFileSync(path.join(cwd, 'mod', 'm', 'file'), '');
      fs.chmodSync(path.join(cwd, 'mod', 'm'), 0o555);
      if (fails) return { code: 1, stderr: 'dial tcp: lookup proxy.golang.org: no such host' };
      fs.mkdirSync(path.join(cwd, 'bin'));
      fs.writeFileSync(path.join(cwd, 'bin', 'temporal'), 'built');
    },
  };
}

function setUp(init: FakeMachineInit = {}, download: Download = offline) {
  const env = { HOME: temporaryFolder(), ...init.env };
  const machine = fakeMachine({ executables: isExecutable, ...init, env });
  const terminal = recordingTerminal();
  return {
    machine,
    terminal,
    cached: cachedTemporal(env),
    ensure: () => ensureTemporalBinary(machine, terminal, download),
  };
}

describe('the order of finding', () => {
  it('PATH first', async () => {
    const { ensure, machine } = setUp({
      programs: { temporal: '/usr/bin/temporal', ...GO },
      answers: fakeGo('1.26.0'),
    });
    expect(await ensure()).toEqual({ file: '/usr/bin/temporal', origin: 'PATH' });
    expect(machine.ran).toEqual(['/usr/bin/temporal --version']);
  });

  it('passes by one on PATH that does not run', async () => {
    const { ensure } = setUp({
      programs: { temporal: '/usr/bin/temporal', ...GO },
      answers: { ...fakeGo('1.26.0'), temporal: () => ({ code: 126 }) },
    });
    expect(await ensure()).toMatchObject({ origin: 'built' });
  });

  it('then our cache', async () => {
    const { ensure, cached, machine } = setUp({ programs: GO, answers: fakeGo('1.26.0') });
    fs.mkdirSync(path.dirname(cached), { recursive: true });
    fs.writeFileSync(cached, 'cached');
    expect(await ensure()).toEqual({ file: cached, origin: 'cache' });
    expect(machine.ran).toEqual([]);
  });

  it('then the pinned build, said with its reason and length, leaving only the program', async () => {
    const { ensure, cached, machine, terminal } = setUp({ programs: GO, answers: fakeGo('1.26.8') });
    expect(await ensure()).toEqual({ file: cached, origin: 'built' });
    expect(machine.ran.at(-1)).toMatch(
      /install -trimpath -ldflags -s -w -X \S+Version=1\.5\.1 github\.com\/temporalio\/cli\/cmd\/temporal@v1\.5\.1$/,
    );
    expect(fs.readdirSync(path.dirname(cached))).toEqual(['temporal']);
    expect(terminal.text()).toMatch(/building 1\.5\.1 with Go 1\.26\.8 into .*\n.*restores run on it.*3 to 10 min/);
  });

  it.each([
    ['an old Go', { programs: GO, answers: fakeGo('1.24.9') }],
    ['no Go', {}],
    ['a Go without a network', { programs: GO, answers: fakeGo('1.26.0', true) }],
  ])('with %s the SDK’s download', async (_name, init) => {
    const { ensure, cached } = setUp(init, online);
    expect(await ensure()).toEqual({ file: cached, origin: 'downloaded' });
    expect(fs.readFileSync(cached, 'utf8')).toBe('downloaded');
    expect(fs.readdirSync(path.dirname(cached))).toEqual(['temporal']);
  });

  it('builds once when two ask at the same time', async () => {
    const { ensure, machine } = setUp({ programs: GO, answers: fakeGo('1.26.0') });
    const both = await Promise.all([ensure(), ensure()]);
    expect(both.map(({ origin }) => origin).sort()).toEqual(['built', 'cache']);
    expect(machine.ran.filter((line) => line.includes(' install '))).toHaveLength(1);
  });

  it('removes what a killed build left', async () => {
    const { ensure, cached } = setUp({ programs: GO, answers: fakeGo('1.26.0') });
    const left = path.join(path.dirname(cached), 'build-dead', 'mod');
    fs.mkdirSync(left, { recursive: true });
    fs.chmodSync(left, 0o555);
    await ensure();
    expect(fs.readdirSync(path.dirname(cached))).toEqual(['temporal']);
  });
});

it('says everything that was tried, and each way to get it', async () => {
  const { ensure, cached } = setUp({ programs: GO, answers: fakeGo('1.19.8') });
  const error: unknown = await ensure().catch((reason: unknown) => reason);
  if (!isProvisionError(error)) throw new Error('expected a ProvisionError');
  expect(error.code).toBe('TEMPORAL_MISSING');
  expect(error.failure.why).toBe(
    `it is not on PATH; not in ${path.dirname(cached)}; Go is 1.19.8, needed is 1.25; the download failed (getaddrinfo ENOTFOUND temporal.download)`,
  );
  expect(error.failure.getIt.join('\n')).toMatch(/Go 1\.25[^]*temporal[^]*TEMPORAL_ADDRESS=/);
});

it.each([
  ['go version go1.26.8 linux/amd64', '1.26.8'],
  ['go version go1.25 linux/arm64', '1.25'],
  ['go version devel', null],
  ['', null],
])('goVersion(%j) is %s', (output, version) => {
  expect(goVersion(output)).toBe(version);
});

it.each([
  [{ XDG_CACHE_HOME: '/x', HOME: '/root' }, '/x/tiny-forge'],
  [{ XDG_CACHE_HOME: 'relative', HOME: '/root' }, '/root/.cache/tiny-forge'],
  [{ HOME: '/home/a' }, '/home/a/.cache/tiny-forge'],
])('the cache of %j is %s', (env, folder) => {
  expect(cacheDir(env)).toBe(folder);
});
