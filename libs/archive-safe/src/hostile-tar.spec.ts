import { afterAll, afterEach, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { existsSync, lstatSync, mkdtempSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import zlib from 'node:zlib';
import { checkTar, extractTar, extractVolumes, importArchive, listTar, removeTree } from './index.ts';
import { dir, EOF, file as tarFile, hdr } from './testing/tar-bytes.ts';
import { entry, sealArchive, tarOf } from './testing/seal-archive.ts';
import { emptyDir, listTree, scratch, shell } from './testing/trees.ts';
import { endRestingThreads } from './thread-crew.ts';
import { streamVectors, takenVectors, treeVectors } from './testing/vectors.ts';

jest.setTimeout(120_000);

const key = randomBytes(32);
const { dir: base, done } = scratch();
const victim = emptyDir(base, 'victim');
const source = path.join(base, 'upload');
const target = path.join(base, 'imported');
const workDir = emptyDir(base, 'work');
let canary: unknown;

/** Content, mode, owner, mtime and link count of everything beside the temporary root. */
const victimNow = (): unknown => ({
  tree: listTree(victim),
  links: ['hello', 'd/inner'].map((name) => lstatSync(path.join(victim, name)).nlink),
  changed: ['.', 'hello', 'd'].map((name) => statSync(path.join(victim, name), { bigint: true }).ctimeNs),
});
const openFiles = (): number => readdirSync('/proc/self/fd').length;

beforeAll(() => {
  shell(
    victim,
    'mkdir d; echo secret > hello; echo x > d/inner; ln d/inner d/twin; ln -s hello l; chmod 751 d hello; touch -d @1500000000 hello d .',
  );
  canary = victimNow();
});
// One that rests has descriptors of its own loop, and would end while another test counts.
afterEach(async () => void (await endRestingThreads()));
afterAll(done);

/** What each way of reading a foreign tar says; nothing but the upload and the victim is there afterwards. */
async function refusals(bytes: Buffer, links: 0 | 1 = 1): Promise<string[]> {
  writeFileSync(source, bytes);
  const before = openFiles();
  const rules: string[] = [];
  const attempts = [
    () => checkTar({ file: source, links, threads: 0 }),
    () =>
      importArchive({ source, profile: 'tar', workDir, file: target, key, links, manifest: () => ({}), threads: 0 }),
  ];
  for (const attempt of attempts) {
    const failure = (await attempt().catch((error: unknown) => error)) as {
      code?: string;
      params?: Record<string, unknown>;
    };
    expect(['ARCHIVE_DAMAGED', 'INSUFFICIENT_SPACE']).toContain(failure.code);
    rules.push(String(failure.params?.['rule']));
  }
  expect(existsSync(target)).toBe(false);
  expect(readdirSync(workDir)).toEqual([]);
  expect(openFiles()).toBe(before);
  expect(victimNow()).toEqual(canary);
  return rules;
}

const packings: [string, (bytes: Buffer) => Buffer][] = [
  ['plain', (bytes) => bytes],
  ['gzip', (bytes) => zlib.gzipSync(bytes)],
  ['zstd', (bytes) => zlib.zstdCompressSync(bytes)],
];

describe.each(packings)('a foreign tar, %s', (_packing, pack) => {
  const all: [string, Buffer | Buffer[], string | null][] = [
    ...streamVectors.map(([name, parts, own, foreign = own]): [string, Buffer | Buffer[], string | null] => [
      name,
      parts,
      foreign,
    ]),
    ...treeVectors,
  ];
  test.each(all.filter(([, , rule]) => rule !== null))('%s', async (_name, parts, rule) => {
    const bytes = Buffer.isBuffer(parts) ? parts : Buffer.concat(parts);
    expect(await refusals(pack(bytes))).toEqual([rule, rule]);
  });
});

test.each(takenVectors)('a foreign tar is taken: %s', async (_name, parts, entries) => {
  writeFileSync(source, Buffer.concat(parts));
  const before = openFiles();
  const dir = mkdtempSync(path.join(base, 'taken-'));
  const { totals } = await extractTar({ file: source, dir, links: 1, threads: 0 });
  expect(totals.entries).toBe(entries.length);
  const tree = listTree(dir);
  const listed: string[] = [];
  await listTar({ file: source, links: 1, threads: 0 }, (some) => {
    for (const one of some) {
      const name = one.path.length === 0 ? '.' : one.path.toString('latin1');
      listed.push(name);
      expect(tree[name]).toMatchObject({ uid: one.uid, ...(one.type !== 'symlink' && { mode: one.mode }) });
    }
  });
  expect(listed.filter((name) => name !== '.').sort()).toEqual(
    Object.keys(tree)
      .filter((name) => name !== '.')
      .sort(),
  );
  await removeTree(dir, { threads: 0 });
  expect(openFiles()).toBe(before);
  expect(victimNow()).toEqual(canary);
});

describe('a stream vector inside an archive of ours, with the right key and hashes', () => {
  const root = entry('0', { type: 'directory' });
  const inside = streamVectors.filter(([, parts]) => Buffer.concat([parts].flat()).length < 4 << 20);

  test.each(inside)('%s', async (name, parts, rule) => {
    const hostile = Buffer.concat([parts].flat());
    const raw = Buffer.concat([tarOf([root]), hostile]);
    writeFileSync(source, sealArchive(key, [{ volume: 0, entries: [root], tar: raw }]));
    const before = openFiles();
    const dir = emptyDir(workDir, 'new');
    const failure: unknown = await extractVolumes({
      file: source,
      key,
      targets: [{ index: 0, dir }],
      threads: 0,
    }).catch((e: unknown) => e);
    // A header that is well-formed is no entry of the index, before its padding or the end is seen.
    const late = rule === 'EOF' || rule === 'PAD';
    const rules = hostile.length === 0 ? [] : [rule, ...(late ? ['MANIFEST'] : [])];
    if (rules.length > 0) {
      expect(failure).toMatchObject({ code: 'ARCHIVE_DAMAGED' });
      expect(rules).toContain((failure as { params: { rule: string } }).params.rule);
      expect(readdirSync(dir)).toEqual([]);
    } else {
      expect([name, failure]).toEqual(['Z1 empty', expect.any(Array)]);
    }
    expect(openFiles()).toBe(before);
    expect(victimNow()).toEqual(canary);
    await removeTree(dir, { threads: 0 });
    expect(readdirSync(workDir)).toEqual([]);
  });
});

describe('Z3 the file around a tar', () => {
  const tar = Buffer.concat([dir('d'), tarFile('d/f', 'text'), EOF]);
  const gz = zlib.gzipSync(tar);
  const half = tar.length >> 1;

  test.each<[string, Buffer]>([
    [
      'concatenated gzip members',
      Buffer.concat([zlib.gzipSync(tar.subarray(0, half)), zlib.gzipSync(tar.subarray(half))]),
    ],
    [
      'concatenated zstd frames',
      Buffer.concat([zlib.zstdCompressSync(tar.subarray(0, half)), zlib.zstdCompressSync(tar.subarray(half))]),
    ],
  ])('%s are taken', async (_name, bytes) => {
    writeFileSync(source, bytes);
    expect(await checkTar({ file: source, links: 0, threads: 0 })).toMatchObject({ entries: 2, contentBytes: 4 });
  });

  test.each<[string, Buffer, string]>([
    ['an empty file', Buffer.alloc(0), 'EOF'],
    ['no archive', Buffer.from('no archive at all; '.repeat(60)), 'SUM'],
    ['trailing zeros', Buffer.concat([gz, Buffer.alloc(100)]), 'FRAME'],
    ['trailing 1f', Buffer.concat([gz, Buffer.of(0x1f)]), 'TRUNCATED'],
    ['a member behind the end of the tar', Buffer.concat([gz, zlib.gzipSync(Buffer.from('hidden'))]), 'EOF'],
    ['a second tar in a second member', Buffer.concat([gz, gz]), 'EOF'],
  ])('%s is refused', async (_name, bytes, rule) => {
    expect(await refusals(bytes)).toEqual([rule, rule]);
  });

  test('Z2 cut anywhere: never a partial success', async () => {
    for (const bytes of [gz, zlib.zstdCompressSync(tar), tar]) {
      for (let end = 0; end < bytes.length; end += bytes === tar ? 64 : 1) {
        writeFileSync(source, bytes.subarray(0, end));
        await expect(checkTar({ file: source, links: 0, threads: 0 })).rejects.toMatchObject({
          code: 'ARCHIVE_DAMAGED',
        });
      }
    }
    expect(await refusals(gz.subarray(0, -1))).toEqual(['TRUNCATED', 'TRUNCATED']);
  });
});

describe('bombs', () => {
  test('B1 more content than allowed: nothing is inflated beyond the header that says so', async () => {
    const bomb = zlib.gzipSync(
      Buffer.concat([tarFile('small'), hdr({ name: 'big', size: '77777777777\0' }), Buffer.alloc(32 << 20)]),
    );
    writeFileSync(source, bomb);
    const started = performance.now();
    const failure: unknown = await checkTar({ file: source, links: 0, maxBytes: 1 << 30, threads: 0 }).catch(
      (e: unknown) => e,
    );
    expect(failure).toMatchObject({ code: 'INSUFFICIENT_SPACE', params: { rule: 'BUDGET', entry: 'big' } });
    expect(performance.now() - started).toBeLessThan(1000);
  });

  test('B2 200,000 empty entries in a megabyte', async () => {
    const header = hdr({ name: 'f' });
    const entries = Buffer.concat(Array<Buffer>(200_000).fill(header));
    for (let i = 0; i < 200_000; i++) {
      const block = entries.subarray(i * 512, i * 512 + 512);
      hdr({ name: `f${i}` }).copy(block);
    }
    writeFileSync(source, zlib.gzipSync(entries, { level: 1 }));
    const failure: unknown = await checkTar({ file: source, links: 0, maxEntries: 100_000, threads: 0 }).catch(
      (e: unknown) => e,
    );
    expect(failure).toMatchObject({ code: 'INSUFFICIENT_SPACE', params: { rule: 'BUDGET', entry: 'f100000' } });
  });

  test('B3 64 MiB of zeros', async () => {
    expect(await refusals(zlib.gzipSync(Buffer.alloc(64 << 20)))).toEqual(['EOF', 'EOF']);
  });
});

test('C2 a thousand refusals leak no descriptor', async () => {
  writeFileSync(source, Buffer.concat([dir('d'), tarFile('d/f'), tarFile('d/f'), EOF]));
  const before = openFiles();
  for (let i = 0; i < 1000; i++) {
    await expect(checkTar({ file: source, links: 0, threads: 0 })).rejects.toMatchObject({
      params: { rule: 'DUPLICATE' },
    });
  }
  const dir0 = emptyDir(base, 'c2');
  for (let i = 0; i < 100; i++) {
    await expect(extractTar({ file: source, dir: dir0, threads: 0 })).rejects.toMatchObject({
      params: { rule: 'DUPLICATE' },
    });
  }
  expect(openFiles()).toBe(before);
});
