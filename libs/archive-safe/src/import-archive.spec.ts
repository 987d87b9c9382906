import { afterAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Readable } from 'node:stream';
import zlib from 'node:zlib';
import {
  browseArchive,
  createArchive,
  extractVolumes,
  importArchive,
  readEntries,
  receiveArchive,
  verifyArchive,
  type ImportArchiveOptions,
} from './index.ts';
import { dir, EOF, file as tarFile, hdr, pax } from './testing/tar-bytes.ts';
import { emptyDir, listTree, openDescriptors, scratch, shell } from './testing/trees.ts';

jest.setTimeout(120_000);

const key = randomBytes(32);
const { dir: base, done } = scratch();
afterAll(done);

let n = 0;
let room: string;
let source: string;
let target: string;

beforeEach(() => {
  room = emptyDir(base, `case-${n++}`);
  source = path.join(room, 'upload');
  target = path.join(room, 'imported');
});

const importIt = (options: Partial<ImportArchiveOptions> = {}) =>
  importArchive({
    source,
    profile: 'tar',
    workDir: emptyDir(room, 'work'),
    file: target,
    key,
    manifest: () => ({ formatVersion: 1 }),
    threads: 0,
    ...options,
  });

/** The failure; nothing but the upload is left, no descriptor is open. */
async function refusal(options: Partial<ImportArchiveOptions> = {}): Promise<unknown> {
  const before = openDescriptors();
  const failure: unknown = await importIt(options).catch((error: unknown) => error);
  expect(existsSync(target)).toBe(false);
  expect(readdirSync(path.join(room, 'work'))).toEqual([]);
  expect(openDescriptors()).toEqual(before);
  return failure;
}

async function restored(index: number): Promise<ReturnType<typeof listTree>> {
  const out = emptyDir(room, `out-${index}`);
  await verifyArchive(target, { key, depth: 'content', threads: 0 });
  await extractVolumes({ file: target, key, targets: [{ index, dir: out }], threads: 0 });
  return listTree(out);
}

const makeTree = `mkdir -p b/c empty a; echo one > b/c/f; echo two > a/f; : > z; head -c 300000 /dev/urandom > big
  chmod 640 b/c/f; chmod 750 b; touch -d @1500000000.5 b/c a/f z; ln b/c/f a/hard; ln -s ../b/c/f a/sym
  mkdir -p ${'n'.repeat(90)}/${'m'.repeat(90)}; echo long > ${'n'.repeat(90)}/${'m'.repeat(90)}/${'o'.repeat(120)}
  ln -s b/${'t'.repeat(150)} dangling; chown 70000:70001 z; chown 3000000:3000000 a/f 2>/dev/null || true`;

describe('a tree that GNU tar packed', () => {
  test.each([
    ['--format=gnu -cf', ''],
    ['--format=gnu -czf', ''],
    ['--format=gnu --zstd -cf', ''],
    ['--format=posix -cf', ''],
    ['--format=posix -b 1 -cf', ''],
  ])('tar %s: becomes volume 0, whole', async (options) => {
    const tree = emptyDir(room, 'tree');
    shell(tree, makeTree);
    shell(tree, `tar ${options} ${source} .`);
    const { found, entries, contentBytes } = await importIt({ links: 1, threads: 2 });
    const expected = listTree(tree);
    expect(found).toMatchObject({ layout: 'tree', manifest: null, profile: 'tar', notes: [] });
    expect(entries).toBe(Object.keys(expected).length);
    expect(contentBytes).toBe(found.contentBytes);
    if (options.includes('gnu')) {
      for (const one of Object.values(expected)) one.mtime -= one.mtime % 1_000_000n;
    }
    expect(await restored(0)).toEqual(expected);
  });

  test('without an entry of the root the root is made, and that is said', async () => {
    const tree = emptyDir(room, 'tree');
    shell(tree, `mkdir a; echo x > a/f; tar -czf ${source} a`);
    const { found } = await importIt();
    expect(found.notes).toEqual([{ code: 'ROOT_IMPLIED', params: { path: '' } }]);
    expect(await restored(0)).toMatchObject({ '.': { mode: 0o755 }, 'a/f': { content: 'x\n' } });
  });

  test('modes are cut to nine bits, and that is said', async () => {
    const tree = emptyDir(room, 'tree');
    shell(tree, `: > s; chmod 4755 s; mkdir d; chmod 2775 d; tar -cf ${source} s d`);
    const { found } = await importIt();
    expect(found.notes).toEqual([
      { code: 'MODE_CUT', params: { path: 's', mode: '4755' } },
      { code: 'MODE_CUT', params: { path: 'd', mode: '2775' } },
      { code: 'ROOT_IMPLIED', params: { path: '' } },
    ]);
    expect(await restored(0)).toMatchObject({ s: { mode: 0o755 }, d: { mode: 0o775 } });
  });

  test('links only where asked for, and only those that stay inside', async () => {
    const tree = emptyDir(room, 'tree');
    shell(tree, `mkdir d; : > f; ln -s ../f d/up; tar -cf ${source} d f`);
    expect(await refusal()).toMatchObject({ code: 'ARCHIVE_DAMAGED', params: { rule: 'LINK', entry: 'd/up' } });
    await importIt({ links: 1 });
    shell(room, 'rm imported');
    for (const to of ['../../f', '/etc/passwd', 'x/../../../f']) {
      shell(tree, `ln -sfn ${to} d/up; tar -cf ${source} d f`);
      expect(await refusal({ links: 1 })).toMatchObject({ code: 'ARCHIVE_DAMAGED', params: { rule: 'LINK' } });
    }
  });
});

