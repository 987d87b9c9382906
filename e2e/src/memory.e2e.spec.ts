import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { checkout } from './harness/environment.ts';
import { MemoryWatch } from './harness/memory-watch.ts';
import { Stack } from './harness/stack.ts';
import { TestWorkload } from './harness/test-workload.ts';

const MIB = 1024 * 1024;
const LIMIT_SUM_MIB = 600;
const LIMIT_PROCESS_MIB = 400;
/** A second restore, whose safety snapshot holds the full size too, may need so much more than the first. */
const FLAT_WITHIN_MIB = 64;

/** 1 GiB that no codec makes smaller. */
function writeOneLargeFile(folder: string): void {
  const handle = fs.openSync(path.join(folder, 'large'), 'w');
  const chunk = Buffer.alloc(16 * MIB);
  for (let written = 0; written < 1024 * MIB; written += chunk.length)
    fs.writeSync(handle, crypto.randomFillSync(chunk));
  fs.closeSync(handle);
}

function writeManySmallFiles(folder: string): void {
  const content = crypto.randomBytes(1_024);
  for (let i = 0; i < 60_000; i++) {
    if (i % 500 === 0) fs.mkdirSync(path.join(folder, `d${i / 500}`));
    content.writeUInt32LE(i);
    fs.writeFileSync(path.join(folder, `d${Math.floor(i / 500)}`, `f${i}`), content.subarray(0, 100 + (i % 900)));
  }
}

describe('memory of a restore stays flat at any size', () => {
  const measured: Record<string, unknown> = {};
  let stack: Stack;

  beforeAll(async () => {
    stack = await Stack.start();
  });
  afterAll(async () => {
    await stack.destroy();
    const reports = path.join(checkout, 'e2e', 'reports');
    fs.mkdirSync(reports, { recursive: true });
    fs.writeFileSync(path.join(reports, 'memory.txt'), `${JSON.stringify(measured, null, 2)}\n`);
  });

  it.each([
    ['1 GiB of incompressible data in one file', writeOneLargeFile],
    ['60,000 small files', writeManySmallFiles],
  ])(
    '%s',
    async (name, write) => {
      const app = await TestWorkload.create(stack, { volumes: [{ scope: 'stage', source: 'data', target: '/data' }] });
      app.write('snap');
      write(app.directories[0] ?? '');
      await app.deploy();
      const snapshotId = await app.snapshot({ quiesce: 'none' });
      app.write('live');

      const restoreOnce = async (): Promise<ReturnType<MemoryWatch['stop']>> => {
        const watch = new MemoryWatch(stack.server.pid);
        const started = performance.now();
        try {
          await app.done(await app.restore(snapshotId), 'SUCCEEDED', 240_000);
        } finally {
          const result = watch.stop();
          measured[`${name}, restore ${Object.keys(measured).length + 1}`] = {
            ...result,
            seconds: (performance.now() - started) / 1000,
          };
        }
        return watch.stop();
      };
      await stack.restart();
      const first = await restoreOnce();
      const second = await restoreOnce();
      for (const each of [first, second]) {
        expect(each.peakSumMib).toBeLessThan(LIMIT_SUM_MIB);
        expect(each.peakProcessMib).toBeLessThan(LIMIT_PROCESS_MIB);
        expect(each.peakSumMib).toBeGreaterThan(20);
      }
      expect(second.peakSumMib).toBeLessThan(first.peakSumMib + FLAT_WITHIN_MIB);
    },
    600_000,
  );
});
