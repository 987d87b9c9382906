import { expect, it } from '@jest/globals';
import { fakeMachine, recordingTerminal } from '../testing/fake-machine.ts';
import { isProvisionError } from './provision-error.ts';
import { ensureTestPrograms } from './test-programs.ts';

const all = {
  ip: '/sbin/ip',
  zstd: '/usr/bin/zstd',
  setfattr: '/usr/bin/setfattr',
  bsdtar: '/usr/bin/bsdtar',
  python3: '/usr/bin/python3',
  'mkfs.ext4': '/sbin/mkfs.ext4',
  'mkfs.xfs': '/sbin/mkfs.xfs',
};

it('leaves a machine alone that has all of them', async () => {
  const machine = fakeMachine({ programs: all });
  await ensureTestPrograms(machine, recordingTerminal());
  expect(machine.ran).toEqual([]);
});

it('installs only what is missing, and says what for', async () => {
  const terminal = recordingTerminal();
  const { zstd: _zstd, 'mkfs.ext4': _mkfs, ...there } = all;
  const machine = fakeMachine({
    programs: there,
    answers: {
      'apt-get': () => {
        machine.programs.set('zstd', all.zstd);
        machine.programs.set('mkfs.ext4', all['mkfs.ext4']);
      },
    },
  });
  await ensureTestPrograms(machine, terminal);
  expect(machine.ran.at(-1)).toMatch(/^apt-get install .* zstd e2fsprogs$/);
  expect(terminal.text()).toMatch(/installing zstd, e2fsprogs with apt-get: `tar --zstd` restores/);
});

it('goes on without an optional one that cannot be had', async () => {
  const { 'mkfs.xfs': _mkfs, ...there } = all;
  const refused = fakeMachine({ programs: there, answers: { 'apt-get': () => ({ code: 100 }) } });
  await ensureTestPrograms(refused, recordingTerminal());
  expect(refused.ran.at(-1)).toMatch(/^apt-get /);
  await ensureTestPrograms(fakeMachine({ programs: there, isRoot: false }), recordingTerminal());
});

it('names all of them and one command when it may not install', async () => {
  const error: unknown = await ensureTestPrograms(fakeMachine({ isRoot: false }), recordingTerminal()).catch(
    (reason: unknown) => reason,
  );
  if (!isProvisionError(error)) throw new Error('expected a ProvisionError');
  expect(error.failure.what).toBe('programs of the tests are missing: ip, zstd, setfattr, bsdtar, python3, mkfs.ext4');
  expect(error.failure.getIt).toEqual([
    'sudo apt-get update && sudo apt-get install -y --no-install-recommends iproute2 zstd attr libarchive-tools python3 e2fsprogs',
  ]);
});