describe('the earlier layout', () => {
  const list = [
    { index: 0, target: '/data', scope: 'stage', source: 'data' },
    { index: 1, target: '/files', scope: 'absolute', source: '/srv/files' },
  ];

  test.each(['manifest.json 0 1', '0 manifest.json 1', './manifest.json ./0 ./1'])(
    '%s: volumes by number',
    async (order) => {
      const tree = emptyDir(room, 'tree');
      shell(tree, 'mkdir -p 0/sub 1; echo a > 0/sub/f; echo b > 1/g; ln 0/sub/f 0/hard; ln -s sub 0/sym');
      writeFileSync(path.join(tree, 'manifest.json'), JSON.stringify(list));
      shell(tree, `tar -czf ${source} ${order}`);
      const { found } = await importIt({
        links: 1,
        manifest: ({ manifest }) => ({ formatVersion: 1, imported: manifest }),
      });
      expect(found).toMatchObject({ layout: 'volumes', manifest: list });
      expect(found.volumes.map(({ index, entries }) => [index, entries])).toEqual([
        [0, 5],
        [1, 2],
      ]);
      for (const index of [0, 1])
        expect(await restored(index)).toMatchObject(shortTimes(listTree(path.join(tree, `${index}`))));
      await using archive = await browseArchive(target, { key, threads: 0 });
      expect(archive.index.manifest).toEqual({ formatVersion: 1, imported: list });
    },
  );

  test.each([
    ['a folder that is not listed', '0 1 2', list],
    ['a listed folder that is missing', '0', list],
    ['an index twice', '0 1', [list[0], list[0], list[1]]],
  ])('MF1 %s is refused', async (_name, folders, manifest) => {
    const tree = emptyDir(room, 'tree');
    shell(tree, `mkdir ${folders}`);
    writeFileSync(path.join(tree, 'manifest.json'), JSON.stringify(manifest));
    shell(tree, `tar -czf ${source} manifest.json ${folders}`);
    expect(await refusal()).toMatchObject({ code: 'ARCHIVE_DAMAGED', params: { rule: 'MANIFEST' } });
  });

  test.each([
    ['text', 'no json'],
    ['no list', '{"name":"an extension"}'],
    ['10^5 levels', '['.repeat(100_000)],
    ['1e308', JSON.stringify([{ ...list[0], index: 1e308 }])],
    ['__proto__', '[{"__proto__":{"index":0},"target":"","scope":"","source":""}]'],
  ])('MF1 a manifest.json that is %s lists no volumes: the tree stays a tree', async (_name, manifest) => {
    const tree = emptyDir(room, 'tree');
    shell(tree, 'mkdir 0');
    writeFileSync(path.join(tree, 'manifest.json'), manifest);
    shell(tree, `tar -czf ${source} manifest.json 0`);
    const { found } = await importIt();
    expect(found).toMatchObject({ layout: 'tree', manifest: null });
  });

  test('a hardlink into another volume is refused', async () => {
    const tree = emptyDir(room, 'tree');
    shell(tree, 'mkdir 0 1; echo x > 0/f; ln 0/f 1/f');
    writeFileSync(path.join(tree, 'manifest.json'), JSON.stringify(list));
    shell(tree, `tar -czf ${source} manifest.json 0 1`);
    expect(await refusal({ links: 1 })).toMatchObject({ params: { rule: 'LINK', entry: '1/f' } });
  });

  test('a symlink from one volume into another is refused', async () => {
    const tree = emptyDir(room, 'tree');
    shell(tree, 'mkdir 0 1; ln -s ../1 0/l');
    writeFileSync(path.join(tree, 'manifest.json'), JSON.stringify(list));
    shell(tree, `tar -czf ${source} manifest.json 0 1`);
    expect(await refusal({ links: 1 })).toMatchObject({ params: { rule: 'LINK', entry: '0/l' } });
  });
});

