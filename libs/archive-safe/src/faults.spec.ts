import { afterAll, expect, jest, test } from '@jest/globals';
import { execFile } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { scratch } from './testing/trees.ts';

jest.setTimeout(300_000);

const { dir: base, done } = scratch();
afterAll(done);
const testing = fileURLToPath(new URL('testing', import.meta.url));

interface Report {
  report: Record<string, { calls: number; failed: number; borne: string[] }>;
  problems: string[];
}

/** Every file call of every public call fails once: a code that says so, no descriptor, no temporary file, nothing half good. */
test.each(['ENOSPC', 'EIO', 'EMFILE'])('%s at every call', async (errno) => {
  const room = mkdtempSync(path.join(base, 'fault-'));
  const args = [
    '--conditions=tiny-forge-source',
    '--disable-warning=ExperimentalWarning',
    `--import=${path.join(testing, 'faulty-fs.mjs')}`,
    path.join(testing, 'fault-run.ts'),
    room,
    errno,
  ];
  const { stdout } = await promisify(execFile)(process.execPath, args, { maxBuffer: 1 << 26 });
  const { report, problems } = JSON.parse(stdout) as Report;
  expect(problems).toEqual([]);
  console.log(
    `faults: ${errno}: ${Object.entries(report)
      .map(([name, { calls, failed }]) => `${name} ${failed}/${calls}`)
      .join(', ')}`,
  );
  for (const [name, { calls, failed }] of Object.entries(report)) {
    expect([name, calls]).not.toEqual([name, 0]);
    expect([name, failed > calls * 0.5]).toEqual([name, true]);
  }
});
