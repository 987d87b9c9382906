import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import tar from 'tar-stream';
import {
  createArchive,
  extractVolumes,
  readEntries,
  readIndex,
  verifyArchive,
  type ArchiveEntry,
  type Codec,
  type CreatedArchive,
} from './index.ts';
import { emptyDir, listTree, openDescriptors, scratch, shell } from './testing/trees.ts';

jest.setTimeout(120_000);

const key = randomBytes(32);
const { dir: base, done } = scratch();
const data = emptyDir(base, 'data');
const other = emptyDir(base, 'other');
const manifest = { formatVersion: 1, quiesce: 'none', volumes: [] };
const volumes = [
  { index: 0, root: data, links: 2 as const },
  { index: 1, root: other, links: 2 as const },
  { index: 3, root: null, links: 2 as const },
];

beforeAll(() => {
  writeFileSync(path.join(data, 'frames'), randomBytes((5 << 20) + 77));
  writeFileSync(path.join(data, 'one-frame'), Buffer.alloc((2 << 20) - 512, 'x'));
  writeFileSync(path.join(data, 'one-frame-and-a-byte'), Buffer.alloc((2 << 20) - 511, 'y'));
  shell(
    data,
    `mkdir -p pg_notify 'a b/c' .hidden; echo one > 'a b/c/first'; ln 'a b/c/first' 'a b/second'; chmod 4755 'a b/second'
     ln -s /absolute/target absolute; ln -s ../../up 'a b/up'; ln -s nowhere dangling
     : > empty; : > $'bad\\xff'; : > $'bad\\xfe'; : > $'\\x1b]0;x\\x07'; : > 'back\\\\slash'
     truncate -s 6M sparse; printf end | dd of=sparse bs=1 seek=5000000 conv=notrunc status=none
     chmod 2775 'a b'; chmod 1777 .hidden; chmod 400 frames
     mkdir -p "$(printf 'd%.0s' {1..120})/$(printf 'e%.0s' {1..140})"; : > "$(printf 'n%.0s' {1..255})"
     ln -s "$(printf 't%.0s' {1..300})" long-link
     touch -d '2040-01-01 00:00:00.123456789' 'a b/c/first'; touch -h -d '2001-02-03 04:05:06.999999999' dangling
     touch -d '1999-12-31 23:59:59.999999999' 'a b'; touch -d @1700000000 empty`,
  );
  if (process.getuid?.() === 0) {
    shell(
      data,
      `chown 231072:33 'a b/c/first'; chown -h 70000:70001 dangling; chown 3000000:3000001 pg_notify; chown 999:998 .; chmod 4711 'a b/second'`,
    );
  }
  shell(other, `for i in $(seq 700); do mkdir -p "d$((i % 7))"; echo "$i" > "d$((i % 7))/f$i"; done`);
});

afterAll(done);

async function all(entries: AsyncIterable<ArchiveEntry>): Promise<ArchiveEntry[]> {
  const list: ArchiveEntry[] = [];
  for await (const entry of entries) list.push(entry);
  return list;
}

