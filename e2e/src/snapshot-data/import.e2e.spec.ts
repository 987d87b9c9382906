import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { Operation, Problem, Snapshot } from '@tiny-forge/contracts/domain';
import { archiveOf } from '../harness/archives.ts';
import { isRoot } from '../harness/environment.ts';
import { generationsIn, writeGeneration } from '../harness/generations.ts';
import type { Answer } from '../harness/http-client.ts';
import { LoopDisk } from '../harness/loop-disk.ts';
import { Stack } from '../harness/stack.ts';
import { TestWorkload, type Accepted } from '../harness/test-workload.ts';
import { expectUntouched } from '../harness/untouched.ts';
import { handmadeTar, importFiles, packed, unfinishedUpload, upload, type TarEntry } from '../harness/uploads.ts';
import { eventually } from '../harness/waiting.ts';

const ONE_VOLUME = { volumes: [{ scope: 'stage', source: 'data', target: '/data' }] };
const MIB = 1024 * 1024;

async function imported(app: TestWorkload, answer: Answer<Accepted & Problem>): Promise<Snapshot> {
  await app.done(answer, 'SUCCEEDED');
  const found = await app.stack.api.get<Snapshot>(`${app.path}/snapshots/${answer.body.snapshotId}`);
  expect(found.body).toMatchObject({ kind: 'imported', state: 'READY', operationId: answer.body.operationId });
  expect(importFiles(app.stack.dataDir)).toEqual([]);
  return found.body;
}

async function restored(app: TestWorkload, snapshotId: string): Promise<void> {
  await app.done(await app.restore(snapshotId), 'SUCCEEDED');
  expect((await app.running()).State.Running).toBe(true);
}

const snapshotFiles = (stack: Stack): string[] =>
  fs
    .readdirSync(path.join(stack.dataDir, 'snapshots'), { recursive: true, encoding: 'utf8' })
    .filter((name) => /\./.test(name));

/** GNU headers hold no fractions of a second. */
function toWholeSeconds(folder: string): void {
  for (const name of ['', ...fs.readdirSync(folder, { recursive: true, encoding: 'utf8' })].reverse())
    fs.utimesSync(path.join(folder, name), 1_700_000_000, 1_700_000_000);
}

/** Names, types, modes, owners, content, and times to the microsecond, which is how they are applied. */
function treeOf(folder: string): Record<string, unknown> {
  const names = ['', ...fs.readdirSync(folder, { recursive: true, encoding: 'utf8' })].sort();
  return Object.fromEntries(
    names.map((name) => {
      const place = path.join(folder, name);
      const { mode, uid, gid, mtimeNs } = fs.lstatSync(place, { bigint: true });
      const content = fs.statSync(place).isFile() ? fs.readFileSync(place, 'base64') : null;
      return [name, [mode, uid, gid, mtimeNs / 1_000n, content]];
    }),
  );
}

