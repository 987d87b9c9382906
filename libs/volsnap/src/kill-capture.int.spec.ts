import { randomUUID } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { testDocker, type TestDocker } from '@tiny-forge/docker/testing';
import { archiveSafePort } from './ports/archive-safe-port.ts';
import type { CaptureResult } from './restore-engine.ts';
import { fakePlugins } from './testing/fake-plugins.ts';
import type { CaptureOrder } from './testing/killed-capture.ts';
import { everyCall } from './testing/kills.ts';
import { oneIn } from './testing/proof.ts';
import { proofNote } from './testing/proof-note.ts';
import { RestoreHouse } from './testing/restore-house.ts';
import { runChild } from './testing/run-child.ts';

let test: TestDocker;
let image: string;
const never = new AbortController().signal;

beforeAll(async () => {
  test = testDocker();
  image = (await test.image()).tag;
});
afterAll(() => test.cleanUp());

const filesIn = (directory: string): string[] => (existsSync(directory) ? readdirSync(directory) : []);

/** Every entry of an archive, read back against its index, and what it says. */
async function expectWhole(house: RestoreHouse, { file }: CaptureResult): Promise<void> {
  const archive = archiveSafePort(house.options().key);
  const root = await mkdtemp(path.join(house.facts.root, 'out-'));
  const back = new RestoreHouse({ ...house.facts, root }, house.docker);
  const roots = ['data', 'files'].map((name, index) => ({ index, directory: path.join(back.volumes, name) }));
  for (const { directory } of roots) await mkdir(directory, { recursive: true, mode: 0o700 });
  await archive.extract({ file, roots, reserve: { bytes: 0, inodes: 0 }, signal: never, onProgress: () => undefined });
  expect(await back.generations()).toEqual(['content', 'content']);
  await rm(root, { recursive: true });
}

describe('SIGKILL before and after the calls of a capture that reads ahead', () => {
  it.each([
    ['pause', oneIn(10, 10)],
    ['stop', oneIn(9, 9)],
  ] as const)(
    '%s, one place of %d: the next start brings the app back and leaves nothing behind; the capture made again is whole',
    async (quiesce, every) => {
      const house = await RestoreHouse.build(test.docker, {
        installation: test.installation,
        image,
        plugins: fakePlugins,
      });
      await house.write('content');
      await writeFile(path.join(house.volumes, 'data', 'large'), Buffer.alloc(5 << 20, 'large'));
      const container = await house.startInstance();
      const snapshots = path.join(house.dataDir, 'snapshots', house.facts.workloadId);
      const order = (kill: CaptureOrder['kill']): CaptureOrder => ({
        facts: house.facts,
        capture: { snapshotId: randomUUID(), quiesce },
        kill,
      });
      // Folders that stay are made by the first one.
      await runChild(order(null), 'killed-capture.ts');
      await rm(snapshots, { recursive: true });
      const whole = await runChild(order(null), 'killed-capture.ts');
      await rm(snapshots, { recursive: true });
      expect(whole.calls).toBeGreaterThan(20);
      const kills = everyCall(whole).filter((_, i) => i % every === 0);

      let unfinished = 0;
      let still = 0;
      for (const kill of kills) {
        const one = order(kill);
        expect([kill, (await runChild(one, 'killed-capture.ts')).killed]).toEqual([kill, true]);
        unfinished += filesIn(snapshots).filter((name) => /\.new|\.tmp$/.test(name)).length;
        if ((await test.docker.inspectContainer(container))?.state !== 'running') still++;

        const engine = house.capturer();
        await engine.sweepPauses(never);
        await engine.sweepUnfinished();
        expect([kill, (await test.docker.inspectContainer(container))?.state]).toEqual([kill, 'running']);
        expect([kill, filesIn(path.join(house.dataDir, 'journal', 'pauses'))]).toEqual([kill, []]);
        expect([kill, filesIn(snapshots).filter((name) => /\.new|\.tmp$/.test(name))]).toEqual([kill, []]);
        await expectWhole(house, await house.capture(one.capture, house.capturer()));
        expect((await test.docker.inspectContainer(container))?.state).toBe('running');
        await rm(snapshots, { recursive: true });
      }
      // Else it died at places where nothing had begun.
      expect(unfinished).toBeGreaterThan(0);
      expect(still).toBeGreaterThan(0);
      proofNote(
        `a capture with ${quiesce} killed at ${kills.length} places: ${unfinished} unfinished archives, app still at ${still}; all brought back, all captured again`,
      );
      await house.removeContainers();
      await house.remove();
    },
    900_000,
  );
});
