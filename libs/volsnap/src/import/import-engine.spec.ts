import { execFileSync, spawnSync } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createArchive, verifyArchive } from '@tiny-forge/archive-safe';
import type { WorkloadConfig } from '@tiny-forge/contracts/domain';
import { NodeFsPort } from '../ports/node-fs-port.ts';
import { createImportEngine, type ImportEngineOptions } from './create-import-engine.ts';
import type { ImportEngine, ImportInput } from './import-engine.ts';

const key = randomBytes(32);
const volume = (source: string): WorkloadConfig['volumes'][number] => ({
  scope: 'stage',
  source,
  target: `/${source}`,
  readOnly: false,
  links: 2,
  shared: false,
});
const listed = [{ index: 0, target: '/data', scope: 'stage', source: 'data' }];

let folder: string;
let dataDir: string;
let engine: ImportEngine;

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'tf-import-'));
  dataDir = path.join(folder, 'data');
  mkdirSync(dataDir);
  engine = make();
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const archivePath = (workloadId: string, snapshotId: string): string =>
  path.join(dataDir, 'snapshots', workloadId, `${snapshotId}.tar.zst`);

const make = (more: Partial<ImportEngineOptions> = {}): ImportEngine =>
  createImportEngine({
    dataDir,
    fs: new NodeFsPort(),
    key,
    log: { info: () => undefined, warn: () => undefined, error: () => undefined },
    capture: {
      archivePath,
      remove: async (workloadId, snapshotId) => {
        for (const suffix of ['', '.new']) rmSync(`${archivePath(workloadId, snapshotId)}${suffix}`, { force: true });
        rmSync(path.join(dataDir, 'snapshots', workloadId, `${snapshotId}.json`), { force: true });
      },
    },
    reserve: { fraction: 0, minBytes: 0 },
    threads: 0,
    ...more,
  });

const inputOf = (
  uploadId: string,
  more: Partial<ImportInput> & { volumes?: WorkloadConfig['volumes'] } = {},
): ImportInput => {
  const { volumes = [volume('data')], ...rest } = more;
  return {
    workload: {
      id: 'w1',
      revision: 1,
      name: 'guestbook',
      project: 'demo',
      stage: 'prod',
      config: { volumes } as WorkloadConfig,
    },
    snapshotId: randomUUID(),
    uploadId,
    profile: 'tar',
    links: 0,
    target: null,
    codec: 'zstd',
    ...rest,
  };
};
const context = { signal: new AbortController().signal, onProgress: () => undefined };

async function* chunks(bytes: Buffer, size = 10_000): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function upload(bytes: Buffer, by = engine): Promise<string> {
  const uploadId = randomUUID();
  const { settled } = await by.receive({
    uploadId,
    source: chunks(bytes),
    declaredBytes: null,
    signal: context.signal,
  });
  settled();
  return uploadId;
}

/** A tree packed by the tar of this machine. */
function packed(files: Record<string, string>, ...options: string[]): Buffer {
  const tree = mkdtempSync(path.join(folder, 'tree-'));
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(tree, name)), { recursive: true });
    writeFileSync(path.join(tree, name), content);
  }
  const names = readdirSync(tree).sort().reverse();
  return execFileSync('tar', [...options, '-cf', '-', '-C', tree, ...names], { maxBuffer: 1 << 26 });
}

const left = (): string[] =>
  existsSync(dataDir)
    ? readdirSync(dataDir, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => entry.name)
    : [];
const codeOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => 'no error',
    ({ code, params }: { code: string; params: { rule?: string; entry?: string } }) =>
      params.rule === undefined ? code : `${code} ${params.rule} ${params.entry}`,
  );

