import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { CrashFs } from '../testing/crash/crash-fs.ts';
import { CountingFsPort } from '../testing/counting-fs-port.ts';
import { FailingFsPort } from '../testing/failing-fs-port.ts';
import { fsPortContract, type FsBench } from '../testing/fs-port-contract.ts';
import { killingFsPort } from '../testing/killing-fs-port.ts';
import { loggingFsPort } from '../testing/logging-fs-port.ts';
import type { FsPort } from './fs-port.ts';
import { NodeFsPort } from './node-fs-port.ts';

/** Every Linux has a file system in memory there. */
const MEMORY = '/dev/shm';

async function bench(fs: FsPort): Promise<FsBench> {
  const root = await realpath(await mkdtemp(path.join(tmpdir(), 'tf-fs-')));
  const elsewhere = await mkdtemp(path.join(MEMORY, 'tf-fs-'));
  return {
    fs,
    root,
    elsewhere,
    dispose: async () => {
      await rm(root, { recursive: true });
      await rm(elsewhere, { recursive: true });
    },
  };
}

const never = Number.MAX_SAFE_INTEGER;
fsPortContract('NodeFsPort', () => bench(new NodeFsPort()));
fsPortContract('counting', () => bench(new CountingFsPort(new NodeFsPort()).port));
fsPortContract('failing, not yet', () =>
  bench(new FailingFsPort(new NodeFsPort(), { at: never, how: 'before', code: 'EIO' }).port),
);
fsPortContract('killing, not yet', () => bench(killingFsPort(new NodeFsPort(), { at: never, when: 'before' })));
fsPortContract('logging', () => bench(loggingFsPort(new NodeFsPort(), () => undefined)));

for (const model of ['ordered', 'weak'] as const)
  fsPortContract(`CrashFs, ${model}`, () =>
    Promise.resolve({
      fs: CrashFs.withDisks(['a', 'b'], model),
      root: '/a',
      elsewhere: '/b',
      dispose: () => Promise.resolve(),
    }),
  );
