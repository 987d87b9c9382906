import { createHash, randomBytes } from 'node:crypto';
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  linkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createArchive, endRestingThreads } from '@tiny-forge/archive-safe';
import { api } from '@tiny-forge/contracts';
import { addSnapshot, addWorkload } from '../testing/state-fixtures.ts';
import type { Answer, TestClient } from '../testing/test-client.ts';
import { TestServer } from '../testing/test-server.ts';

const LARGE = randomBytes(5 * 1024 * 1024 + 17);
const NOT_UTF8 = Buffer.from([0x66, 0xff, 0x2e, 0x74, 0x78, 0x74]);
const HOSTILE = 'e\u202exe\u0007\\"quote.txt';

let server: TestServer;
let client: TestClient;
let workloadId: string;
let snapshotId: string;
let at: string;

/** A real archive of ours behind a row of the catalogue. */
async function archived(root: string): Promise<string> {
  const id = await addSnapshot(server, workloadId);
  const file = server.parts.captureEngine.archivePath(workloadId, id, 'zstd');
  mkdirSync(path.dirname(file), { recursive: true });
  await createArchive({
    file,
    volumes: [
      { index: 0, root, links: 2 },
      { index: 1, root: null, links: 2 },
    ],
    manifest: { formatVersion: 1, quiesce: 'none', volumes: [] },
    key: server.parts.archiveKey,
    codec: 'zstd',
  });
  return id;
}

function makeTree(): string {
  const root = path.join(server.folder, 'tree');
  mkdirSync(path.join(root, 'sub', 'dir'), { recursive: true });
  writeFileSync(path.join(root, 'sub', 'large'), LARGE);
  writeFileSync(path.join(root, 'sub', 'dir', 'ünï.txt'), 'inner\n');
  chmodSync(path.join(root, 'sub', 'dir', 'ünï.txt'), 0o640);
  utimesSync(path.join(root, 'sub', 'dir', 'ünï.txt'), 1_700_000_000.25, 1_700_000_000.25);
  writeFileSync(Buffer.concat([Buffer.from(`${root}/`), NOT_UTF8]), 'bytes\n');
  writeFileSync(path.join(root, HOSTILE), 'hostile\n');
  writeFileSync(path.join(root, 'empty'), '');
  linkSync(path.join(root, 'sub', 'dir', 'ünï.txt'), path.join(root, 'sub', 'hard'));
  symlinkSync('/etc/passwd', path.join(root, 'link'));
  for (let i = 0; i < 30; i++) writeFileSync(path.join(root, 'sub', 'dir', `f${String(i).padStart(2, '0')}`), `${i}`);
  return root;
}

beforeAll(async () => {
  server = await TestServer.start();
  client = await server.token();
  workloadId = await addWorkload(server);
  snapshotId = await archived(makeTree());
  at = `/api/workloads/${workloadId}/snapshots/${snapshotId}`;
});
afterAll(() => server.stop());

const list = (query: string): Promise<Answer> => client.get(`${at}/entries?${query}`);
const said = ({ status, body }: Answer): unknown[] => [status, body?.code];

interface Bytes {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly bytes: Buffer;
}

function content(query: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Bytes> {
  return new Promise((resolve, reject) => {
    const request = http.request(
      {
        host: '127.0.0.1',
        port: server.port,
        method,
        path: `${at}/content?${query}`,
        agent: false,
        headers: { ...client.credentials, ...headers },
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, headers: response.headers, bytes: Buffer.concat(chunks) }),
        );
      },
    );
    request.on('error', reject);
    request.end();
  });
}

