import { randomUUID } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { testDocker, type TestDocker } from '@tiny-forge/docker/testing';
import { archiveSafePort } from '../ports/archive-safe-port.ts';
import type { ArchivePort, WarmPass } from '../ports/archive-port.ts';
import type { CaptureResult } from '../restore-engine.ts';
import { fakePlugins } from '../testing/fake-plugins.ts';
import { quietContext, RestoreHouse } from '../testing/restore-house.ts';

const never = new AbortController().signal;
const real = archiveSafePort(Buffer.alloc(32, 7));
let test: TestDocker;
let image: string;
let house: RestoreHouse;

beforeAll(async () => {
  test = testDocker();
  image = (await test.image()).tag;
});
afterAll(() => test.cleanUp());
beforeEach(async () => {
  house = await RestoreHouse.build(test.docker, { installation: test.installation, image, plugins: fakePlugins });
  await house.write('content');
  await writeFile(path.join(house.volumes, 'data', 'large'), Buffer.alloc(12 << 20, 'large'));
  await house.startInstance();
});
afterEach(async () => {
  await house.removeContainers();
  await house.remove();
});

/** Writes a counter, durably, one number after the other, until it is stopped; what it returns was acknowledged. */
class Counter {
  #stopped = false;
  #last = 0;
  readonly #end: Promise<void>;

  constructor(readonly file: string) {
    this.#end = this.#run();
  }

  async stop(): Promise<number> {
    this.#stopped = true;
    await this.#end;
    return this.#last;
  }

  async #run(): Promise<void> {
    const handle = await open(this.file, 'w');
    while (!this.#stopped) {
      await handle.write(String(this.#last + 1).padStart(12, '0'), 0);
      await handle.sync();
      this.#last++;
    }
    await handle.close();
  }
}

async function counted({ file }: CaptureResult): Promise<number> {
  const directory = await mkdtemp(path.join(house.facts.root, 'out-'));
  const roots = [{ index: 0, directory }];
  await real.extract({ file, roots, reserve: { bytes: 0, inodes: 0 }, signal: never, onProgress: () => undefined });
  expect(await readFile(path.join(directory, 'token'), 'utf8')).toBe('content');
  return Number(await readFile(path.join(directory, 'counter'), 'utf8'));
}

const unfinished = (): string[] =>
  readdirSync(path.join(house.dataDir, 'snapshots', house.facts.workloadId)).filter((name) => name.includes('.new'));

describe('a capture that reads ahead', () => {
  it.each(['pause', 'stop'] as const)('with %s holds the last write that was acknowledged', async (quiesce) => {
    const counter = new Counter(path.join(house.volumes, 'data', 'counter'));
    const seen = { warm: null as WarmPass | null, last: 0 };
    const archive: ArchivePort = {
      ...real,
      create: async (input) => {
        seen.last = await counter.stop();
        seen.warm = input.warm;
        return real.create(input);
      },
    };
    const result = await house.capture({ quiesce }, house.capturer({ archive }));
    expect(seen.warm).not.toBeNull();
    expect(seen.last).toBeGreaterThan(0);
    expect(await counted(result)).toBe(seen.last);
    await real.verify({ file: result.file, sha256: result.archiveSha256, signal: never, onProgress: () => undefined });
    expect(unfinished()).toEqual([]);
  });

  it('for the safety snapshot: ahead while the app runs, to its end when it stands still', async () => {
    const counter = new Counter(path.join(house.volumes, 'data', 'counter'));
    const engine = house.capturer();
    const input = {
      workload: house.workload(),
      snapshotId: randomUUID(),
      kind: 'pre-restore',
      quiesce: 'stop',
      codec: 'zstd',
      links: 'widest',
      targets: null,
      reserve: true,
    } as const;
    await engine.warm(input, quietContext());
    expect(unfinished()).toEqual([`${input.snapshotId}.tar.zst.new.partial`]);
    await house.removeContainers();
    const last = await counter.stop();
    expect(await counted(await engine.capture(input, quietContext()))).toBe(last);
    expect(unfinished()).toEqual([]);
  });

  it('and is never made leaves nothing: dropped, or found by the next start', async () => {
    const engine = house.capturer();
    const input = { workload: house.workload(), snapshotId: randomUUID(), kind: 'pre-restore', quiesce: 'stop', codec: 'zstd', links: 'widest', targets: null, reserve: true } as const; // prettier-ignore
    await engine.warm(input, quietContext());
    expect(unfinished()).toHaveLength(1);
    await engine.dropWarm(house.facts.workloadId, input.snapshotId);
    expect(unfinished()).toEqual([]);
    await engine.warm(input, quietContext());
    await house.capturer().sweepUnfinished();
    expect(unfinished()).toEqual([]);
    await engine.dropWarm(house.facts.workloadId, input.snapshotId);
  });

  it('that cannot read ahead reads everything in the pause', async () => {
    const archive: ArchivePort = {
      ...real,
      warm: () => Promise.reject(Object.assign(new Error('broken'), { code: 'EIO' })),
    };
    const result = await house.capture({ quiesce: 'pause' }, house.capturer({ archive }));
    expect(existsSync(result.file)).toBe(true);
    await rm(result.file);
  });
});
