import { afterAll, describe, expect, jest, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import {
  existsSync,
  openSync,
  readdirSync,
  renameSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
  closeSync,
} from 'node:fs';
import path from 'node:path';
import {
  createArchive,
  extractVolumes,
  measureTree,
  readEntries,
  type CreatedArchive,
  type LinkTier,
  type Note,
} from './index.ts';
import { Packer } from './pack-task.ts';
import type { PackJob } from './job-cutter.ts';
import { Scan } from './scan-task.ts';
import { emptyDir, listTree, openDescriptors, scratch, shell } from './testing/trees.ts';

jest.setTimeout(120_000);

const key = randomBytes(32);
const { dir: base, done } = scratch();
let serial = 0;
afterAll(done);

function tree(script: string): string {
  const dir = emptyDir(base, `tree-${serial++}`);
  shell(dir, script);
  return dir;
}

function capture(root: string, links: LinkTier = 2, more: object = {}): Promise<CreatedArchive> {
  const file = path.join(base, 'archive');
  return createArchive({ file, volumes: [{ index: 0, root, links }], manifest: {}, key, threads: 0, ...more });
}

async function paths(): Promise<string[]> {
  const list: string[] = [];
  for await (const entry of readEntries(path.join(base, 'archive'), { key })) list.push(entry.shownPath);
  return list;
}

const codes = (notes: Note[]): string[] => notes.map(({ code, params }) => `${code} ${String(params['path'])}`);

describe('what an archive cannot hold is said at capture time (I9)', () => {
  const script = `mkfifo pipe; echo x > file; mkdir d
    python3 -c "import socket; socket.socket(socket.AF_UNIX).bind('sock')"`;

  test('sockets and fifos are left out and noted', async () => {
    const root = tree(script);
    const created = await capture(root);
    expect(codes(created.notes)).toEqual(['SPECIAL_SKIPPED 0/pipe', 'SOCKET_SKIPPED 0/sock']);
    expect(await paths()).toEqual(['', 'd', 'file']);
    const measured = await measureTree(root, { threads: 0 });
    expect(measured).toMatchObject({ entries: 3, contentBytes: 2, inodes: 3, violationCount: 0, notes: created.notes });
  });

  test('tier 0 refuses fifos, symlinks and hardlinks, naming them; a socket is no reason', async () => {
    const root = tree(`${script}; ln -s file $'l\\x1b'; ln file second`);
    await expect(capture(root, 0)).rejects.toMatchObject({
      code: 'VOLUME_NOT_CAPTURABLE',
      kind: 'blocked',
      params: { index: 0, count: 3, paths: '0/l\\u{1b}, 0/pipe, 0/second' },
    });
    expect(readdirSync(base).filter((name) => name.includes('partial'))).toEqual([]);
    expect(await measureTree(root, { links: 0, threads: 0 })).toMatchObject({ violationCount: 3 });
    const plain = tree(`python3 -c "import socket; socket.socket(socket.AF_UNIX).bind('sock')"`);
    expect(codes((await capture(plain, 0)).notes)).toEqual(['SOCKET_SKIPPED 0/sock']);
  });

  test('tier 1 takes links that stay inside, intermediate links resolved', async () => {
    const inside = tree(
      `mkdir -p a/b c; echo x > a/f; ln a/f c/second; ln -s ../a/f c/ok; ln -s a/b up; ln -s up/../f through; ln -s nowhere dangling`,
    );
    const created = await capture(inside, 1);
    expect(created.entries).toBe(10);
    expect(created.notes).toEqual([]);
    const outside = tree(
      `mkdir -p a/b; ln -s .. a/b/up; ln -s up/../../x a/b/two-hops; ln -s /etc absolute; ln -s ../tree-x sibling; ln -s loop loop; ln -s a/b/up fine`,
    );
    await expect(capture(outside, 1)).rejects.toMatchObject({
      code: 'VOLUME_NOT_CAPTURABLE',
      params: { paths: '0/a/b/two-hops, 0/absolute, 0/loop, 0/sibling' },
    });
  });

  test('a name outside of the volume and an mtime before 1970 are noted', async () => {
    const root = tree(`echo x > f; ln f ../outside-${serial}; touch -d '1960-01-01' old; touch -d '1960-01-01' .`);
    expect(codes((await capture(root)).notes)).toEqual([
      'MTIME_CLAMPED 0',
      'MTIME_CLAMPED 0/old',
      'HARDLINK_OUTSIDE 0/f',
    ]);
  });

  test('257 levels are noted at tier 2 and refused below it', async () => {
    const root = emptyDir(base, 'deep');
    shell(root, `for i in $(seq 260); do mkdir d; cd d; done; : > f`);
    const created = await capture(root);
    expect(created.entries).toBe(256);
    expect(created.notes).toMatchObject([{ code: 'PATH_SKIPPED' }]);
    await expect(capture(root, 1)).rejects.toMatchObject({ code: 'VOLUME_NOT_CAPTURABLE' });
  });

  test('exact names at the top can be left out, the same names below stay', async () => {
    const root = tree(`mkdir d keep; : > d/x; : > keep/d; : > y`);
    const volumes = [{ index: 0, root, links: 2 as const, exclude: ['d', 'y'] }];
    await capture(root, 2, { volumes });
    expect(await paths()).toEqual(['', 'keep', 'keep/d']);
  });
});

/** The steps of a capture, with the world changed between the walk and the reading. */
function packAfter(
  root: string,
  change: () => void,
): { notes: Note[]; entries: number; contentBytes: number; packed: number } {
  const fd = openSync(root, 'r');
  const scan = new Scan([{ index: 0, root: fd, links: 2, exclude: [] }]);
  const packer = new Packer({ codec: 'zstd' });
  const jobs: PackJob[] = [];
  for (let job = scan.next(0, []); job !== null; job = scan.next(0, [])) if (job.kind !== 'keep') jobs.push(job);
  change();
  const frames = jobs.map((job) => packer.pack(job, new ArrayBuffer(0)));
  scan.next(jobs.length, []);
  closeSync(fd);
  return {
    notes: frames.flatMap((frame) => frame.notes),
    entries: frames.reduce((sum, frame) => sum + frame.entries, 0),
    contentBytes: frames.reduce((sum, frame) => sum + frame.contentBytes, 0),
    packed: frames.length,
  };
}

describe('a world that changes while it is read', () => {
  const what = (notes: Note[]): string[] =>
    notes.map(({ params }) => `${String(params['path'])} ${String(params['what'])}`);

  test.each<[string, (root: string) => void, string[], number]>([
    ['shrinks', (root) => truncateSync(path.join(root, 'd/f'), 3), ['0/d/f shorter'], 4],
    ['grows', (root) => writeFileSync(path.join(root, 'd/f'), 'much longer than before'), ['0/d/f changed'], 4],
    ['vanishes', (root) => unlinkSync(path.join(root, 'd/f')), ['0/d/f vanished'], 3],
    ['becomes a symlink', (root) => shell(root, 'rm d/f; ln -s /etc/passwd d/f'), ['0/d/f vanished'], 3],
    ['becomes a fifo', (root) => shell(root, 'rm d/f; mkfifo d/f'), ['0/d/f replaced'], 3],
    ['loses its folder', (root) => renameSync(path.join(root, 'd'), path.join(root, 'e')), ['0/d/f vanished'], 3],
    ['has a folder that became a symlink', (root) => shell(root, 'mv d e; ln -s e d'), ['0/d/f vanished'], 3],
  ])('a file that %s', (_name, change, notes, entries) => {
    const root = tree('mkdir d; echo content > d/f; echo other > z');
    const before = openDescriptors();
    const packed = packAfter(root, () => change(root));
    expect(what(packed.notes)).toEqual(notes);
    expect(packed.entries).toBe(entries);
    expect(openDescriptors()).toEqual(before);
  });

  test('a file with two names that loses the first one is still there', () => {
    const root = tree('echo content > a; ln a b');
    const packed = packAfter(root, () => unlinkSync(path.join(root, 'a')));
    expect(packed.entries).toBe(3);
    expect(packed.contentBytes).toBe(8);
  });

  test('a log that is written all the time: the archive is whole and says so', async () => {
    const root = tree('head -c 40000000 /dev/urandom > log');
    const log = path.join(root, 'log');
    let grown = 0;
    const timer = setInterval(() => writeFileSync(log, `line ${grown++}\n`, { flag: 'a' }), 1);
    const created = await capture(root, 2, { threads: 1 }).finally(() => clearInterval(timer));
    expect(created.notes).toMatchObject([{ code: 'CHANGED_WHILE_READ', params: { path: '0/log' } }]);
    const dir = emptyDir(base, 'log-out');
    await extractVolumes({ file: path.join(base, 'archive'), key, targets: [{ index: 0, dir }], threads: 0 });
    expect(Object.keys(listTree(dir))).toEqual(['.', 'log']);
  });
});

describe('the end of a capture', () => {
  const file = path.join(base, 'archive');

  test('aborted in the middle: CANCELLED, no partial file, no thread, no descriptor', async () => {
    const root = tree('for i in 1 2 3 4 5 6; do head -c 6000000 /dev/urandom > f$i; done');
    const before = openDescriptors();
    unlinkSync(file);
    const stop = new AbortController();
    const running = capture(root, 2, { threads: 2, signal: stop.signal, onProgress: () => stop.abort() });
    await expect(running).rejects.toMatchObject({ code: 'CANCELLED', kind: 'cancelled' });
    expect(readdirSync(base).filter((name) => name.startsWith('archive'))).toEqual([]);
    expect(openDescriptors()).toEqual(before);
    await expect(capture(root, 2, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'CANCELLED' });
    expect(existsSync(file)).toBe(false);
  });

  test('a partial file left by a kill is replaced', async () => {
    writeFileSync(`${file}.partial`, 'left over');
    await capture(tree(': > f'));
    expect(existsSync(file)).toBe(true);
    expect(existsSync(`${file}.partial`)).toBe(false);
  });

  test('too little free space: INSUFFICIENT_SPACE before anything is read', async () => {
    const rule = { everyBytes: 1 << 20, everyEntries: 1000, minFreeBytes: 2 ** 60, minFreeInodes: 0 };
    await expect(capture(tree(': > f'), 2, { freeSpaceCheck: rule })).rejects.toMatchObject({
      code: 'INSUFFICIENT_SPACE',
    });
    expect(existsSync(`${file}.partial`)).toBe(false);
  });

  test('a root that is a symlink, a file or missing: IO_ERROR', async () => {
    const root = tree('ln -s / link; : > file');
    for (const name of ['link', 'file', 'missing']) {
      await expect(capture(path.join(root, name))).rejects.toMatchObject({ code: 'IO_ERROR' });
    }
  });
});
