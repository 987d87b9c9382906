/**
 * Runs every public call again and again, each time with the next file call failing, until it completes; see `faults.spec.ts`.
 * `node --import faulty-fs.mjs fault-run.ts <scratch> <errno>` prints one JSON object.
 */
import { isForgeError } from '@tiny-forge/contracts/domain';
import { execFileSync } from 'node:child_process';
import fs, { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Readable } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { inspect } from 'node:util';
import {
  browseArchive,
  createArchive,
  extractTar,
  extractVolumes,
  importArchive,
  measureTree,
  receiveArchive,
  removeTree,
  verifyArchive,
  warmArchive,
} from '../index.ts';
import { listTree, shell } from './trees.ts';

const { faultyFs } = globalThis as unknown as {
  faultyFs: { arm(nth: number, errno: string): void; disarm(): { calls: number; fired: string } };
};
const [base, errno] = process.argv.slice(2) as [string, string];
const key = Buffer.alloc(32, 2);
const tree = path.join(base, 'tree');
const own = path.join(base, 'own');
const foreign = path.join(base, 'foreign.tgz');
const work = path.join(base, 'work');
const volumes = [{ index: 0, root: tree, links: 2 as const }];

for (const dir of [tree, work]) mkdirSync(dir, { recursive: true, mode: 0o700 });
shell(tree, 'mkdir -p d/e; echo one > d/f; ln d/f d/hard; ln -s f d/sym; truncate -s 9000 hole; chmod 640 d/f');
writeFileSync(path.join(tree, 'large'), Buffer.alloc((2 << 20) + 100, 'large '));
shell(base, 'tar -czf foreign.tgz -C tree d hole');
const shown = (dir: string): string => inspect(listTree(dir), { depth: 5 });
const expected = shown(tree);
// Starting getfattr a thousand times is most of the time; what it says is noted, not thrown.
process.env['PATH'] = '';
await createArchive({ file: own, key, manifest: {}, volumes, threads: 0 });

interface Scenario {
  name: string;
  run: () => Promise<unknown>;
  /** Throws where a run that says it is good is not. */
  check?: () => void | Promise<void>;
  /** What may stay in `work` after a failure, for the caller to remove. */
  leaves?: string[];
}

function same(dir: string): void {
  if (shown(path.join(work, dir)) !== expected) throw new Error('another tree');
}

const archiveOf = (name: string): string => path.join(work, name);
const out = (): string => {
  const dir = path.join(work, 'out');
  fs.mkdirSync(dir, { mode: 0o700 });
  return dir;
};

const scenarios: Scenario[] = [
  {
    name: 'createArchive',
    run: () => createArchive({ file: archiveOf('new'), key, manifest: {}, volumes, threads: 0 }),
    check: () => {
      if (!fs.readFileSync(archiveOf('new')).equals(fs.readFileSync(own))) throw new Error('another archive');
    },
  },
  {
    name: 'createArchive after a warm pass',
    run: async () => {
      const request = { file: archiveOf('new'), key, manifest: {}, volumes, threads: 0 };
      const warm = await warmArchive({ ...request, ground: 'caller', settledMs: 0 });
      execFileSync('/bin/chmod', ['640', path.join(tree, 'd/f')], { stdio: 'ignore' });
      return createArchive({ ...request, warm });
    },
    check: async () => {
      const targets = [{ index: 0, dir: out() }];
      await extractVolumes({ file: archiveOf('new'), key, targets, threads: 0 });
      same('out');
    },
  },
  { name: 'verifyArchive', run: () => verifyArchive(own, { key, depth: 'content', threads: 0 }) },
  {
    name: 'extractVolumes',
    run: () => extractVolumes({ file: own, key, targets: [{ index: 0, dir: path.join(work, 'out') }], threads: 0 }),
    check: () => same('out'),
    leaves: ['out'],
  },
  {
    name: 'extractTar',
    run: () => extractTar({ file: foreign, dir: path.join(work, 'out'), links: 1, threads: 0 }),
    leaves: ['out'],
  },
  {
    name: 'importArchive',
    run: () =>
      importArchive({
        source: foreign,
        profile: 'tar',
        workDir: work,
        file: archiveOf('new'),
        key,
        links: 1,
        manifest: () => ({}),
        threads: 0,
      }),
  },
  {
    name: 'importArchive of ours',
    run: () =>
      importArchive({
        source: own,
        profile: 'tiny-forge',
        workDir: work,
        file: archiveOf('new'),
        key,
        links: 1,
        manifest: () => ({}),
        threads: 0,
      }),
  },
  {
    name: 'receiveArchive',
    run: () => receiveArchive({ source: Readable.from([Buffer.alloc(1000)]), file: archiveOf('new'), maxBytes: 5000 }),
  },
  {
    name: 'browseArchive',
    run: async () => {
      await using archive = await browseArchive(own, { key, threads: 0 });
      await archive.list({ volume: 0, path: Buffer.from('d') });
      const content = await archive.content({ volume: 0, path: Buffer.from('large') });
      for await (const part of content!.bytes) void part;
    },
  },
  { name: 'measureTree', run: () => measureTree(tree, { threads: 0 }) },
  {
    name: 'removeTree',
    run: () => removeTree(path.join(work, 'out'), { threads: 0 }),
    check: () => {
      if (fs.existsSync(path.join(work, 'out'))) throw new Error('not removed');
    },
    leaves: ['out'],
  },
];

const openFiles = (): number => readdirSync('/proc/self/fd').length;
const codes = errno === 'ENOSPC' ? ['INSUFFICIENT_SPACE'] : ['IO_ERROR'];
const problems: string[] = [];
const report: Record<string, { calls: number; failed: number; borne: string[] }> = {};

for (const { name, run, check, leaves = [] } of scenarios) {
  const borne = new Set<string>();
  let failed = 0;
  let calls = 0;
  for (let nth = 1; ; nth++) {
    if (leaves.length > 0) out();
    if (name === 'removeTree') {
      fs.mkdirSync(path.join(work, 'out', 'a', 'b'), { recursive: true });
      fs.writeFileSync(path.join(work, 'out', 'a', 'b', 'f'), '');
      fs.symlinkSync('f', path.join(work, 'out', 'a', 'l'));
    }
    const before = openFiles();
    faultyFs.arm(nth, errno);
    const failure: unknown = await run().then(
      () => undefined,
      (error: unknown) => error ?? new Error('nothing thrown'),
    );
    const { calls: made, fired } = faultyFs.disarm();
    // Pipes of the child that could not be started close in a turn of their own.
    for (let turn = 0; turn < 3; turn++) await setImmediate();
    const where = `${name}, call ${nth} ${fired}`;
    if (openFiles() !== before) problems.push(`${where}: ${openFiles() - before} descriptors stayed open`);
    if (failure === undefined) {
      try {
        await check?.();
      } catch (error) {
        problems.push(`${where}: said to be good, but ${String(error)}`);
      }
      if (fired !== '') borne.add(fired);
    } else {
      failed++;
      if (!isForgeError(failure) || !codes.includes(failure.code)) problems.push(`${where}: ${inspect(failure)}`);
      const left = readdirSync(work).filter((one) => !leaves.includes(one));
      if (left.length > 0) problems.push(`${where}: left ${left.join()}`);
    }
    for (const one of readdirSync(work)) rmSync(path.join(work, one), { recursive: true, force: true });
    if (fired === '') {
      calls = made;
      if (failure !== undefined) problems.push(`${where}: failed without a fault: ${inspect(failure)}`);
      break;
    }
  }
  report[name] = { calls, failed, borne: [...borne] };
}

console.log(JSON.stringify({ errno, report, problems }));