describe('what is taken', () => {
  it('a plain tree of GNU tar, as the one volume there is', async () => {
    const input = inputOf(await upload(packed({ 'a.txt': 'one', 'sub/b.txt': 'two' })));
    const made = await engine.import(input, context);
    expect(made).toMatchObject({
      quiesce: 'none',
      volumes: [{ index: 0, target: '/data', scope: 'stage', source: 'data', contentBytes: 6, absent: false }],
      manifest: { formatVersion: 1, volumes: [{ ...listed[0], links: 0 }] },
    });
    expect(made.notes.map(({ code }) => code)).toEqual(['ROOT_IMPLIED']);
    await verifyArchive(made.file, { key, expectedSha256: made.archiveSha256 });
    expect(left().sort()).toEqual([`${input.snapshotId}.json`, `${input.snapshotId}.tar.zst`]);
    expect(await engine.import(input, context)).toEqual(made);
  });

  it('the earlier layout: one gzip member, manifest.json a bare list', async () => {
    const files = { 'manifest.json': JSON.stringify(listed), '0/token': 'snap' };
    const made = await engine.import(inputOf(await upload(packed(files, '--gzip'))), context);
    expect(made.manifest).toEqual({ formatVersion: 1, quiesce: 'none', volumes: [{ ...listed[0], links: 0 }] });
    expect(made.notes).toEqual([]);
  });

  it('an archive of another installation, with what it says of how it was taken', async () => {
    const tree = path.join(folder, 'tree');
    mkdirSync(tree);
    writeFileSync(path.join(tree, 'token'), 'theirs');
    const file = path.join(folder, 'theirs');
    await createArchive({
      file,
      volumes: [
        { index: 0, root: tree, links: 2 },
        { index: 1, root: null, links: 2 },
      ],
      manifest: {
        formatVersion: 1,
        quiesce: 'pause',
        volumes: [
          { ...listed[0], links: 2 },
          { index: 1, target: '/gone', scope: 'stage', source: 'gone', absent: true, links: 2 },
        ],
      },
      key: randomBytes(32),
      codec: 'gzip',
      threads: 0,
    });
    const input = inputOf(await upload(readFileSync(file)), { profile: 'tiny-forge' });
    const made = await engine.import(input, context);
    expect(made).toMatchObject({ quiesce: 'pause', volumes: [{ index: 0 }, { index: 1, absent: true, entries: 0 }] });
    expect(made.notes).toEqual([{ code: 'VOLUME_NOT_IN_CONFIG', params: { target: '/gone' } }]);
    await verifyArchive(made.file, { key });
  });

  it('volumes are matched as for a restore, and what has no place is named', async () => {
    const files = { 'manifest.json': JSON.stringify([{ ...listed[0], source: 'other' }]), '0/token': 'x' };
    const made = await engine.import(inputOf(await upload(packed(files))), context);
    const params = { target: '/data', was: 'stage other', is: 'stage data' };
    expect(made.notes).toEqual([{ code: 'VOLUME_CHANGED', params }]);
  });

  it('a tree for a workload of several volumes is the one that is named', async () => {
    const volumes = [volume('data'), volume('files')];
    const tree = packed({ a: '1' });
    expect(await codeOf(engine.import(inputOf(await upload(tree), { volumes }), context))).toBe(
      'IMPORT_NAMES_NO_VOLUME',
    );
    const made = await engine.import(inputOf(await upload(tree), { volumes, target: '/files' }), context);
    expect(made.manifest.volumes).toMatchObject([{ target: '/files', source: 'files' }]);
  });

  it('links only where they were asked for', async () => {
    const tree = path.join(folder, 'links');
    mkdirSync(tree);
    writeFileSync(path.join(tree, 'a'), '1');
    symlinkSync('a', path.join(tree, 'b'));
    const bytes = execFileSync('tar', ['-cf', '-', '-C', tree, 'a', 'b']);
    expect(await codeOf(engine.import(inputOf(await upload(bytes)), context))).toBe('ARCHIVE_DAMAGED LINK b');
    expect((await engine.import(inputOf(await upload(bytes), { links: 1 }), context)).entries).toBe(3);
  });
});

describe('what is refused leaves nothing but the upload, and discard takes that too', () => {
  const bare = (list: unknown, files: Record<string, string> = { '0/token': 'x' }): Buffer =>
    packed({ 'manifest.json': JSON.stringify(list), ...files });
  it.each<[string, () => Buffer, string, Partial<ImportInput>]>([
    ['bytes that are no tar', () => Buffer.alloc(4096, 0x41), 'ARCHIVE_DAMAGED', {}],
    ['a tar cut off', () => packed({ a: 'x'.repeat(3000) }).subarray(0, 2048), 'ARCHIVE_DAMAGED', {}],
    ['nothing', () => Buffer.alloc(0), 'ARCHIVE_DAMAGED', {}],
    ['a tar that calls itself ours', () => packed({ a: '1' }), 'ARCHIVE_DAMAGED', { profile: 'tiny-forge' }],
    ['another version', () => bare({ formatVersion: 2, volumes: listed }), 'ARCHIVE_DAMAGED VERSION manifest.json', {}],
    [
      'a volume listed twice',
      () => bare([listed[0], { ...listed[0], index: 1 }], { '0/a': '', '1/a': '' }),
      'ARCHIVE_DAMAGED MANIFEST manifest.json',
      {},
    ],
    [
      'an index no snapshot has',
      () => bare([{ ...listed[0], index: 64 }], { '64/a': '' }),
      'ARCHIVE_DAMAGED MANIFEST manifest.json',
      {},
    ],
    ['a volume that is not there', () => bare(listed, {}), 'ARCHIVE_DAMAGED MANIFEST manifest.json', {}],
  ])('%s', async (_what, bytes, code, more) => {
    const input = inputOf(await upload(bytes()), more);
    expect(await codeOf(engine.import(input, context))).toMatch(new RegExp(`^${code}`));
    expect(left()).toEqual([expect.stringMatching(/\.upload$/)]);
    await engine.discard({ workloadId: 'w1', snapshotId: input.snapshotId, uploadId: input.uploadId });
    await engine.discard({ workloadId: 'w1', snapshotId: input.snapshotId, uploadId: input.uploadId });
    expect(left()).toEqual([]);
    expect(await codeOf(engine.import(input, context))).toBe('UPLOAD_LOST');
  });

  it('an import that is aborted', async () => {
    const abort = new AbortController();
    const input = inputOf(await upload(packed({ a: 'x'.repeat(100_000) })));
    abort.abort();
    expect(await codeOf(engine.import(input, { ...context, signal: abort.signal }))).toBe('CANCELLED');
    expect(left()).toHaveLength(1);
  });
});

