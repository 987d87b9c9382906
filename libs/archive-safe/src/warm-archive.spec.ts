import { afterAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ArchiveOutput } from './archive-output.ts';
import { readTable } from './archive-reader.ts';
import { decodeTable } from './archive-table.ts';
import { createArchive, extractVolumes, readIndex, verifyArchive, warmArchive, type WarmArchive } from './index.ts';
import { deadSpans } from './dead-segment.ts';
import { markOf } from './settled.ts';
import { emptyDir, listTree, openDescriptors, scratch } from './testing/trees.ts';
import { endRestingThreads } from './thread-crew.ts';

jest.setTimeout(120_000);
const { dir: base, done } = scratch();
afterAll(done);
const key = Buffer.alloc(32, 9);

let work: string;
let tree: string;
let file: string;
const request = (more: object = {}) => ({
  file,
  key,
  manifest: { one: 1 },
  volumes: [{ index: 0, root: tree, links: 2 as const }],
  threads: 0,
  ...more,
});
const warmed = (more: object = {}) => warmArchive({ ...request(), ground: 'caller', settledMs: 10, ...more });
const tableOf = (archive: string) => {
  const fd = openSync(archive, 'r');
  try {
    return decodeTable(readTable(fd, key));
  } finally {
    closeSync(fd);
  }
};
async function extracted(archive: string): Promise<ReturnType<typeof listTree>> {
  const dir = emptyDir(mkdtempSync(path.join(work, 'out-')), 'tree');
  await extractVolumes({ file: archive, key, targets: [{ index: 0, dir }], threads: 0 });
  return listTree(dir);
}

beforeEach(async () => {
  work = mkdtempSync(path.join(base, 'case-'));
  tree = emptyDir(work, 'tree');
  file = path.join(work, 'archive');
  emptyDir(tree, 'app');
  for (let i = 0; i < 12; i++) writeFileSync(path.join(tree, 'app', `part-${i}`), Buffer.alloc(700_000, `${i}`));
  writeFileSync(path.join(tree, 'large'), Buffer.alloc(5_000_000, 'large'));
  await sleep(30);
});

describe('what nobody changed', () => {
  test('gives the very archive that a full pass gives', async () => {
    const created = await createArchive(request({ warm: await warmed() }));
    const other = await createArchive(request({ file: `${file}-2` }));
    expect(created).toEqual(other);
    expect(readFileSync(file).equals(readFileSync(`${file}-2`))).toBe(true);
    expect(tableOf(file).stored).toBeUndefined();
  });

  test('is not packed again where something else was', async () => {
    const warm = await warmed();
    writeFileSync(path.join(tree, 'app', 'part-7'), 'new');
    const { sha256 } = await createArchive(request({ warm }));
    const { stored = [] } = tableOf(file);
    expect(stored.filter(({ place }) => place === null).length).toBeGreaterThan(0);
    const large = stored.findIndex(({ segment }) => segment.frames.length > 1);
    const dead = stored.findIndex(({ place }) => place === null);
    expect(stored[large]?.place).toBeGreaterThan(0);
    expect(stored.findLastIndex(({ place }) => place === 1)).toBeGreaterThan(dead);
    await verifyArchive(file, { key, expectedSha256: sha256, depth: 'content', threads: 0 });
    expect(await extracted(file)).toEqual(listTree(tree));
    expect(readdirSync(work).filter((name) => name.startsWith('archive'))).toEqual(['archive']);
  });
});

describe('a content that changed without showing it in size and mtime', () => {
  test.each([
    [
      'written in place, its mtime set back',
      (name: string) => writeFileSync(name, Buffer.alloc(700_000, 'X'), { flag: 'r+' }),
    ],
    [
      'another file of the same size under its name',
      (name: string) => {
        writeFileSync(`${name}~`, Buffer.alloc(700_000, 'X'));
        renameSync(`${name}~`, name);
      },
    ],
  ])('%s', async (_what, change) => {
    const name = path.join(tree, 'app', 'part-3');
    const directory = path.dirname(name);
    const times = [statSync(name), statSync(directory)] as const;
    const warm = await warmed();
    change(name);
    utimesSync(name, times[0].atime, times[0].mtime);
    utimesSync(directory, times[1].atime, times[1].mtime);
    await createArchive(request({ warm }));
    expect(await extracted(file)).toEqual(listTree(tree));
  });

  test('before the pass began, in the same tick of the clock: it is read again', () => {
    const mark = markOf({ synced: 10_000_000_000n, margin: 1_000_000_000n });
    const of = (changed: bigint, size = 0): bigint => mark({ inode: 1n, changed, size })[1];
    expect([of(8_999_999_999n), of(9_000_000_000n) < 0n, of(20_000_000_000n) < 0n]).toEqual([
      8_999_999_999n,
      true,
      true,
    ]);
    expect([of(8_000_000_000n, 256 << 20) < 0n, of(7_999_999_999n, 256 << 20)]).toEqual([true, 7_999_999_999n]);
  });
});