describe('importing an archive', () => {
  let stack: Stack;
  let app: TestWorkload;

  beforeAll(async () => {
    stack = await Stack.start();
    app = await TestWorkload.create(stack, ONE_VOLUME);
    app.write('live');
    await app.deploy();
    await app.snapshot();
  });
  afterAll(() => stack.destroy());
  afterEach(() => app.write('live'));

  it('of GNU tar: the tree becomes the volume, and is restored', async () => {
    const source = path.join(stack.folder, 'gnu');
    writeGeneration(source, 'snap');
    fs.chmodSync(source, 0o750);
    toWholeSeconds(source);
    const bytes = execFileSync('tar', ['--format=gnu', '-cf', '-', '-C', source, '.'], { maxBuffer: 1 << 26 });
    const snapshot = await imported(app, await upload(app, bytes));
    expect(snapshot.volumes).toMatchObject([{ index: 0, target: '/data', scope: 'stage', source: 'data' }]);
    expect(snapshot.notes).toEqual([]);
    await restored(app, snapshot.id);
    expect(generationsIn(app.directories[0] ?? '')).toEqual(['snap']);
    expect(treeOf(app.directories[0] ?? '')).toEqual(treeOf(source));
  });

  it('of the earlier layout: one gzip member, manifest.json a bare list', async () => {
    const bytes = packed(
      (folder) => {
        const list = [{ index: 0, target: '/data', scope: 'stage', source: 'data' }];
        fs.writeFileSync(path.join(folder, 'manifest.json'), JSON.stringify(list));
        writeGeneration(path.join(folder, '0'), 'early');
      },
      ['--gzip'],
    );
    const snapshot = await imported(app, await upload(app, bytes));
    await restored(app, snapshot.id);
    expect(generationsIn(app.directories[0] ?? '')).toEqual(['early']);
  });

  it('of another installation, downloaded there and uploaded here', async () => {
    const other = await Stack.start({ temporal: stack.temporal });
    try {
      const there = await TestWorkload.create(other, ONE_VOLUME);
      there.write('theirs');
      toWholeSeconds(there.directories[0] ?? '');
      await there.deploy();
      const id = await there.snapshot();
      const bytes = fs.readFileSync(archiveOf(other.dataDir, id));
      const tree = treeOf(there.directories[0] ?? '');
      const snapshot = await imported(app, await upload(app, bytes, { profile: 'tiny-forge' }));
      expect(snapshot.quiesce).toBe('pause');
      await restored(app, snapshot.id);
      expect(treeOf(app.directories[0] ?? '')).toEqual(tree);
    } finally {
      await other.destroy();
    }
  });

  it('that holds a volume the app has not: named at once, and a blocker of the restore', async () => {
    const bytes = packed((folder) => {
      const list = [{ index: 0, target: '/elsewhere', scope: 'stage', source: 'data' }];
      fs.writeFileSync(path.join(folder, 'manifest.json'), JSON.stringify(list));
      writeGeneration(path.join(folder, '0'), 'x');
    });
    const snapshot = await imported(app, await upload(app, bytes));
    expect(snapshot.notes).toEqual([{ code: 'VOLUME_NOT_IN_CONFIG', params: { target: '/elsewhere' } }]);
    const plan = (await app.plan(snapshot.id)).body;
    expect(plan.blockers.map(({ code }) => code)).toEqual(['VOLUME_NOT_IN_CONFIG']);
  });

  const hostile: readonly (readonly [string, readonly TarEntry[] | Buffer, string])[] = [
    ['climbs out', [{ name: '../victim', body: 'x' }], '../victim'],
    ['names an absolute path', [{ name: '/etc/victim', body: 'x' }], '/etc/victim'],
    [
      'goes through a symlink',
      [
        { name: 'd', type: '2', link: '/etc' },
        { name: 'd/victim', body: 'x' },
      ],
      'd',
    ],
    ['holds a symlink', [{ name: 'l', type: '2', link: '/etc/passwd' }], 'l'],
    ['holds a device', [{ name: 'null', type: '3' }], 'null'],
    [
      'has a name twice',
      [
        { name: 'a', body: '1' },
        { name: 'a', body: '2' },
      ],
      'a',
    ],
    ['has no parent for an entry', [{ name: 'no/parent', body: 'x' }], 'no/parent'],
    ['hides a control character', [{ name: 'a\u0007', size: '7777777777x' }], ''],
    ['is cut off', handmadeTar([{ name: 'a', body: 'x'.repeat(5000) }]).subarray(0, 2048), ''],
    ['is followed by another', Buffer.concat([handmadeTar([{ name: 'a' }]), handmadeTar([{ name: 'b' }])]), ''],
  ];
  it.each(hostile)(
    'that %s: refused with code and entry, nothing of it is left, the app is never touched',
    async (_what, entries, entry) => {
      const files = snapshotFiles(stack);
      await expectUntouched(app, async () => {
        const bytes = Buffer.isBuffer(entries) ? entries : handmadeTar(entries);
        const operation = await app.done(await upload(app, bytes), 'FAILED');
        expect(operation.error).toMatchObject({ code: 'ARCHIVE_DAMAGED' });
        expect(operation.error?.params).toHaveProperty('rule');
        if (entry !== '') expect(operation.error?.params['entry']).toBe(entry);
        const { body } = await stack.api.get<Snapshot>(`${app.path}/snapshots/${operation.snapshotId}`);
        expect(body).toMatchObject({ state: 'FAILED', error: { code: 'ARCHIVE_DAMAGED' } });
      });
      expect(importFiles(stack.dataDir)).toEqual([]);
      expect(snapshotFiles(stack)).toEqual(files);
      expect(fs.existsSync('/etc/victim')).toBe(false);
    },
  );

  it('whose sender breaks off: no operation, no snapshot, no file', async () => {
    const before = await app.snapshots();
    const breakOff = unfinishedUpload(app, 100 * MIB, randomBytes(5 * MIB));
    await eventually('some of it lies on disk', () => importFiles(stack.dataDir).length > 0);
    await breakOff();
    await eventually('the upload is gone', () => importFiles(stack.dataDir).length === 0);
    expect(await app.snapshots()).toEqual(before);
    expect(stack.query(`select id from operations where kind = 'import' and ended_at is null`)).toEqual([]);
  });

  it('aborted while it is imported: CANCELLED, nothing left', async () => {
    const bytes = packed((folder) => {
      for (let i = 0; i < 6_000; i++) fs.writeFileSync(path.join(folder, `f${i}`), randomBytes(4096));
    });
    const answer = await upload(app, bytes);
    expect(answer.status).toBe(202);
    await stack.until(answer.body.operationId, 'runs', ({ steps }) => steps[0]?.state === 'RUNNING');
    const abort = await stack.api.post(`/api/operations/${answer.body.operationId}/abort`);
    const operation = await stack.until(answer.body.operationId);
    if (abort.status === 202 && operation.state !== 'SUCCEEDED') {
      expect(operation.state).toBe('CANCELLED');
      expect(snapshotFiles(stack).filter((name) => name.includes(answer.body.snapshotId ?? ''))).toEqual([]);
    }
    expect(importFiles(stack.dataDir)).toEqual([]);
  });

  it('while the server is killed: an upload is gone at its next start', async () => {
    unfinishedUpload(app, 100 * MIB, randomBytes(2 * MIB));
    await eventually('some of it lies on disk', () => importFiles(stack.dataDir).length > 0);
    await stack.kill();
    expect(importFiles(stack.dataDir)).toHaveLength(1);
    await stack.up();
    await eventually('the upload is gone', () => importFiles(stack.dataDir).length === 0);
    expect(stack.query(`select id from operations where kind = 'import' and ended_at is null`)).toEqual([]);
  });

  it.each([
    ['while it is unpacked', { bytes: 3_000_000, path: '/imports/work/' }],
    ['while it is packed anew', { bytes: 1_000_000, path: '\\.tar\\.zst\\.new' }],
    ['before its archive has its name', { call: ['rename'], path: '\\.tar\\.zst\\.new$', when: 'before' as const }],
  ])('the server killed %s: it goes on and succeeds, nothing else is left', async (_when, kill) => {
    const bytes = packed((folder) => writeGeneration(folder, 'killed', { files: 60, bytesPerFile: 100_000 }));
    await stack.stop();
    await stack.up({ kill });
    const answer = await upload(app, bytes);
    expect(answer.status).toBe(202);
    await stack.server.exited;
    await stack.up();
    const operation: Operation = await stack.until(answer.body.operationId);
    expect({ state: operation.state, error: operation.error }).toEqual({ state: 'SUCCEEDED', error: undefined });
    expect(importFiles(stack.dataDir)).toEqual([]);
    expect(snapshotFiles(stack).filter((name) => /\.new$|\.tmp$/.test(name))).toEqual([]);
    await restored(app, answer.body.snapshotId ?? '');
    expect(generationsIn(app.directories[0] ?? '')).toEqual(['killed']);
  });
});

