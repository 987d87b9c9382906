import { spawn } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { recordingTerminal } from '../testing/fake-machine.ts';
import { provided, temporaryFolders } from '../testing/temporary.ts';
import { isTemporalServing } from './grpc-health.ts';
import { identityOf, isRunning, stopProcess, waitUntil } from './process-identity.ts';
import { isProvisionError } from './provision-error.ts';
import { writeRecord } from './run-record.ts';
import {
  ensureTemporalServer,
  findLivingTemporal,
  planTemporal,
  readTemporalRecord,
  stopTemporalServer,
  type TemporalPlan,
} from './temporal-server.ts';
import { watchTemporal } from './temporal-use.ts';

const temporaryFolder = temporaryFolders();
const binary = provided('TEMPORAL_CLI');
let plan: TemporalPlan;

beforeEach(() => {
  plan = planTemporal(temporaryFolder(), 'tiny-forge');
});
afterEach(async () => {
  await stopTemporalServer(plan);
});

const namespaceOf = async (uiUrl: string): Promise<string | undefined> => {
  const response = await fetch(`${uiUrl}/api/v1/namespaces/tiny-forge`);
  return ((await response.json()) as { namespaceInfo?: { name?: string } }).namespaceInfo?.name;
};

describe('the embedded Temporal server', () => {
  it('serves our namespace and its UI on loopback, in a session of its own', async () => {
    const { record, adopted } = await ensureTemporalServer(binary, plan);
    expect(adopted).toBe(false);
    expect(record.address).toMatch(/^127\.0\.0\.1:\d+$/);
    expect(await isTemporalServing(record.address)).toBe(true);
    // The UI tries its own connection again a second after the frontend began to serve.
    expect(await waitUntil(async () => (await namespaceOf(record.uiUrl)) === 'tiny-forge', 10_000)).toBe(true);
    expect(readTemporalRecord(plan.recordFile)).toEqual(record);
    const session = fs.readFileSync(`/proc/${record.pid}/stat`, 'utf8').split(') ')[1]?.split(' ')[3];
    expect(Number(session)).toBe(record.pid);
  });

  it('is one for any number of starts at once', async () => {
    const all = await Promise.all([1, 2, 3].map(() => ensureTemporalServer(binary, plan)));
    expect(new Set(all.map(({ record }) => record.pid)).size).toBe(1);
    expect(all.filter(({ adopted }) => !adopted)).toHaveLength(1);
  });

  it('is adopted although its record is lost: never a second on the same file', async () => {
    const { record } = await ensureTemporalServer(binary, plan);
    fs.rmSync(plan.recordFile);
    expect(await ensureTemporalServer(binary, plan)).toEqual({ record, adopted: true });
    expect(readTemporalRecord(plan.recordFile)).toEqual(record);
  });

  it('is not taken for a process that only has its number, and that process is left alone', async () => {
    const foreign = spawn('sleep', ['60']);
    try {
      const identity = identityOf(foreign.pid ?? 0);
      if (identity === null) throw new Error('sleep does not run');
      writeRecord(plan.recordFile, {
        ...identity,
        address: '127.0.0.1:1',
        uiUrl: 'http://127.0.0.1:2',
        namespace: 'x',
        dbFile: plan.dbFile,
      });
      expect(findLivingTemporal(plan)).toBeNull();
      expect(await stopTemporalServer(plan)).toBe(false);
      const { record, adopted } = await ensureTemporalServer(binary, plan);
      expect(adopted).toBe(false);
      expect(record.pid).not.toBe(identity.pid);
      expect(isRunning(identity)).toBe(true);
    } finally {
      foreign.kill('SIGKILL');
    }
  });

  it('comes back on the same ports with what it knew, also after SIGKILL', async () => {
    const { record: first } = await ensureTemporalServer(binary, plan);
    await stopProcess(first, 'SIGKILL', 5_000);
    const { record: second } = await ensureTemporalServer(binary, plan);
    expect([second.address, second.uiUrl]).toEqual([first.address, first.uiUrl]);
    expect(second.pid).not.toBe(first.pid);
  });

  it('takes other ports when a stranger has ours meanwhile', async () => {
    const { record: first } = await ensureTemporalServer(binary, plan);
    await stopTemporalServer(plan);
    const stranger = net.createServer().listen(Number(first.address.split(':')[1]), '127.0.0.1');
    try {
      const { record: second } = await ensureTemporalServer(binary, plan);
      expect(second.address).not.toBe(first.address);
    } finally {
      stranger.close();
    }
  });

  it('is started again when another program was quicker at one of the ports it takes while it starts', async () => {
    const folder = temporaryFolder();
    const unlucky = path.join(folder, 'temporal');
    const words = "can't set frontend port 7233: listen tcp 127.0.0.1:7233: bind: address already in use";
    fs.writeFileSync(
      unlucky,
      `#!/bin/sh\nif mkdir '${folder}/once'; then echo "${words}" >&2; exit 1; fi\nexec '${binary}' "$@"\n`,
      { mode: 0o755 },
    );
    const { record } = await ensureTemporalServer(unlucky, plan);
    expect(await isTemporalServing(record.address)).toBe(true);
    expect(findLivingTemporal(plan)?.pid).toBe(record.pid);
  });

  it('is gone after stopping', async () => {
    const { record } = await ensureTemporalServer(binary, plan);
    expect(await stopTemporalServer(plan)).toBe(true);
    expect(isRunning(record)).toBe(false);
    expect(await isTemporalServing(record.address)).toBe(false);
  });

  it('is started again on its ports when it dies while watched, and not after that', async () => {
    const { record: first } = await ensureTemporalServer(binary, plan);
    const watching = watchTemporal(binary, plan, recordingTerminal());
    await stopProcess(first, 'SIGKILL', 5_000);
    expect(await waitUntil(() => isTemporalServing(first.address), 20_000, 200)).toBe(true);
    const second = findLivingTemporal(plan);
    expect(second?.address).toBe(first.address);
    await watching.stop();
    await stopTemporalServer(plan);
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    expect(findLivingTemporal(plan)).toBeNull();
  });

  it('fails with its last words when it cannot open its file', async () => {
    fs.mkdirSync(path.dirname(plan.dbFile), { recursive: true });
    fs.writeFileSync(plan.dbFile, 'this is no database, and certainly none of Temporal');
    const error: unknown = await ensureTemporalServer(binary, plan).catch((reason: unknown) => reason);
    if (!isProvisionError(error)) throw new Error('expected a ProvisionError', { cause: error });
    expect(error.code).toBe('TEMPORAL_FAILED');
    expect(error.failure.log?.length).toBeGreaterThan(0);
  });
});

it('nobody serves where nobody listens', async () => {
  expect(await isTemporalServing('127.0.0.1:1')).toBe(false);
});

it('something else that listens does not serve either', async () => {
  const server = net.createServer((socket) => socket.end('HTTP/1.1 200 OK\r\n\r\n'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as net.AddressInfo;
  expect(await isTemporalServing(`127.0.0.1:${port}`, 1_000)).toBe(false);
  server.close();
});
