import fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Problem } from '@tiny-forge/contracts/domain';
import { isRoot } from '../harness/environment.ts';
import { writeGeneration } from '../harness/generations.ts';
import type { Answer } from '../harness/http-client.ts';
import { LoopDisk } from '../harness/loop-disk.ts';
import { Stack } from '../harness/stack.ts';
import { TestWorkload, type Accepted } from '../harness/test-workload.ts';
import { expectRestored, expectUntouched } from '../harness/untouched.ts';
import { eventually } from '../harness/waiting.ts';

const MIB = 1024 * 1024;
/** restore.md 1: max(5 %, 1 GiB) of a file system stays free. */
const RESERVE = 1024 * MIB;
const CONTENT = 192 * MIB;

// Loop devices need root: without it there is no file system whose size a test may choose.
(isRoot ? describe : describe.skip)('bad input: no space for staging', () => {
  let disk: LoopDisk;
  let stack: Stack;
  let app: TestWorkload;
  let snapshotId: string;

  beforeAll(async () => {
    disk = LoopDisk.make(4 * 1024);
    const root = path.join(disk.mountPoint, 'root');
    fs.mkdirSync(root);
    stack = await Stack.start({ env: { TINY_FORGE_ALLOWED_ROOTS: root } });
    const files = path.join(root, 'files');
    writeGeneration(files, 'snap', { files: 12, bytesPerFile: CONTENT / 12 });
    app = await TestWorkload.create(stack, {
      volumes: [
        { scope: 'stage', source: 'data', target: '/data' },
        { scope: 'absolute', source: files, target: '/files' },
      ],
    });
    writeGeneration(app.directories[0] ?? '', 'snap');
    await app.deploy();
    snapshotId = await app.snapshot();
    app.write('live');
  });
  afterAll(async () => {
    await stack.destroy();
    disk.destroy();
  });

  it('too little free before: a blocker that names the file system, the app is never stopped', async () => {
    const takeBack = disk.fillUntilFree(RESERVE + CONTENT / 2);
    await expectUntouched(app, async () => {
      const plan = (await app.plan(snapshotId)).body;
      expect(plan.blockers.map((blocker) => blocker.code)).toContain('INSUFFICIENT_SPACE');
      expect(plan.space.find((space) => space.mountPoint === disk.mountPoint)?.neededBytes).toBeGreaterThanOrEqual(
        CONTENT,
      );
      const answer = (await app.restore(snapshotId)) as Answer<Accepted & Problem>;
      if (answer.status === 422) expect(answer.body.blockers?.[0]?.code).toBe('INSUFFICIENT_SPACE');
      else expect(JSON.stringify((await app.done(answer, 'FAILED')).error)).toContain('INSUFFICIENT_SPACE');
    });
    takeBack();
  });

  it('space that runs out while unpacking: FAILED, staging is gone, the app is never stopped', async () => {
    await expectUntouched(app, async () => {
      const answer = await app.restore(snapshotId);
      expect(answer.status).toBe(202);
      await eventually('staging exists', () => app.leftovers().length > 0, { timeoutMs: 20_000, intervalMs: 2 });
      const takeBack = disk.fillUntilFree(RESERVE / 2);
      const operation = await app.done(answer, 'FAILED');
      takeBack();
      expect(operation.error?.code).toBe('INSUFFICIENT_SPACE');
      expect(operation.steps[1]?.state).toMatch(/FAILED|UNDONE/);
    });
  });

  it('enough again: restores', async () => {
    await app.done(await app.restore(snapshotId), 'SUCCEEDED');
    await expectRestored(app);
  });
});