describe('an archive of another installation', () => {
  const otherKey = randomBytes(32);

  async function foreign(script: string): Promise<string> {
    const tree = emptyDir(room, 'tree');
    shell(tree, script);
    const volumes = [
      { index: 0, root: tree, links: 2 as const },
      { index: 3, root: null, links: 2 as const },
    ];
    await createArchive({ file: source, volumes, manifest: { from: 'elsewhere' }, key: otherKey, threads: 0 });
    return tree;
  }

  test('is packed anew with our key; holes, times and absent volumes are kept', async () => {
    const tree = await foreign(`${makeTree}; rm a/sym dangling; truncate -s 4M hole`);
    await expect(verifyArchive(source, { key, threads: 0 })).rejects.toMatchObject({ code: 'ARCHIVE_TAMPERED' });
    const { found } = await importIt({ profile: 'tiny-forge', links: 1, threads: 2 });
    expect(found).toMatchObject({ manifest: { from: 'elsewhere' }, layout: 'volumes' });
    expect(found.volumes.map(({ index, absent }) => [index, absent])).toEqual([
      [0, false],
      [3, true],
    ]);
    expect(await restored(0)).toEqual(listTree(tree));
    expect(Number(shell(room, 'stat -c %b out-0/hole'))).toBe(0);
  });

  test('its links and modes are a stranger’s', async () => {
    await foreign('ln -s /etc l; : > f; chmod 4755 f');
    expect(await refusal({ profile: 'tiny-forge' })).toMatchObject({ params: { rule: 'LINK' } });
    expect(await refusal({ profile: 'tiny-forge', links: 1 })).toMatchObject({
      params: { rule: 'LINK', entry: '0/l' },
    });
    await foreign('rm l');
    const { found } = await importIt({ profile: 'tiny-forge' });
    expect(found.notes).toEqual([{ code: 'MODE_CUT', params: { path: '0/f', mode: '4755' } }]);
    expect(await restored(0)).toMatchObject({ f: { mode: 0o755 } });
  });

  test('any changed byte is refused', async () => {
    await foreign('head -c 30000 /dev/urandom > r; mkdir d');
    const good = readFileSync(source);
    for (let at = 0; at < good.length; at += 997) {
      const bad = Buffer.from(good);
      bad[at] = (bad[at] as number) ^ 1;
      writeFileSync(source, bad);
      const failure = await refusal({ profile: 'tiny-forge' });
      // The HMAC and the id of a key that we do not have are covered by the checksum of the trailer.
      expect([at, failure]).toEqual([at, expect.objectContaining({ code: 'ARCHIVE_DAMAGED' })]);
    }
  });

  test('as a plain tar it is taken too; a plain tar is no archive of ours', async () => {
    await foreign('echo x > f');
    const { found } = await importIt({ profile: 'tar' });
    expect(found).toMatchObject({ profile: 'tar', layout: 'tree' });
    shell(room, `rm imported; tar -cf ${source} tree`);
    expect(await refusal({ profile: 'tiny-forge' })).toMatchObject({ code: 'ARCHIVE_DAMAGED' });
  });
});

