import { afterAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  chmodSync,
  chownSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  closeSync,
  writeSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createArchive, extractVolumes, verifyArchive, warmArchive } from './index.ts';
import { readTarEntries } from './read-index.ts';
import { emptyDir, listTree, scratch, shell } from './testing/trees.ts';

const { dir: base, done } = scratch();
afterAll(done);
const key = Buffer.alloc(32, 4);
const root = process.getuid?.() === 0;

/** Sizes around the borders of frames, so that trees have many segments. */
const size = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom(0, 1, 700, 3000, 400_000) },
  { weight: 2, arbitrary: fc.constantFrom(900_000, (2 << 20) - 1536, (2 << 20) + 1, 4_200_000) },
);
const names = ['a', 'b', 'c', 'd', 'e', 'f.txt', 'z\xff'];
const where = fc.array(fc.nat({ max: 99 }), { minLength: 1, maxLength: 4 });

interface Made {
  kind: 'file' | 'directory' | 'symlink' | 'hardlink';
  name: string;
  size: number;
  at: number[];
}

const made: fc.Arbitrary<Made> = fc.record({
  kind: fc.constantFrom('file', 'file', 'file', 'directory', 'directory', 'symlink', 'hardlink'),
  name: fc.constantFrom(...names),
  size,
  at: where,
});

const change = fc.record({
  what: fc.constantFrom(
    'same-size',
    'same-size-and-time',
    'append',
    'truncate',
    'delete',
    'create',
    'rename',
    'rename-over',
    'mode',
    'owner',
    'time',
    'to-symlink',
    'to-fifo',
    'to-directory',
    'hardlink',
    'through-hardlink',
    'directory-time',
    'replace-same',
  ),
  at: where,
  to: where,
  made,
});

function below(dir: string, wanted: (file: string) => boolean): string[] {
  const found: string[] = [];
  for (const name of readdirSync(bytes(dir), { encoding: 'latin1' }).sort()) {
    const full = path.join(dir, name);
    if (wanted(full)) found.push(full);
    if (lstatSync(Buffer.from(full, 'latin1')).isDirectory()) found.push(...below(full, wanted));
  }
  return found;
}

const bytes = (file: string): Buffer => Buffer.from(file, 'latin1');
const isFile = (file: string): boolean => lstatSync(bytes(file)).isFile();
const isDirectory = (file: string): boolean => lstatSync(bytes(file)).isDirectory();
const pick = (all: string[], at: number[]): string | undefined => all[(at[0] ?? 0) % all.length];

/** Content that is different each time and does not compress. */
let seed = 1;
function content(length: number): Buffer {
  const buffer = Buffer.alloc(length);
  for (let i = 0; i + 4 <= length; i += 4) {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    buffer.writeUInt32LE(seed, i);
  }
  return buffer;
}

function make(tree: string, { kind, name, size, at }: Made): void {
  const parent = pick([tree, ...below(tree, isDirectory)], at) as string;
  const full = path.join(parent, name);
  if (readdirSync(bytes(parent), { encoding: 'latin1' }).includes(name)) return;
  const files = below(tree, isFile);
  const other = pick(files, at);
  if (kind === 'directory') mkdirSync(bytes(full));
  else if (kind === 'symlink') symlinkSync('../a', bytes(full));
  else if (kind === 'hardlink' && other !== undefined) linkSync(bytes(other), bytes(full));
  else writeFileSync(bytes(full), content(size));
}

type Change = typeof change extends fc.Arbitrary<infer T> ? T : never;

