import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { fakeMachine, recordingTerminal } from '../testing/fake-machine.ts';
import { provided, temporaryFolders } from '../testing/temporary.ts';
import { cachedBusybox, ensureBusybox, isStatic } from './busybox.ts';
import { isProvisionError } from './provision-error.ts';

const temporaryFolder = temporaryFolders();

describe('isStatic', () => {
  it('accepts the busybox of the tests', () => {
    expect(isStatic(provided('BUSYBOX_PATH'))).toBe(true);
  });

  it('refuses a program that needs a loader, a script and what is not there', () => {
    const script = path.join(temporaryFolder(), 'script');
    fs.writeFileSync(script, '#!/bin/sh\n');
    expect([process.execPath, script, '/nowhere'].map(isStatic)).toEqual([false, false, false]);
  });
});

describe('the order of finding', () => {
  const good =
    (...files: string[]) =>
    (file: string) =>
      files.includes(file);
  const env = () => ({ HOME: temporaryFolder() });

  it('BUSYBOX_PATH, then PATH, then the cache, each only when static', async () => {
    const home = env();
    const cached = cachedBusybox(home);
    const machine = fakeMachine({
      env: { ...home, BUSYBOX_PATH: '/own/busybox' },
      programs: { busybox: '/bin/busybox' },
    });
    const ensure = (...files: string[]) => ensureBusybox(machine, recordingTerminal(), good(...files));
    expect(await ensure('/own/busybox', '/bin/busybox', cached)).toBe('/own/busybox');
    expect(await ensure('/bin/busybox', cached)).toBe('/bin/busybox');
    expect(await ensure(cached)).toBe(cached);
    expect(machine.ran).toEqual([]);
  });

  it('last the package, unpacked and not installed', async () => {
    const home = env();
    const machine = fakeMachine({
      env: home,
      isRoot: false,
      answers: {
        'apt-get': (_args, cwd) => fs.writeFileSync(path.join(cwd, 'busybox-static_1_amd64.deb'), ''),
        'dpkg-deb': (args) => {
          fs.mkdirSync(path.join(args[2] ?? '', 'bin'), { recursive: true });
          fs.writeFileSync(path.join(args[2] ?? '', 'bin', 'busybox'), 'it');
        },
      },
    });
    const file = await ensureBusybox(machine, recordingTerminal(), fs.existsSync);
    expect(file).toBe(cachedBusybox(home));
    expect(fs.readFileSync(file, 'utf8')).toBe('it');
    expect(fs.readdirSync(path.dirname(file))).toEqual(['busybox']);
    expect(machine.ran.some((line) => line.includes(' install '))).toBe(false);
  });

  it('refreshes the package lists once as root, then gives up with the command', async () => {
    const machine = fakeMachine({
      env: env(),
      answers: { 'apt-get': () => ({ code: 100, stderr: 'E: No packages found' }) },
    });
    const error: unknown = await ensureBusybox(machine, recordingTerminal(), () => false).catch(
      (reason: unknown) => reason,
    );
    if (!isProvisionError(error)) throw new Error('expected a ProvisionError');
    expect(error.code).toBe('BUSYBOX_MISSING');
    expect(error.failure.getIt[0]).toBe('apt-get update && apt-get install -y busybox-static');
    expect(error.failure.log).toEqual(['E: No packages found']);
    expect(machine.ran.map((line) => line.split(' ')[1])).toEqual(['download', 'update', 'download']);
  });
});