describe('a folder of a snapshot', () => {
  it('is told with type, size, mode, owner, time, link and hash, names in byte order', async () => {
    const answer = await list('volume=0');
    expect(answer.status).toBe(200);
    expect(api.snapshotFolder.safeParse(answer.body).error).toBeUndefined();
    expect(answer.body.folder).toMatchObject({ name: '', path: '', path64: '', type: 'directory' });
    expect(answer.body.items.map((item: { name: string }) => item.name)).toEqual([
      'empty',
      'e\\u{202e}xe\\u{7}\\\\"quote.txt',
      'f\\xff.txt',
      'link',
      'sub',
    ]);
    expect(answer.body.items[2]).toMatchObject({ path: null, path64: NOT_UTF8.toString('base64url'), type: 'file' });
    expect(answer.body.items[3]).toMatchObject({ type: 'symlink', link: '/etc/passwd', sha256: null });
    const inner = (await list('volume=0&path=sub/dir')).body.items.at(-1);
    expect(inner).toMatchObject({
      name: 'ünï.txt',
      path: 'sub/dir/ünï.txt',
      mode: 0o640,
      uid: process.getuid?.(),
      size: 6,
      sha256: createHash('sha256').update('inner\n').digest('hex'),
      mtime: '2023-11-14T22:13:20.250000000Z',
    });
    expect((await list('volume=0&path=sub')).body.items[1]).toMatchObject({
      type: 'hardlink',
      link: 'sub/dir/ünï.txt',
    });
  });

  it('comes in pages', async () => {
    const names: string[] = [];
    let query = 'volume=0&path=sub/dir&limit=7';
    for (;;) {
      const { body } = await list(query);
      names.push(...body.items.map((item: { name: string }) => item.name));
      if (body.nextCursor === null) break;
      expect(body.items).toHaveLength(7);
      query = `volume=0&path=sub/dir&limit=7&cursor=${body.nextCursor}`;
    }
    expect(names).toEqual([...Array.from({ length: 30 }, (_, i) => `f${String(i).padStart(2, '0')}`), 'ünï.txt']);
  });

  it.each([
    ['volume=0&path=../etc', 422, 'VALIDATION_FAILED'],
    ['volume=0&path=/sub', 422, 'VALIDATION_FAILED'],
    ['volume=0&path=sub/', 422, 'VALIDATION_FAILED'],
    ['volume=0&path=a%00b', 422, 'VALIDATION_FAILED'],
    ['volume=0&path=a&path64=YQ', 422, 'VALIDATION_FAILED'],
    ['volume=0&path64=Y', 422, 'VALIDATION_FAILED'],
    ['volume=0&cursor=%2B', 422, 'VALIDATION_FAILED'],
    ['volume=-1', 422, 'VALIDATION_FAILED'],
    ['path=sub', 422, 'VALIDATION_FAILED'],
    ['volume=0&limit=1001', 422, 'VALIDATION_FAILED'],
    ['volume=0&depth=1', 422, 'VALIDATION_FAILED'],
    ['volume=1', 404, 'NOT_FOUND'],
    ['volume=7', 404, 'NOT_FOUND'],
    ['volume=0&path=nothing', 404, 'NOT_FOUND'],
    ['volume=0&path=link/passwd', 404, 'NOT_FOUND'],
    ['volume=0&path=sub/large', 422, 'ENTRY_NOT_A_FOLDER'],
    ['volume=0&path=link', 422, 'ENTRY_NOT_A_FOLDER'],
  ])('%s is %i %s', async (query, status, code) => {
    expect(said(await list(query))).toEqual([status, code]);
  });

  it('is 409 of a snapshot that is not ready, 404 of one of another workload, 422 of a missing or foreign file', async () => {
    const creating = await addSnapshot(server, workloadId, 'CREATING');
    const base = `/api/workloads/${workloadId}/snapshots`;
    expect(said(await client.get(`${base}/${creating}/entries?volume=0`))).toEqual([409, 'SNAPSHOT_NOT_READY']);
    expect(said(await client.get(`${base}/${creating}/content?volume=0&path=x`))).toEqual([409, 'SNAPSHOT_NOT_READY']);
    const other = await addWorkload(server);
    expect(said(await client.get(`/api/workloads/${other}/snapshots/${snapshotId}/entries?volume=0`))).toEqual([
      404,
      'NOT_FOUND',
    ]);
    const gone = await addSnapshot(server, workloadId);
    expect(said(await client.get(`${base}/${gone}/entries?volume=0`))).toEqual([422, 'ARCHIVE_MISSING']);
    writeFileSync(server.parts.captureEngine.archivePath(workloadId, gone, 'zstd'), 'not an archive');
    expect(said(await client.get(`${base}/${gone}/entries?volume=0`))).toEqual([422, 'ARCHIVE_DAMAGED']);
  });

  it('needs snapshots:data; who may not even see snapshots finds nothing', async () => {
    const reader = await server.token(['workloads:read', 'snapshots:read']);
    expect(said(await reader.get(`${at}/entries?volume=0`))).toEqual([403, 'FORBIDDEN']);
    expect(said(await reader.get(`${at}/content?volume=0&path=empty`))).toEqual([403, 'FORBIDDEN']);
    const stranger = await server.token(['workloads:read']);
    expect(said(await stranger.get(`${at}/entries?volume=0`))).toEqual([404, 'NOT_FOUND']);
    expect(said(await server.anonymous.get(`${at}/content?volume=0&path=empty`))).toEqual([401, 'UNAUTHENTICATED']);
  });
});

