import { expect, it } from '@jest/globals';
import { fakeMachine, recordingTerminal, type FakeMachineInit } from '../testing/fake-machine.ts';
import { ensureChromium } from './chromium.ts';
import { isProvisionError } from './provision-error.ts';

const ensure = (machine: ReturnType<typeof fakeMachine>) => ensureChromium(machine, recordingTerminal());

it.each<[string, FakeMachineInit, string]>([
  [
    'CHROMIUM_PATH',
    {
      env: { CHROMIUM_PATH: '/own/chrome' },
      executables: (file) => file === '/own/chrome',
      programs: { chromium: '/usr/bin/chromium' },
    },
    '/own/chrome',
  ],
  [
    'chromium',
    { programs: { 'google-chrome': '/usr/bin/google-chrome', chromium: '/usr/bin/chromium' } },
    '/usr/bin/chromium',
  ],
  [
    'chromium-browser',
    { programs: { 'google-chrome': '/usr/bin/google-chrome', 'chromium-browser': '/usr/bin/chromium-browser' } },
    '/usr/bin/chromium-browser',
  ],
  ['google-chrome', { programs: { 'google-chrome': '/usr/bin/google-chrome' } }, '/usr/bin/google-chrome'],
])('finds %s', async (_name, init, file) => {
  const machine = fakeMachine(init);
  expect(await ensure(machine)).toBe(file);
  expect(machine.ran).toEqual([]);
});

it('installs the package as root', async () => {
  const machine = fakeMachine({
    answers: { 'apt-get': () => void machine.programs.set('chromium', '/usr/bin/chromium') },
  });
  expect(await ensure(machine)).toBe('/usr/bin/chromium');
  expect(machine.ran.at(-1)).toMatch(/^apt-get install -y --no-install-recommends .*chromium$/);
});

it.each<[string, FakeMachineInit, RegExp]>([
  ['no root', { isRoot: false }, /^sudo apt-get update && sudo apt-get install .*chromium/],
  ['no apt', { hasApt: false }, /CHROMIUM_PATH=/],
  [
    'a CHROMIUM_PATH that is no program',
    { env: { CHROMIUM_PATH: '/nowhere' }, programs: { chromium: '/usr/bin/chromium' } },
    /unset CHROMIUM_PATH/,
  ],
  [
    'apt that fails',
    { answers: { 'apt-get': () => ({ code: 100 }) } },
    /^apt-get update && apt-get install .*chromium/,
  ],
])('names the command with %s', async (_name, init, command) => {
  const error: unknown = await ensure(fakeMachine(init)).catch((reason: unknown) => reason);
  if (!isProvisionError(error)) throw new Error('expected a ProvisionError');
  expect(error.code).toBe('CHROMIUM_MISSING');
  expect(error.failure.getIt.join('\n')).toMatch(command);
});
