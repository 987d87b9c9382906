import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { mappedIds, missingCapabilities } from './process-rights.ts';

const run = promisify(execFile);
const isRoot = process.getuid?.() === 0;
/** CI is root; elsewhere capabilities cannot be taken away, because there are none. */
const onlyRoot = isRoot || process.env['CI'] ? describe : describe.skip;

describe('rights of the process', () => {
  it('are read from the mask of effective capabilities', () => {
    expect(missingCapabilities('Name:\tnode\nCapEff:\t000001ffffffffff\n')).toEqual([]);
    expect(missingCapabilities('CapEff:\t0000000000000000\n')).toEqual(['CAP_CHOWN', 'CAP_DAC_OVERRIDE', 'CAP_FOWNER']);
    expect(missingCapabilities('CapEff:\t000001fffffffffe\n')).toEqual(['CAP_CHOWN']);
  });

  it('are all user ids there are, or so many', () => {
    expect(mappedIds('         0          0 4294967295\n')).toBeNull();
    expect(mappedIds('         0     100000      65536\n')).toBe(65_536);
    expect(mappedIds('0 1000 1\n1 100000 65536\n')).toBe(65_537);
  });
});

onlyRoot('rights of a real process', () => {
  it('with a capability taken away', async () => {
    const { stdout } = await run('setpriv', ['--bounding-set', '-chown', 'cat', '/proc/self/status']);
    expect(missingCapabilities(stdout)).toEqual(['CAP_CHOWN']);
  });

  it('in a user namespace of its own', async () => {
    const { stdout } = await run('unshare', ['--user', '--map-root-user', 'cat', '/proc/self/uid_map']);
    expect(mappedIds(stdout)).toBe(1);
  });
});