describe('one file of a snapshot', () => {
  it('comes whole, as an attachment that no browser runs', async () => {
    const { status, headers, bytes } = await content('volume=0&path=sub/large');
    expect(status).toBe(200);
    expect(bytes.equals(LARGE)).toBe(true);
    expect(headers).toMatchObject({
      'content-type': 'application/octet-stream',
      'content-length': String(LARGE.length),
      'content-disposition': 'attachment; filename="large"',
      'content-security-policy': "sandbox; default-src 'none'",
      'x-content-type-options': 'nosniff',
      'accept-ranges': 'bytes',
      'cache-control': 'no-store',
      etag: `"${createHash('sha256').update(LARGE).digest('hex')}"`,
    });
    expect((await content('volume=0&path=empty')).bytes).toHaveLength(0);
    expect((await content('volume=0&path=sub/hard')).bytes.toString()).toBe('inner\n');
  });

  it('has a name that misleads nobody', async () => {
    const of = async (query: string): Promise<string | undefined> =>
      (await content(query)).headers['content-disposition'];
    expect(await of('volume=0&path=sub/dir/%C3%BCn%C3%AF.txt')).toBe(
      `attachment; filename="_n_.txt"; filename*=UTF-8''%C3%BCn%C3%AF.txt`,
    );
    expect(await of(`volume=0&path64=${NOT_UTF8.toString('base64url')}`)).toBe('attachment; filename="f_.txt"');
    expect(await of(`volume=0&path=${encodeURIComponent(HOSTILE)}`)).toBe('attachment; filename="e_xe___quote.txt"');
  });

  it.each([
    ['bytes=0-99', 206, [0, 100]],
    ['bytes=2097100-2097200', 206, [2_097_100, 2_097_201]],
    ['bytes=-5', 206, [LARGE.length - 5, LARGE.length]],
    [`bytes=${LARGE.length - 1}-`, 206, [LARGE.length - 1, LARGE.length]],
    ['bytes=100-999999999', 206, [100, LARGE.length]],
    ['bytes=0-1,5-6', 200, [0, LARGE.length]],
    ['bytes=5-4', 200, [0, LARGE.length]],
    ['lines=1-2', 200, [0, LARGE.length]],
  ] as const)('Range %s is %i', async (range, expected, [start, end]) => {
    const { status, headers, bytes } = await content('volume=0&path=sub/large', { range });
    expect(status).toBe(expected);
    expect(bytes.equals(LARGE.subarray(start, end))).toBe(true);
    expect(headers['content-length']).toBe(String(end - start));
    expect(headers['content-range']).toBe(status === 206 ? `bytes ${start}-${end - 1}/${LARGE.length}` : undefined);
  });

  it.each([`bytes=${LARGE.length}-`, 'bytes=-0', 'bytes=999999999999-'])('Range %s is 416', async (range) => {
    const { status, headers, bytes } = await content('volume=0&path=sub/large', { range });
    expect([status, headers['content-range']]).toEqual([416, `bytes */${LARGE.length}`]);
    expect(JSON.parse(bytes.toString())).toMatchObject({ code: 'RANGE_NOT_SATISFIABLE' });
  });

  it('If-Range of another content gives all of it; HEAD gives no byte', async () => {
    const { headers } = await content('volume=0&path=sub/large', {}, 'HEAD');
    expect(headers['content-length']).toBe(String(LARGE.length));
    const same = { range: 'bytes=0-0', 'if-range': headers.etag ?? '' };
    expect((await content('volume=0&path=sub/large', same)).status).toBe(206);
    expect((await content('volume=0&path=sub/large', { ...same, 'if-range': '"x"' })).status).toBe(200);
  });

  it.each([
    ['volume=0&path=sub', 422, 'ENTRY_NOT_A_FILE'],
    ['volume=0', 422, 'ENTRY_NOT_A_FILE'],
    ['volume=0&path=link', 422, 'ENTRY_NOT_A_FILE'],
    ['volume=0&path=nothing', 404, 'NOT_FOUND'],
    ['volume=1&path=x', 404, 'NOT_FOUND'],
    ['volume=0&path=sub/../sub/large', 422, 'VALIDATION_FAILED'],
  ])('%s is %i %s', async (query, status, code) => {
    expect(said(await client.get(`${at}/content?${query}`))).toEqual([status, code]);
  });

  it('of an archive damaged after it was listed breaks the connection, and is never a short good answer', async () => {
    const root = path.join(server.folder, 'to-damage');
    mkdirSync(root);
    writeFileSync(path.join(root, 'large'), LARGE);
    const id = await archived(root);
    const file = server.parts.captureEngine.archivePath(workloadId, id, 'zstd');
    const bytes = readFileSync(file);
    bytes.fill(0x55, bytes.length - 1_000_000, bytes.length - 900_000);
    chmodSync(file, 0o600);
    writeFileSync(file, bytes);
    const request = client.get(`/api/workloads/${workloadId}/snapshots/${id}/content?volume=0&path=large`);
    await expect(request).rejects.toMatchObject({ code: 'ECONNRESET' });
  });
});