describe.each<Codec>(['zstd', 'gzip'])('%s', (codec) => {
  const file = path.join(base, `archive.${codec}`);
  let created: CreatedArchive;

  beforeAll(async () => {
    created = await createArchive({ file, volumes, manifest, codec, key, threads: 2 });
  });

  test('restored content equals captured content (I9)', async () => {
    const targets = [0, 1].map((index) => ({ index, dir: emptyDir(base, `out-${codec}`, `${index}`) }));
    const before = openDescriptors();
    const restored = await extractVolumes({ file, key, targets });
    expect(openDescriptors()).toEqual(before);
    expect(listTree(targets[0]!.dir)).toEqual(listTree(data));
    expect(listTree(targets[1]!.dir)).toEqual(listTree(other));
    expect(restored.map((volume) => volume.entries)).toEqual(
      created.volumes.slice(0, 2).map((volume) => volume.entries),
    );
    for (const { entries, fidelity } of restored) {
      expect(fidelity).toEqual({ compared: entries, notKept: [], notCaptured: [] });
    }
    expect(shell(targets[0]!.dir, 'stat -c %b sparse')).toBe(shell(data, 'stat -c %b sparse'));
  });

  test('GNU tar gives exactly that tree, manifest first', () => {
    const out = emptyDir(base, `gnu-${codec}`);
    const flag = codec === 'zstd' ? '--zstd' : '-z';
    expect(shell(base, `tar ${flag} -tf ${file}`).split('\n')[0]).toBe('manifest.json');
    shell(base, `tar --numeric-owner -xpf ${file} ${flag} -C ${out} --warning=no-timestamp`);
    expect(listTree(path.join(out, '0'))).toEqual(listTree(data));
    expect(listTree(path.join(out, '1'))).toEqual(listTree(other));
    expect(shell(out, 'ls')).toBe('0\n1\nmanifest.json\n');
    expect(JSON.parse(readFileSync(path.join(out, 'manifest.json'), 'utf8'))).toEqual(manifest);
  });

  test('tar-stream lists the same entries', async () => {
    const extract = tar.extract();
    // Node's own zstd stream ends at the first frame.
    extract.end(execFileSync(codec, ['-dc'], { input: readFileSync(file), maxBuffer: 1 << 28 }));
    const names: string[] = [];
    for await (const entry of extract) {
      names.push(entry.header.name);
      entry.resume();
    }
    // It decodes names lossily; so does the comparison.
    const own = await all(readEntries(file, { key }));
    const expected = own.map(({ volume, path: inside, type }) => {
      const whole = inside.length === 0 ? `${volume}` : `${volume}/${inside.toString('utf8')}`;
      return type === 'directory' ? `${whole}/` : whole;
    });
    expect(names).toEqual(['manifest.json', ...expected]);
  });

  test('an unchanged tree gives the same bytes, whatever the number of threads', async () => {
    const again = path.join(base, `again.${codec}`);
    const second = await createArchive({ file: again, volumes, manifest, codec, key, threads: 1 });
    expect(second).toEqual(created);
    expect(createHash('sha256').update(readFileSync(again)).digest('hex')).toBe(created.sha256);
    expect(readFileSync(again).length).toBe(created.bytes);
  });

  test('index: manifest, volumes, entries with their hashes', async () => {
    const index = await readIndex(file, { key });
    expect(index).toMatchObject({ codec, manifest, bytes: created.bytes });
    expect(index.volumes.map(({ index: i, absent }) => [i, absent])).toEqual([
      [0, false],
      [1, false],
      [3, true],
    ]);
    const entries = await all(readEntries(file, { key, volume: 0 }));
    const frames = entries.find((entry) => entry.shownPath === 'frames');
    const expected = createHash('sha256')
      .update(readFileSync(path.join(data, 'frames')))
      .digest('hex');
    expect(frames).toMatchObject({ sha256: expected, size: (5 << 20) + 77, mode: 0o400, type: 'file', link: null });
    expect(entries.find((entry) => entry.type === 'hardlink')?.link?.toString()).toMatch(/^a b\//);
    expect(entries.filter((entry) => entry.shownPath.startsWith('bad')).map((e) => e.shownPath)).toEqual([
      'bad\\xfe',
      'bad\\xff',
    ]);
    expect(entries[0]).toMatchObject({ type: 'directory', shownPath: '' });
    expect((await all(readEntries(file, { key }))).length).toBe(created.entries);
  });

  test('leaving the entries early closes everything', async () => {
    const before = openDescriptors();
    for await (const entry of readEntries(file, { key })) if (entry.type === 'file') break;
    expect(openDescriptors()).toEqual(before);
  });

  test.each(['bytes', 'content'] as const)('verify by %s', async (depth) => {
    const seen: number[] = [];
    const verified = await verifyArchive(file, {
      key,
      depth,
      expectedSha256: created.sha256,
      onProgress: ({ doneBytes }) => void seen.push(doneBytes),
    });
    expect(verified).toMatchObject({
      bytes: created.bytes,
      entries: created.entries,
      contentBytes: created.contentBytes,
    });
    expect(seen.length).toBeGreaterThan(0);
  });
});

test('one volume of several, with progress that ends at its total', async () => {
  const file = path.join(base, 'archive.zstd');
  const dir = emptyDir(base, 'single');
  const last = { doneBytes: 0, totalBytes: -1, doneEntries: 0, totalEntries: -1 };
  await extractVolumes({ file, key, targets: [{ index: 1, dir }], onProgress: (p) => void Object.assign(last, p) });
  expect(listTree(dir)).toEqual(listTree(other));
  expect(last.doneBytes).toBe(last.totalBytes);
  expect(last.doneEntries).toBe(last.totalEntries);
});
