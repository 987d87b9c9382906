import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { LABELS } from '@tiny-forge/contracts/domain';
import { testBusybox, testDocker } from '@tiny-forge/docker/testing';
import { probeDocker } from './probe-docker.ts';

const { docker, dockerHost } = testDocker();
const installation = randomUUID();
const PROBE = new URL('../../testing/probe-elsewhere.ts', import.meta.url).pathname;

let dataDir: string;
beforeEach(() => {
  dataDir = mkdtempSync(path.join(tmpdir(), 'tf-probe-'));
});
afterEach(async () => {
  rmSync(dataDir, { recursive: true, force: true });
  const left = await docker.listContainers({ [LABELS.installation]: installation });
  expect(left).toEqual([]);
});

describe('the proof that daemon and server see the same files', () => {
  it('holds on this host, and leaves neither token nor container', async () => {
    const options = { docker, dataDir, installation, dockerHost, busybox: testBusybox() };
    await probeDocker({ ...options, signal: AbortSignal.timeout(60_000) });
    expect(readdirSync(path.join(dataDir, 'probe'))).toEqual([]);
  });

  /** The probe runs where a file system is mounted over the data folder that the daemon does not see. */
  const elsewhere = (): Promise<string> =>
    new Promise((resolve) => {
      const script = `mount -t tmpfs tmpfs "${dataDir}" && exec "${process.execPath}" --conditions=tiny-forge-source "${PROBE}"`;
      const env = { ...process.env, PROBE_DATA: dataDir, PROBE_INSTALLATION: installation };
      execFile('unshare', ['-m', 'sh', '-c', script], { env }, (_error, stdout, stderr) => resolve(stdout + stderr));
    });

  const asRoot = process.getuid?.() === 0 ? it : it.skip;
  asRoot('fails where the daemon has no such folder, naming the daemon', async () => {
    expect(await elsewhere()).toContain(`DOCKER_NOT_ON_THIS_HOST ${dockerHost}`);
  });

  asRoot('fails where the daemon has a folder of that name with other files', async () => {
    mkdirSync(path.join(dataDir, 'probe'));
    expect(await elsewhere()).toContain(`DOCKER_NOT_ON_THIS_HOST ${dockerHost}`);
  });
});