describe('resources', () => {
  const descriptors = (): number => readdirSync('/proc/self/fd').length;
  const threads = (): number => readdirSync('/proc/self/task').length;
  const settle = (ms = 300): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

  it('clients that hang up in the middle leave neither descriptor nor thread, and hold no place', async () => {
    const { archives } = (server.app as unknown as { services: { archives: { size: number } } }).services;
    for (let i = 0; i < 20; i++) {
      await new Promise<void>((resolve) => {
        const request = http.get(
          {
            host: '127.0.0.1',
            port: server.port,
            path: `${at}/content?volume=0&path=sub/large`,
            agent: false,
            headers: client.credentials,
          },
          (response) => response.once('data', () => request.destroy()),
        );
        request.on('error', () => undefined);
        request.on('close', () => resolve());
      });
    }
    await settle();
    expect(archives.size).toBeLessThanOrEqual(8);
    await client.delete(at);
    await settle();
    await endRestingThreads();
    const before = [descriptors(), threads()];
    snapshotId = await archived(path.join(server.folder, 'tree'));
    at = `/api/workloads/${workloadId}/snapshots/${snapshotId}`;
    for (let i = 0; i < 10; i++) await content('volume=0&path=sub/large', { range: 'bytes=0-10' });
    await Promise.all(Array.from({ length: 30 }, () => list('volume=0')));
    expect(archives.size).toBeLessThanOrEqual(8);
    expect((await client.delete(at)).status).toBe(204);
    await settle();
    await endRestingThreads();
    expect([descriptors() <= (before[0] ?? 0) + 1, threads() <= (before[1] ?? 0)]).toEqual([true, true]);
  });
});