describe('receiving', () => {
  const receive = (source: AsyncIterable<Uint8Array>, more: { declaredBytes?: number; by?: ImportEngine } = {}) =>
    (more.by ?? engine).receive({
      uploadId: randomUUID(),
      source,
      declaredBytes: more.declaredBytes ?? null,
      signal: context.signal,
    });
  const full = (): ImportEngine => make({ reserve: { fraction: 0, minBytes: Number.MAX_SAFE_INTEGER } });

  it('refuses what the disk has no room for, before a byte is read where the sender says so', async () => {
    async function* never(): AsyncGenerator<Buffer> {
      throw new Error('was read');
    }
    expect(await codeOf(receive(never(), { declaredBytes: 1, by: full() }))).toBe('UPLOAD_TOO_LARGE');
    expect(await codeOf(receive(chunks(Buffer.alloc(10)), { by: full() }))).toBe('UPLOAD_TOO_LARGE');
    expect(left()).toEqual([]);
  });

  it('gives up on a sender that stalls, takes too long or breaks off', async () => {
    const hasty = make({ uploadTimes: { idleMs: 50, totalMs: 10_000 } });
    const brief = make({ uploadTimes: { idleMs: 10_000, totalMs: 50 } });
    async function* drip(): AsyncGenerator<Buffer> {
      for (;;) {
        yield Buffer.from('x');
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    }
    async function* stall(): AsyncGenerator<Buffer> {
      yield Buffer.from('x');
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
    async function* breakOff(): AsyncGenerator<Buffer> {
      yield Buffer.from('x');
      throw Object.assign(new Error('aborted'), { code: 'ECONNRESET' });
    }
    expect(await codeOf(receive(stall(), { by: hasty }))).toBe('UPLOAD_INCOMPLETE');
    expect(await codeOf(receive(drip(), { by: brief }))).toBe('UPLOAD_INCOMPLETE');
    expect(await codeOf(receive(breakOff()))).toBe('UPLOAD_INCOMPLETE');
    expect(left()).toEqual([]);
  });

  it('takes four at once', async () => {
    const gates: (() => void)[] = [];
    async function* held(): AsyncGenerator<Buffer> {
      await new Promise<void>((resolve) => gates.push(resolve));
      yield Buffer.from('x');
    }
    const four = Array.from({ length: 4 }, () => receive(held()));
    expect(await codeOf(receive(chunks(Buffer.from('x'))))).toBe('TOO_MANY_TRANSFERS');
    while (gates.length < 4) await new Promise((resolve) => setTimeout(resolve, 10));
    for (const open of gates) open();
    for (const one of await Promise.all(four)) one.settled();
    expect((await receive(chunks(Buffer.from('x')))).bytes).toBe(1);
  });
});

describe('collecting', () => {
  const nobody = async (): Promise<ReadonlySet<string>> => new Set();

  it('takes what a dead process or an ended operation left, not what is received or needed', async () => {
    const needed = await upload(Buffer.from('needed'));
    const ended = await upload(Buffer.from('ended'));
    const receiving = randomUUID();
    const { settled } = await engine.receive({
      uploadId: receiving,
      source: chunks(Buffer.from('in its request')),
      declaredBytes: null,
      signal: context.signal,
    });
    const { pid } = spawnSync('true');
    const [dead, reused, alive] = [randomUUID(), randomUUID(), randomUUID()];
    const imports = path.join(dataDir, 'imports');
    writeFileSync(path.join(imports, `${dead}.${pid}-123.upload`), '');
    writeFileSync(path.join(imports, `${reused}.1-1.upload`), '');
    const started = readFileSync('/proc/1/stat', 'utf8').split(') ')[1]?.split(' ')[19] ?? '';
    writeFileSync(path.join(imports, `${alive}.1-${started}.upload`), '');
    mkdirSync(path.join(imports, 'work', dead, 'import-x'), { recursive: true });
    mkdirSync(path.join(imports, 'work', needed), { recursive: true });

    const removed = await engine.collect(async () => new Set([needed]));
    expect([...removed].sort()).toEqual([ended, dead, reused].sort());
    expect(readdirSync(path.join(imports, 'work'))).toEqual([needed]);
    expect(
      left()
        .map((name) => name.split('.')[0])
        .sort(),
    ).toEqual([needed, receiving, alive].sort());

    settled();
    expect([...(await engine.collect(nobody))].sort()).toEqual([needed, receiving].sort());
  });

  it('finds nothing in a data folder that never saw an upload', async () => {
    expect(await engine.collect(nobody)).toEqual([]);
  });
});