describe('budgets, limits, interruption', () => {
  const some = Buffer.concat([dir('d'), tarFile('d/a', 'x'.repeat(3000)), tarFile('d/b', 'y'.repeat(3000)), EOF]);

  test('B1 content bytes, B2 entries: refused at the header that breaks it', async () => {
    writeFileSync(source, zlib.gzipSync(some));
    for (const budget of [{ maxBytes: 5999 }, { maxEntries: 2 }]) {
      expect(await refusal(budget)).toMatchObject({
        code: 'INSUFFICIENT_SPACE',
        params: { rule: 'BUDGET', entry: 'd/b' },
      });
    }
    await importIt({ maxBytes: 6000, maxEntries: 3 });
  });

  test('B1 a header of 10 GiB over zeros is refused before its content is inflated', async () => {
    writeFileSync(
      source,
      zlib.gzipSync(Buffer.concat([hdr({ name: 'f', size: '77777777777\0' }), Buffer.alloc(64 << 20)])),
    );
    const started = performance.now();
    expect(await refusal({ maxBytes: 1 << 30 })).toMatchObject({ params: { rule: 'BUDGET' } });
    expect(performance.now() - started).toBeLessThan(2000);
  });

  test('B3 a stream of zeros ends quickly', async () => {
    writeFileSync(source, zlib.gzipSync(Buffer.alloc(64 << 20)));
    expect(await refusal()).toMatchObject({ params: { rule: 'EOF' } });
  });

  test('the manifest callback may refuse', async () => {
    writeFileSync(source, some);
    const failure = await refusal({
      manifest: () => {
        throw new Error('not for us');
      },
    });
    expect(failure).toMatchObject({ code: 'IO_ERROR' });
  });

  test('aborted, and over time: nothing is left', async () => {
    shell(room, 'mkdir tree; for i in $(seq 3000); do echo $i > tree/$i; done; tar -cf upload tree');
    const stop = new AbortController();
    const onProgress = (): void => stop.abort();
    expect(await refusal({ threads: 1, signal: stop.signal, onProgress })).toMatchObject({ code: 'CANCELLED' });
    expect(await refusal({ threads: 1, limits: { totalMs: 30 } })).toMatchObject({
      code: 'IO_ERROR',
      params: { rule: 'TIME' },
    });
  });
});

describe('what the import profile refuses of foreign headers', () => {
  test.each<[string, Buffer, string]>([
    ['parent not declared', tarFile('d/f'), 'PARENT'],
    ['L1 a symlink as parent', Buffer.concat([hdr({ name: 'l', type: '2', link: 'x' }), tarFile('l/f')]), 'PARENT'],
    [
      'L2 a directory again as symlink',
      Buffer.concat([dir('d'), hdr({ name: 'd', type: '2', link: 'x' })]),
      'DUPLICATE',
    ],
    [
      'L5 a hardlink, then its name again',
      Buffer.concat([tarFile('a'), hdr({ name: 'b', type: '1', link: 'a' }), tarFile('b')]),
      'DUPLICATE',
    ],
    [
      'L4 a hardlink by another spelling',
      Buffer.concat([tarFile('a'), hdr({ name: 'b', type: '1', link: './a' })]),
      'LINK',
    ],
    ['L4 a hardlink to a later entry', Buffer.concat([hdr({ name: 'b', type: '1', link: 'a' }), tarFile('a')]), 'LINK'],
    ['T2 a directory with a size', Buffer.concat([hdr({ name: 'd/', type: '5', size: 512 }), tarFile('f')]), 'HDR'],
    [
      'S8 x, then L',
      Buffer.concat([pax({ size: '2048' }), hdr({ name: 'L', type: 'L', size: 4, magic: 'ustar  \0' })]),
      'TYPE',
    ],
    [
      'L, then x',
      Buffer.concat([tarFile('././@LongLink', 'a\0', { type: 'L', magic: 'ustar  \0' }), pax({ path: 'b' })]),
      'TYPE',
    ],
    [
      'two L',
      Buffer.concat(Array<Buffer>(2).fill(tarFile('././@LongLink', 'a\0', { type: 'L', magic: 'ustar  \0' }))),
      'PAX',
    ],
    ['L with a NUL inside', tarFile('././@LongLink', 'a\0b\0', { type: 'L', magic: 'ustar  \0' }), 'PAX'],
    ['L without NUL', tarFile('././@LongLink', 'ab', { type: 'L', magic: 'ustar  \0' }), 'PAX'],
    ['L in a POSIX header', tarFile('././@LongLink', 'ab\0', { type: 'L' }), 'TYPE'],
    ['K and the end', tarFile('././@LongLink', 'ab\0', { type: 'K', magic: 'ustar  \0' }), 'PAX'],
    [
      'L with dots',
      Buffer.concat([
        tarFile('././@LongLink', '../x\0', { type: 'L', magic: 'ustar  \0' }),
        tarFile('x', '', { magic: 'ustar  \0' }),
      ]),
      'PATH',
    ],
    ['GNU header with a prefix', tarFile('f', '', { magic: 'ustar  \0', prefix: '../..' }), 'HDR'],
    ['v7', tarFile('f', '', { magic: '\0\0\0\0\0\0\0\0' }), 'MAGIC'],
    ['S12 global header', pax({ path: 'g' }, 'g'), 'TYPE'],
    ['the root twice', Buffer.concat([hdr({ name: './', type: '5' }), hdr({ name: './', type: '5' })]), 'DUPLICATE'],
    ['the root as file', tarFile('./'), 'PATH'],
  ])('%s', async (_name, bytes, rule) => {
    writeFileSync(source, Buffer.concat([bytes, EOF]));
    expect(await refusal({ links: 1 })).toMatchObject({ code: 'ARCHIVE_DAMAGED', params: { rule } });
  });
});