function apply(tree: string, { what, at, to, made: other }: Change): void {
  const files = below(tree, isFile);
  const file = pick(files, at);
  const target = pick(files, to);
  const entry = pick(
    below(tree, () => true),
    at,
  );
  if (what === 'create') return make(tree, other);
  if (what === 'directory-time')
    return lutimesSync(bytes(pick([tree, ...below(tree, isDirectory)], at) as string), 5, 7);
  if (file === undefined || target === undefined || entry === undefined) return;
  const stat = lstatSync(bytes(file));
  const overwrite = (): void => {
    const fd = openSync(bytes(file), 'r+');
    writeSync(fd, content(Math.min(stat.size, 9)), 0, Math.min(stat.size, 9), Math.max(0, stat.size - 9));
    closeSync(fd);
  };
  const replace = (): void => rmSync(bytes(file));
  switch (what) {
    case 'same-size':
    case 'through-hardlink':
      return overwrite();
    case 'same-size-and-time':
      overwrite();
      return lutimesSync(bytes(file), stat.atime, stat.mtime);
    case 'append':
      return writeFileSync(bytes(file), content(10), { flag: 'a' });
    case 'truncate':
      return writeFileSync(bytes(file), '');
    case 'delete':
      return rmSync(bytes(entry), { recursive: true, force: true });
    case 'rename':
      return renameSync(bytes(file), bytes(`${file}-${++seed}`));
    case 'rename-over':
      return renameSync(bytes(file), bytes(target));
    case 'mode':
      return lstatSync(bytes(entry)).isSymbolicLink() ? undefined : chmodSync(bytes(entry), 0o710);
    case 'owner':
      return root ? chownSync(bytes(file), 77, 78) : undefined;
    case 'time':
      return lutimesSync(bytes(file), 1, 2.5);
    case 'to-symlink':
      replace();
      return symlinkSync('b', bytes(file));
    case 'to-fifo':
      replace();
      return void shell('/', `mkfifo -- "$(printf '%b' '${octal(file)}')"`);
    case 'to-directory':
      replace();
      mkdirSync(bytes(file));
      return writeFileSync(bytes(path.join(file, 'inside')), content(50));
    case 'hardlink':
      return linkSync(bytes(file), bytes(`${file}-${++seed}`));
    case 'replace-same': {
      const copy = content(stat.size);
      replace();
      writeFileSync(bytes(file), copy, { mode: stat.mode });
      return lutimesSync(bytes(file), stat.atime, stat.mtime);
    }
  }
}

const octal = (name: string): string => [...bytes(name)].map((byte) => `\\0${byte.toString(8)}`).join('');

async function entriesOf(file: string): Promise<unknown[]> {
  const list: unknown[] = [];
  for await (const entry of readTarEntries(file, key, undefined, 0)) list.push(entry);
  return list;
}

test('an archive made of a warm pass is that of the tree as it was at the end, for us and for GNU tar', async () => {
  let reused = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(made, { minLength: 4, maxLength: 30 }),
      fc.array(change, { maxLength: 6 }),
      fc.constantFrom(0, 0, 0, 0, 0, 1, 2),
      async (nodes, changes, threads) => {
        const work = mkdtempSync(path.join(base, 'run-'));
        const source = emptyDir(work, 'source');
        for (const node of nodes) make(source, node);
        // The margin, the time that writing the largest file may take (`markOf`), and two ticks of the clock.
        await sleep(60);
        const volumes = [
          { index: 0, root: source, links: 2 as const },
          { index: 3, root: source, links: 2 as const },
        ];
        const options = { volumes, manifest: { same: true }, key, threads, settledMs: 10, ground: 'caller' } as const;
        const warm = await warmArchive({ ...options, file: path.join(work, 'warm') });
        for (const one of changes) apply(source, one);
        const created = await createArchive({ ...options, file: path.join(work, 'warm'), warm });
        const fresh = await createArchive({ ...options, file: path.join(work, 'fresh') });
        if (created.sha256 !== fresh.sha256 && changes.length > 0) reused++;

        expect(await entriesOf(path.join(work, 'warm'))).toEqual(await entriesOf(path.join(work, 'fresh')));
        expect(created).toMatchObject({
          entries: fresh.entries,
          contentBytes: fresh.contentBytes,
          volumes: fresh.volumes,
        });
        expect(sorted(created.notes)).toEqual(sorted(fresh.notes));
        if (changes.length === 0) expect(created.sha256).toBe(fresh.sha256);
        await verifyArchive(path.join(work, 'warm'), {
          key,
          depth: 'content',
          expectedSha256: created.sha256,
          threads: 0,
        });
        const ours = emptyDir(work, 'ours');
        await extractVolumes({ file: path.join(work, 'warm'), key, targets: [{ index: 0, dir: ours }], threads: 0 });
        expect(listTree(ours)).toEqual(listTree(source));
        const theirs = emptyDir(work, 'theirs');
        shell(theirs, `tar --zstd -xpf ../warm --numeric-owner ${root ? '' : '--no-same-owner'}`);
        expect(listTree(path.join(theirs, '0'))).toEqual(listTree(source));
        expect(listTree(path.join(theirs, '3'))).toEqual(listTree(source));
        expect(readdirSync(work).sort()).toEqual(['fresh', 'ours', 'source', 'theirs', 'warm']);
        shell(base, `rm -rf '${work}'`);
      },
    ),
    { numRuns: Number(process.env['ARCHIVE_WARM_RUNS'] ?? 25), endOnFailure: true },
  );
  expect(reused).toBeGreaterThan(0);
}, 600_000);

const sorted = (notes: readonly { code: string; params: object }[]): string[] =>
  notes.map((note) => JSON.stringify(note)).sort();
