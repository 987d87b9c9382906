import { afterAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  chmodSync,
  lchownSync,
  linkSync,
  lutimesSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { createArchive, extractVolumes, removeTree, verifyArchive } from './index.ts';
import { bytesOf } from './byte-string.ts';
import type { HeaderEntry } from './entry.ts';
import { headerBytes } from './frame-plan.ts';
import { encodeHeader } from './tar-header.ts';
import { emptyDir, listTree, scratch, shell } from './testing/trees.ts';
import { parse } from './testing/parse.ts';

const { dir: base, done } = scratch();
afterAll(done);
const key = Buffer.alloc(32, 1);
const root = process.getuid?.() === 0;

/** One path component of any bytes a file system takes. */
const component = fc
  .oneof(
    {
      weight: 4,
      arbitrary: fc.constantFrom(
        'a',
        'b',
        'README',
        'readme',
        '\xff',
        '\xc3\xa9',
        'e\xcc\x81',
        'a\\b',
        ' ',
        '-rf',
        '...',
        '\n',
        '\x1b[0m',
        '0',
        'manifest.json',
      ),
    },
    {
      weight: 2,
      arbitrary: fc.uint8Array({ minLength: 1, maxLength: 12 }).map((b) => Buffer.from(b).toString('latin1')),
    },
    { weight: 1, arbitrary: fc.nat({ max: 254 }).map((n) => 'n'.repeat(n + 1)) },
  )
  .map((name) => name.replace(/[/\0]/g, '_'))
  .filter((name) => name !== '.' && name !== '..');

interface Node {
  name: string;
  kind: 'file' | 'directory' | 'symlink' | 'hardlink';
  size: number;
  mode: number;
  uid: number;
  mtime: number;
  link: string;
  children: Node[];
}

const { tree } = fc.letrec<{ tree: Node[]; node: Node }>((tie) => ({
  tree: fc.array(tie('node'), { maxLength: 6, depthIdentifier: 'tree' }),
  node: fc.record({
    name: component,
    kind: fc.constantFrom('file', 'file', 'directory', 'symlink', 'hardlink'),
    size: fc.oneof(
      fc.nat({ max: 2000 }),
      fc.constantFrom(0, 511, 512, 513, (2 << 20) - 1536, (2 << 20) - 1535, (2 << 20) + 1),
    ),
    mode: fc.nat({ max: 0o7777 }),
    uid: fc.constantFrom(0, 1000, 231072, 2097151, 2097152, 4294967294),
    mtime: fc.oneof(fc.nat({ max: 2 ** 31 - 1 }), fc.double({ min: 0, max: 2 ** 31 - 1, noNaN: true })),
    link: fc.oneof(component, fc.constantFrom('/abs', '../..', 'x/../../y', 't'.repeat(101), 't'.repeat(1000))),
    children: fc.oneof({ depthIdentifier: 'tree', maxDepth: 4 }, fc.constant([]), tie('tree')),
  }) as fc.Arbitrary<Node>,
}));

function build(dir: Buffer, nodes: Node[], files: Buffer[]): void {
  const used = new Set<string>();
  for (const node of nodes) {
    if (used.has(node.name)) continue;
    used.add(node.name);
    const full = Buffer.concat([dir, bytesOf(`/${node.name}`)]);
    if (node.kind === 'hardlink' && files.length > 0) {
      linkSync(files[node.size % files.length] as Buffer, full);
      continue;
    }
    if (node.kind === 'directory') {
      mkdirSync(full);
      build(full, node.children, files);
    } else if (node.kind === 'symlink') {
      symlinkSync(bytesOf(node.link), full);
    } else {
      writeFileSync(full, Buffer.alloc(node.size, node.name));
      files.push(full);
    }
    if (root) lchownSync(full, node.uid, node.uid);
    if (node.kind !== 'symlink') chmodSync(full, root ? node.mode : node.mode | 0o700);
    lutimesSync(full, node.mtime, node.mtime);
  }
}

test('extract(pack(tree)) is the tree, for us and for GNU tar, whatever the codec', async () => {
  await fc.assert(
    fc.asyncProperty(tree, fc.constantFrom('zstd' as const, 'gzip' as const), async (nodes, codec) => {
      const work = mkdtempSync(path.join(base, 'run-'));
      const source = emptyDir(work, 'source');
      build(Buffer.from(source), nodes, []);
      const file = path.join(work, 'archive');
      const volumes = [{ index: 0, root: source, links: 2 as const }];
      await createArchive({ file, volumes, manifest: {}, codec, key, threads: 0 });
      await verifyArchive(file, { key, depth: 'content', threads: 0 });
      const dir = emptyDir(work, 'out');
      await extractVolumes({ file, key, targets: [{ index: 0, dir }], threads: 0 });
      const expected = listTree(source);
      expect(listTree(dir)).toEqual(expected);
      const gnu = emptyDir(work, 'gnu');
      shell(work, `tar --numeric-owner -xpf ${file} --${codec} -C ${gnu} --warning=no-timestamp`);
      if (root) expect(listTree(path.join(gnu, '0'))).toEqual(expected);
      await removeTree(work, { threads: 0 });
    }),
    { numRuns: 60 },
  );
}, 180_000);

test('a changed byte gives a refusal, never a different tree', async () => {
  const work = emptyDir(base, 'mutation');
  const source = emptyDir(work, 'source');
  shell(source, `mkdir d; echo text > d/f; ln d/f d/g; ln -s f d/l; head -c 3000 /dev/urandom > r`);
  const file = path.join(work, 'archive');
  await createArchive({ file, volumes: [{ index: 0, root: source, links: 2 }], manifest: {}, key, threads: 0 });
  const whole = readFileSync(file);
  await fc.assert(
    fc.asyncProperty(fc.nat({ max: whole.length - 1 }), fc.integer({ min: 1, max: 255 }), async (at, change) => {
      const bad = Buffer.from(whole);
      bad[at] = (bad[at] as number) ^ change;
      writeFileSync(file, bad);
      const dir = emptyDir(work, 'out');
      const targets = [{ index: 0, dir }];
      await expect(extractVolumes({ file, key, targets, threads: 0 })).rejects.toMatchObject({
        code: 'ARCHIVE_DAMAGED',
      });
      await removeTree(dir, { threads: 0 });
    }),
    { numRuns: 300 },
  );
}, 120_000);

const header: fc.Arbitrary<HeaderEntry> = fc
  .record({
    names: fc.array(component, { minLength: 1, maxLength: 12 }),
    type: fc.constantFrom('file' as const, 'directory' as const, 'symlink' as const),
    mode: fc.nat({ max: 0o7777 }),
    uid: fc.oneof(fc.nat({ max: 2 ** 32 - 2 }), fc.constantFrom(2097151, 2097152)),
    gid: fc.nat({ max: 2 ** 32 - 2 }),
    mtimeSec: fc.oneof(fc.nat(), fc.constantFrom(2 ** 31, 2 ** 33 - 1, 2 ** 33, 2 ** 36)),
    mtimeNs: fc.constantFrom(0, 1, 999_999_999, 500_000_000),
    size: fc.oneof(fc.nat({ max: 2000 }), fc.constantFrom(2 ** 33 - 1, 2 ** 33, 2 ** 40)),
    link: fc.oneof(component, fc.constantFrom('t'.repeat(100), 't'.repeat(101), 't'.repeat(4095))),
  })
  .map(({ names, ...entry }) => ({
    ...entry,
    path: names.join('/'),
    size: entry.type === 'file' ? entry.size : 0,
    link: entry.type === 'symlink' ? entry.link : '',
  }))
  .filter((entry) => entry.path.length < 4096);

test('a header is read as it was written, its length known beforehand, however the stream is cut', () => {
  fc.assert(
    fc.property(header, fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1, maxLength: 5 }), (entry, cuts) => {
      const bytes = encodeHeader(entry);
      expect(headerBytes(entry)).toBe(bytes.length);
      expect(parse(bytes, cuts).entries).toEqual([{ ...entry, body: '' }]);
    }),
    { numRuns: 500 },
  );
});

test('any bytes, and any mutation of a good stream, end in a refusal or in the same entries', () => {
  const stream = (entries: HeaderEntry[]): Buffer =>
    Buffer.concat([...entries.map((entry) => encodeHeader({ ...entry, size: 0 })), Buffer.alloc(1024)]);
  fc.assert(
    fc.property(
      fc.array(header, { maxLength: 4 }),
      fc.nat(),
      fc.nat({ max: 255 }),
      fc.nat({ max: 900 }),
      (entries, at, byte, cut) => {
        const bytes = stream(entries);
        const good = parse(bytes);
        expect(good.rule).toBeUndefined();
        const changed = Buffer.from(bytes);
        changed[at % changed.length] = byte;
        const whole = parse(changed);
        expect(parse(changed, cut + 1)).toEqual(whole);
        if (whole.rule === undefined)
          for (const entry of whole.entries) expect(encodeHeader(entry).length % 512).toBe(0);
      },
    ),
    { numRuns: 500 },
  );
});
