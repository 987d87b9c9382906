import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { testDocker, type TestDocker } from '@tiny-forge/docker/testing';
import type { ArchivePort } from '../ports/archive-port.ts';
import type { CaptureInput } from '../restore-engine.ts';
import { fakePlugins } from '../testing/fake-plugins.ts';
import { jsonArchivePort } from '../testing/json-archive-port.ts';
import { quietContext, RestoreHouse } from '../testing/restore-house.ts';

let test: TestDocker;
let image: string;
let house: RestoreHouse;
let container: string;

beforeAll(async () => {
  test = testDocker();
  image = (await test.image()).tag;
});
afterAll(() => test.cleanUp());
beforeEach(async () => {
  house = await RestoreHouse.build(test.docker, { installation: test.installation, image, plugins: fakePlugins });
  await house.write('content');
  container = await house.startInstance();
});
afterEach(async () => {
  await house.removeContainers();
  await house.remove();
});

const stateOf = async (): Promise<string | undefined> => (await test.docker.inspectContainer(container))?.state;
/** The Engine may show a pause that was lifted at once for a moment longer, until containerd's events of both have arrived. */
const running = async (): Promise<void> => {
  for (let tries = 0; tries < 100 && (await stateOf()) === 'paused'; tries++) await sleep(50);
  expect(await stateOf()).toBe('running');
};
const pauses = (): Promise<string[]> => readdir(path.join(house.dataDir, 'journal', 'pauses'));
const order = (more: object = {}) => ({
  workload: house.workload(),
  snapshotId: randomUUID(),
  kind: 'manual' as const,
  quiesce: 'pause' as const,
  codec: 'zstd' as const,
  links: 'by-volume' as const,
  targets: null,
  reserve: true,
  ...more,
});
/** An archive port whose `create` first does something of the test's. */
const archiveThat = (first: (signal: AbortSignal) => Promise<void>): ArchivePort => ({
  ...jsonArchivePort,
  create: async (input) => {
    await first(input.signal);
    return jsonArchivePort.create(input);
  },
});
const untilAborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));