// A disk whose size a test may choose needs root.
(isRoot ? describe : describe.skip)('importing more than the disk has room for', () => {
  let disk: LoopDisk;
  let stack: Stack;
  let app: TestWorkload;

  beforeAll(async () => {
    disk = LoopDisk.make(1_400);
    stack = await Stack.make();
    const imports = path.join(stack.dataDir, 'imports');
    fs.mkdirSync(imports, { recursive: true });
    execFileSync('mount', ['--bind', disk.mountPoint, imports]);
    stack.cleanup.add('mount', () => void execFileSync('umount', [imports]));
    stack.cleanup.add('server', () => stack.stop());
    await stack.up();
    app = await TestWorkload.create(stack, ONE_VOLUME);
    app.write('live');
    await app.deploy();
  });
  afterAll(async () => {
    await stack.destroy();
    disk.destroy();
  });

  const nothing = async (): Promise<void> => {
    expect(importFiles(stack.dataDir)).toEqual([]);
    expect(stack.query(`select id from operations where kind = 'import' and ended_at is null`)).toEqual([]);
  };

  it('is refused at once where the sender says how much it is', async () => {
    const answer = await upload(app, Buffer.alloc(600 * MIB));
    expect([answer.status, answer.body.code]).toEqual([413, 'UPLOAD_TOO_LARGE']);
    await nothing();
    expect(await app.snapshots()).toEqual([]);
  });

  it('is refused on the way where the sender does not say', async () => {
    const endless = Readable.from(
      (function* () {
        for (let i = 0; i < 800; i++) yield Buffer.alloc(MIB);
      })(),
    );
    const answer = await upload(app, endless);
    expect([answer.status, answer.body.code]).toEqual([413, 'UPLOAD_TOO_LARGE']);
    await nothing();
  });

  it('is refused whole where only its content is too much: a bomb of a few KiB', async () => {
    const header = handmadeTar([{ name: 'bomb', size: (2048 * MIB).toString(8).padStart(11, '0') }]).subarray(0, 512);
    const zeros = gzipSync(Buffer.alloc(64 * MIB));
    const bomb = Buffer.concat([
      gzipSync(header),
      ...Array.from({ length: 32 }, () => zeros),
      gzipSync(Buffer.alloc(1024)),
    ]);
    expect(bomb.length).toBeLessThan(4 * MIB);
    const operation = await app.done(await upload(app, bomb), 'FAILED');
    expect(operation.error).toMatchObject({ code: 'INSUFFICIENT_SPACE', params: { rule: 'BUDGET', entry: 'bomb' } });
    await nothing();
  });
});