test('what changes while the pass reads is read again', async () => {
  let writes = 0;
  const stop = new AbortController();
  const writer = (async () => {
    while (!stop.signal.aborted) {
      writeFileSync(path.join(tree, 'app', `part-${writes % 12}`), Buffer.alloc(700_000, `now ${writes++}`));
      await sleep(1);
    }
  })();
  const warm = await warmed({ threads: 1 });
  await sleep(20);
  stop.abort();
  await writer;
  expect(writes).toBeGreaterThan(0);
  await createArchive(request({ warm }));
  expect(await extracted(file)).toEqual(listTree(tree));
  expect((await readIndex(file, { key })).notes.filter(({ code }) => code === 'CHANGED_WHILE_READ')).toEqual([]);
});

describe('a pass that is of no use', () => {
  test.each<[string, object]>([
    ['another manifest', { manifest: { two: 2 } }],
    ['another level', { level: 1 }],
  ])('%s: everything is packed', async (_what, more) => {
    const created = await createArchive(request({ ...more, warm: await warmed() }));
    rmSync(file);
    expect(created).toEqual(await createArchive(request(more)));
  });

  test('another directory under the name of a volume', async () => {
    const warm = await warmed();
    renameSync(tree, `${tree}-old`);
    emptyDir(work, 'tree', 'new');
    await createArchive(request({ warm }));
    expect(await extracted(file)).toEqual(listTree(tree));
  });

  test('gzip: none is made', async () => {
    expect(await warmed({ codec: 'gzip' })).toBeUndefined();
    expect(readdirSync(work)).toEqual(['tree']);
  });

  test('its threads wait for the capture, and rest after it or without it', async () => {
    const threads = (): number => readdirSync('/proc/self/task').length;
    await (await warmed())?.discard(); // Node's own threads for file calls start at the first of them
    await endRestingThreads();
    const before = threads();
    for (const end of [
      async (warm: WarmArchive | undefined) => warm?.discard(),
      async (warm: WarmArchive | undefined) => createArchive(request({ threads: 1, warm })),
      async (warm: WarmArchive | undefined) => createArchive(request({ threads: 1, warm, level: 1 })),
    ]) {
      const warm = await warmed({ threads: 1 });
      expect(threads()).toBe(before + 2);
      await end(warm);
      expect(await endRestingThreads()).toBe(2);
      expect(threads()).toBe(before);
    }
  });

  test('one that is aborted when all is packed leaves nothing', async () => {
    const before = openDescriptors();
    const stop = new AbortController();
    const aborting = jest.spyOn(ArchiveOutput.prototype, 'written').mockImplementation(async () => stop.abort());
    await expect(warmed({ signal: stop.signal })).rejects.toMatchObject({ code: 'CANCELLED' });
    aborting.mockRestore();
    expect(openDescriptors()).toEqual(before);
    expect(readdirSync(work)).toEqual(['tree']);
  });

  test('one that is given up or aborted leaves nothing', async () => {
    const before = openDescriptors();
    const warm = await warmed();
    expect(existsSync(`${file}.partial`)).toBe(true);
    await warm?.discard();
    await warm?.discard();
    expect(await warm?.finish(request())).toBeUndefined();
    await expect(warmed({ threads: 1, signal: AbortSignal.timeout(30) })).rejects.toMatchObject({ code: 'CANCELLED' });
    expect(openDescriptors()).toEqual(before);
    expect(readdirSync(work)).toEqual(['tree']);
  });

  test('a capture that fails after it leaves nothing', async () => {
    const before = openDescriptors();
    const warm = await warmed();
    const freeSpaceCheck = { everyBytes: 1, everyEntries: 1, minFreeBytes: Number.MAX_SAFE_INTEGER, minFreeInodes: 0 };
    await expect(createArchive(request({ warm, freeSpaceCheck }))).rejects.toMatchObject({
      code: 'INSUFFICIENT_SPACE',
    });
    expect(openDescriptors()).toEqual(before);
    expect(readdirSync(work)).toEqual(['tree']);
  });
});

test('any changed byte of a dead segment is refused, whatever is wanted of the archive', async () => {
  const warm = await warmed();
  writeFileSync(path.join(tree, 'app', 'part-7'), 'new');
  await createArchive(request({ warm }));
  const good = readFileSync(file);
  const places: number[] = [];
  let at = 0;
  for (const { segment, place } of tableOf(file).stored ?? []) {
    const length = segment.frames.reduce((sum, frame) => sum + frame.packedBytes, segment.indexBytes);
    if (place === null) {
      expect(deadSpans(segment)).toEqual([{ at: 0, length, frame: 0 }]);
      places.push(at, at + 5, at + 8, at + (length >> 1), at + length - 1);
    }
    at += length;
  }
  expect(places.length).toBeGreaterThan(4);
  for (const place of places) {
    const bad = Buffer.from(good);
    bad.writeUInt8(bad.readUInt8(place) ^ 1, place);
    writeFileSync(file, bad);
    await expect(verifyArchive(file, { key, threads: 0 })).rejects.toMatchObject({ code: 'ARCHIVE_DAMAGED' });
    await expect(extracted(file)).rejects.toMatchObject({ code: 'ARCHIVE_DAMAGED' });
  }
});