describe('capture', () => {
  it.each([
    ['pause', 'paused'],
    ['stop', 'exited'],
    ['none', 'running'],
  ] as const)('with quiesce %s has the app %s, and running again after it', async (quiesce, during) => {
    let seen: string | undefined;
    const archive = archiveThat(async () => {
      seen = await stateOf();
      if (quiesce !== 'none') expect(await pauses()).toHaveLength(1);
    });
    const result = await house.capture({ quiesce }, house.capturer({ archive }));
    expect(seen).toBe(during);
    await running();
    expect(result.manifest).toEqual({
      formatVersion: 1,
      quiesce,
      volumes: [
        { index: 0, target: '/data', scope: 'fake', source: 'data', links: 2 },
        { index: 1, target: '/files', scope: 'fake', source: 'files', links: 2 },
      ],
    });
    if (quiesce !== 'none') expect(await pauses()).toEqual([]);
  });

  it('of one id is made once', async () => {
    const engine = house.capturer();
    const input = order({ codec: 'gzip' });
    const first = await engine.capture(input, quietContext());
    expect(first.file).toBe(engine.archivePath(house.facts.workloadId, input.snapshotId, 'gzip'));
    await house.write('later');
    expect(await engine.capture(input, quietContext())).toEqual(first);
    expect(await readdir(path.dirname(first.file))).toEqual([`${input.snapshotId}.json`, `${input.snapshotId}.tar.gz`]);
    await engine.remove(house.facts.workloadId, input.snapshotId);
    await engine.remove(house.facts.workloadId, input.snapshotId);
    expect(await readdir(path.dirname(first.file))).toEqual([]);
  });

  it('that pauses longer than the workload allows fails, and the app goes on', async () => {
    const engine = house.capturer({ archive: archiveThat(untilAborted) });
    const input = order({ workload: house.workload({ maxPauseSeconds: 1 }) });
    await expect(engine.capture(input, quietContext())).rejects.toMatchObject({
      code: 'PAUSE_TOO_LONG',
      params: { seconds: 1 },
    });
    await running();
    expect(await readdir(path.join(house.dataDir, 'snapshots', house.facts.workloadId))).toEqual([]);
  });

  it('that is aborted brings the app back and leaves no file', async () => {
    const stop = new AbortController();
    const engine = house.capturer({ archive: archiveThat(untilAborted) });
    const end = engine.capture(order(), quietContext(stop.signal));
    while ((await stateOf()) !== 'paused') await sleep(20);
    stop.abort();
    await expect(end).rejects.toMatchObject({ code: 'CANCELLED' });
    await running();
    expect(await readdir(path.join(house.dataDir, 'snapshots', house.facts.workloadId))).toEqual([]);
  });

  it('is not disturbed by the removal of another snapshot of its workload', async () => {
    const earlier = order();
    await house.capturer({ archive: jsonArchivePort }).capture(earlier, quietContext());
    let release = (): void => undefined;
    const released = new Promise<void>((resolve) => (release = resolve));
    const engine = house.capturer({ archive: archiveThat(() => released) });
    const input = order();
    const end = engine.capture(input, quietContext());
    while ((await stateOf()) !== 'paused') await sleep(20);
    await engine.remove(house.facts.workloadId, earlier.snapshotId);
    release();
    const { file } = await end;
    expect([existsSync(file), existsSync(file.replace(input.snapshotId, earlier.snapshotId))]).toEqual([true, false]);
  });

  it('of a server that was killed is undone by the next start, and by the next attempt', async () => {
    const hang = archiveThat(() => new Promise(() => undefined));
    const input = order();
    // A killed process tells nobody how it ended: one that its successor overtook while it still looked may reject here.
    const killed = (more: Partial<CaptureInput> = {}): void => {
      house
        .capturer({ archive: hang })
        .capture({ ...input, ...more }, quietContext())
        .catch(() => undefined);
    };
    killed();
    while ((await stateOf()) !== 'paused') await sleep(20);
    const next = house.capturer({ archive: jsonArchivePort });
    expect(await next.sweepPauses(new AbortController().signal)).toEqual([house.facts.workloadId]);
    await running();
    expect(await next.sweepPauses(new AbortController().signal)).toEqual([]);

    killed({ quiesce: 'stop' });
    while ((await stateOf()) !== 'exited') await sleep(20);
    await next.capture(input, quietContext());
    await running();
    expect(await pauses()).toEqual([]);
  });

  it('lists an absent directory of a scope that makes its own, and keeps its place in the list', async () => {
    await test.docker.removeContainer(container, { force: true });
    await rm(path.join(house.volumes, 'data'), { recursive: true });
    const result = await house.capture();
    expect(result.volumes).toMatchObject([
      { index: 0, absent: true, entries: 0 },
      { index: 1, absent: false },
    ]);
  });

  it('holds all volumes of the config, or those that are asked for', async () => {
    const result = await house.capture({ targets: ['/files'] });
    expect(result.manifest.volumes).toMatchObject([{ index: 0, target: '/files' }]);
  });

  it('notes at the widest tier what another tier would refuse', async () => {
    await mkdir(path.join(house.volumes, 'data', 'deep'));
    const { volumes } = house.workload().config;
    const workload = house.workload({ volumes: volumes.map((volume) => ({ ...volume, links: 0 as const })) });
    const { symlink } = await import('node:fs/promises');
    await symlink('/etc/passwd', path.join(house.volumes, 'data', 'deep', 'link'));
    await expect(house.capture({ workload })).rejects.toMatchObject({ code: 'VOLUME_NOT_CAPTURABLE' });
    await running();
    const widest = await house.capture({ workload, links: 'widest' });
    expect(widest.manifest.volumes.map((volume) => volume.links)).toEqual([2, 2]);
  });

  it('keeps a reserve free on its own file system', async () => {
    const reserve = { fraction: 0, minBytes: Number.MAX_SAFE_INTEGER };
    const refused = house.capture({}, house.capturer({ reserve }));
    await expect(refused).rejects.toMatchObject({ code: 'INSUFFICIENT_SPACE' });
    await running();
    await house.capture({ reserve: false }, house.capturer({ reserve }));
  });

  it('leaves a half written file of an earlier process behind', async () => {
    const input = order();
    const engine = house.capturer();
    const file = engine.archivePath(house.facts.workloadId, input.snapshotId, 'zstd');
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(`${file}.new`, 'half');
    await engine.capture(input, quietContext());
    expect(existsSync(`${file}.new`)).toBe(false);
  });
});