describe('receiving an upload', () => {
  const receive = (from: AsyncIterable<Uint8Array>, more = {}) =>
    receiveArchive({ source: from, file: source, maxBytes: 1 << 20, ...more });

  test('all of it, 0600', async () => {
    const bytes = randomBytes(300_000);
    const seen: number[] = [];
    const received = await receive(Readable.from([bytes.subarray(0, 1000), bytes.subarray(1000)]), {
      onProgress: ({ doneBytes }: { doneBytes: number }) => seen.push(doneBytes),
    });
    expect(received).toMatchObject({ bytes: 300_000 });
    expect(seen).toEqual([1000, 300_000]);
    expect(readFileSync(source).equals(bytes)).toBe(true);
    expect(shell(room, 'stat -c %a upload').trim()).toBe('600');
  });

  async function refused(from: AsyncIterable<Uint8Array>, more = {}): Promise<unknown> {
    const before = openDescriptors();
    const failure: unknown = await receive(from, more).catch((error: unknown) => error);
    expect(existsSync(source)).toBe(false);
    expect(openDescriptors()).toEqual(before);
    return failure;
  }

  test('more than it may be: the sender is stopped', async () => {
    let stopped = false;
    async function* endless(): AsyncGenerator<Buffer> {
      try {
        for (;;) yield Buffer.alloc(65536);
      } finally {
        stopped = true;
      }
    }
    expect(await refused(endless())).toMatchObject({ code: 'INSUFFICIENT_SPACE', params: { rule: 'BUDGET' } });
    expect(stopped).toBe(true);
  });

  test('B4 a sender that stalls, one that drips, one that is aborted', async () => {
    const stalls = new Readable({ read: () => undefined });
    expect(await refused(stalls, { limits: { idleMs: 50 } })).toMatchObject({
      code: 'IO_ERROR',
      params: { rule: 'IDLE' },
    });
    expect(stalls.destroyed).toBe(true);
    async function* drips(): AsyncGenerator<Buffer> {
      for (;;) {
        await new Promise((resolve) => setTimeout(resolve, 10));
        yield Buffer.of(1);
      }
    }
    expect(await refused(drips(), { limits: { idleMs: 5000, totalMs: 100 } })).toMatchObject({
      params: { rule: 'TIME' },
    });
    expect(await refused(drips(), { signal: AbortSignal.timeout(50) })).toMatchObject({ code: 'CANCELLED' });
  });

  test('a sender that breaks off, a file that is there already', async () => {
    async function* breaks(): AsyncGenerator<Buffer> {
      yield Buffer.of(1);
      throw Object.assign(new Error('reset'), { code: 'ECONNRESET', syscall: 'read' });
    }
    expect(await refused(breaks())).toMatchObject({ code: 'IO_ERROR', params: { errno: 'ECONNRESET' } });
    writeFileSync(source, 'mine');
    await expect(receive(Readable.from([]))).rejects.toMatchObject({ code: 'IO_ERROR', params: { errno: 'EEXIST' } });
    expect(readFileSync(source, 'utf8')).toBe('mine');
  });
});

function shortTimes(tree: ReturnType<typeof listTree>): Record<string, object> {
  return Object.fromEntries(Object.entries(tree).map(([name, { mtime: _mtime, ...rest }]) => [name, rest]));
}

test('an imported archive reads like any other', async () => {
  mkdirSync(path.join(room, 'tree'));
  shell(room, `echo x > tree/f; tar -cf upload -C tree .`);
  await importIt();
  const names: string[] = [];
  for await (const one of readEntries(target, { key })) names.push(one.shownPath);
  expect(names).toEqual(['', 'f']);
});
