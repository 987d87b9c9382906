import { createHash, randomBytes } from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Problem, SnapshotEntry, SnapshotFolder } from '@tiny-forge/contracts/domain';
import type { Answer } from '../harness/http-client.ts';
import { Stack } from '../harness/stack.ts';
import { TestWorkload } from '../harness/test-workload.ts';
import { sleep } from '../harness/waiting.ts';

const LARGE = randomBytes(24 * 1024 * 1024 + 5);
/** Bytes that are no UTF-8, an escape sequence, a right-to-left override, a backslash, a quote, a line break, 250 bytes. */
const NAMES = [
  Buffer.from([0x62, 0x61, 0x64, 0xff, 0xfe]),
  Buffer.from('esc\x1b[31mred'),
  Buffer.from('txt\u202egpj.exe'),
  Buffer.from('back\\slash"quote'),
  Buffer.from('line\nbreak'),
  Buffer.from('ünïcödé 文件'),
  Buffer.from('x'.repeat(250)),
];

describe('looking into a snapshot', () => {
  let stack: Stack;
  let app: TestWorkload;
  let at: string;
  let live: string;

  beforeAll(async () => {
    stack = await Stack.start();
    app = await TestWorkload.create(stack);
    app.write('snap');
    live = app.directories[0] ?? '';
    fs.writeFileSync(path.join(live, 'large'), LARGE);
    fs.mkdirSync(path.join(live, 'names'));
    for (const name of NAMES) fs.writeFileSync(within('names', name), Buffer.concat([Buffer.from('of '), name]));
    fs.symlinkSync('/etc/passwd', path.join(live, 'link'));
    fs.linkSync(path.join(live, 'token'), path.join(live, 'hard'));
    fs.mkdirSync(path.join(live, 'many'));
    for (let i = 0; i < 450; i++) fs.writeFileSync(path.join(live, 'many', `f${i}`), `${i}`);
    await app.deploy();
    const snapshotId = await app.snapshot();
    at = `${app.path}/snapshots/${snapshotId}`;
  });
  afterAll(() => stack.destroy());

  const within = (folder: string, name: Buffer): Buffer => Buffer.concat([Buffer.from(`${live}/${folder}/`), name]);
  const entries = (query: string): Promise<Answer<SnapshotFolder & Problem>> => stack.api.get(`${at}/entries?${query}`);

  interface Content {
    readonly status: number;
    readonly headers: http.IncomingHttpHeaders;
    readonly bytes: Buffer;
  }

  function content(query: string, headers: Record<string, string> = {}): Promise<Content> {
    return new Promise((resolve, reject) => {
      const request = http.get(
        {
          host: '127.0.0.1',
          port: stack.port,
          path: `${at}/content?${query}`,
          agent: false,
          headers: { ...stack.api.credentials, ...headers },
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
    });
  }

  async function folder(path64: string): Promise<SnapshotEntry[]> {
    const items: SnapshotEntry[] = [];
    for (let cursor = ''; ;) {
      const { status, body, text } = await entries(`volume=0&path64=${path64}&limit=100${cursor}`);
      if (status !== 200) throw new Error(`${status} ${text}`);
      items.push(...body.items);
      if (body.nextCursor === null) return items;
      cursor = `&cursor=${body.nextCursor}`;
    }
  }

  it('folder by folder is what was captured: names, types, sizes, modes, owners, times, links, hashes', async () => {
    let seen = 0;
    const walk = async (path64: string): Promise<void> => {
      const items = await folder(path64);
      const place = Buffer.concat([Buffer.from(`${live}/`), Buffer.from(path64, 'base64url')]);
      const onDisk = fs.readdirSync(place, { encoding: 'buffer' }).sort((a, b) => a.compare(b));
      const names = items
        .map((item) => Buffer.from(item.path64, 'base64url'))
        .map((p) => p.subarray(p.lastIndexOf('/') + 1));
      expect(names).toEqual(onDisk);
      for (const item of items) {
        seen += 1;
        const full = Buffer.concat([Buffer.from(`${live}/`), Buffer.from(item.path64, 'base64url')]);
        const stat = fs.lstatSync(full, { bigint: true });
        expect(item).toMatchObject({ mode: Number(stat.mode & 0o7777n), uid: Number(stat.uid), gid: Number(stat.gid) });
        expect(Date.parse(item.mtime ?? '')).toBe(Number(stat.mtimeMs));
        if (item.type === 'directory') await walk(item.path64);
        if (item.type === 'symlink') expect(Buffer.from(item.link64 ?? '', 'base64url').toString()).toBe('/etc/passwd');
        if (item.type !== 'file') continue;
        expect(item.size).toBe(Number(stat.size));
        expect(item.sha256).toBe(createHash('sha256').update(fs.readFileSync(full)).digest('hex'));
      }
    };
    await walk('');
    expect(seen).toBeGreaterThan(470);
    const both = (await folder('')).filter(({ name }) => name === 'hard' || name === 'token');
    expect(both.map(({ type }) => type).sort()).toEqual(['file', 'hardlink']);
    expect(both.find(({ type }) => type === 'hardlink')?.link).toBe('hard');
  });

  it('every name comes back as its own bytes and is downloaded by them; no answer carries a raw control character', async () => {
    const items = await folder(Buffer.from('names').toString('base64url'));
    expect(items).toHaveLength(NAMES.length);
    for (const item of items) {
      expect(item.name).not.toMatch(/[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/);
      const bytes = Buffer.from(item.path64, 'base64url');
      const name = bytes.subarray(bytes.lastIndexOf('/') + 1);
      const answer = await content(`volume=0&path64=${item.path64}`);
      expect(answer.bytes).toEqual(Buffer.concat([Buffer.from('of '), name]));
      expect(answer.headers['content-disposition']).toMatch(
        /^attachment; filename="[ !#-[\]-~]*"(; filename\*=UTF-8''[\w.!#$&+^`|~%-]+)?$/,
      );
      if (item.path !== null) {
        const same = await content(`volume=0&path=${encodeURIComponent(item.path)}`);
        expect(same.bytes).toEqual(answer.bytes);
      }
    }
    expect(items.filter(({ path: text }) => text === null)).toHaveLength(1);
  });

  it('a file comes whole, in ranges that make the whole, and never as anything a browser would show', async () => {
    const whole = await content('volume=0&path=large');
    expect(whole.bytes.equals(LARGE)).toBe(true);
    expect(whole.headers).toMatchObject({
      'content-type': 'application/octet-stream',
      'content-length': String(LARGE.length),
      'x-content-type-options': 'nosniff',
      'content-security-policy': "sandbox; default-src 'none'",
      'content-disposition': 'attachment; filename="large"',
    });
    const step = 5_000_001;
    const parts: Buffer[] = [];
    for (let start = 0; start < LARGE.length; start += step) {
      const range = `bytes=${start}-${start + step - 1}`;
      const part = await content('volume=0&path=large', { range, 'if-range': whole.headers.etag ?? '' });
      expect([part.status, part.headers['content-range']]).toEqual([
        206,
        `bytes ${start}-${Math.min(start + step, LARGE.length) - 1}/${LARGE.length}`,
      ]);
      parts.push(part.bytes);
    }
    expect(Buffer.concat(parts).equals(LARGE)).toBe(true);
    const beyond = await content('volume=0&path=large', { range: `bytes=${LARGE.length}-` });
    expect([beyond.status, beyond.headers['content-range']]).toEqual([416, `bytes */${LARGE.length}`]);
  });

  it.each([
    ['entries', 'volume=0&path=..', 422],
    ['entries', 'volume=0&path=/etc', 422],
    ['content', 'volume=0&path=names/../token', 422],
    ['content', 'volume=0&path=link', 422],
    ['entries', 'volume=0&path=link', 422],
    ['content', 'volume=0&path=link/x', 404],
    ['content', 'volume=0&path=names', 422],
    ['entries', 'volume=0&path=token', 422],
    ['content', 'volume=0&path=nothing', 404],
    ['entries', 'volume=9', 404],
    ['entries', '', 422],
  ])('%s?%s is %i', async (what, query, status) => {
    expect((await stack.api.get(`${at}/${what}?${query}`)).status).toBe(status);
  });

  it('readers who hang up or never read cost nothing that lasts', async () => {
    const descriptors = (): number => fs.readdirSync(`/proc/${stack.server.pid}/fd`).length;
    await entries('volume=0');
    await sleep(11_000);
    const before = descriptors();
    const hangUp = (): Promise<void> =>
      new Promise((resolve) => {
        const request = http.get(
          {
            host: '127.0.0.1',
            port: stack.port,
            path: `${at}/content?volume=0&path=large`,
            agent: false,
            headers: stack.api.credentials,
          },
          (response) => response.once('data', () => request.destroy()),
        );
        request.on('error', () => undefined);
        request.on('close', () => resolve());
      });
    await Promise.all(Array.from({ length: 25 }, hangUp));
    const answers = await Promise.all(Array.from({ length: 25 }, () => entries('volume=0&path=many')));
    expect(answers.map(({ status }) => status)).toEqual(Array(25).fill(200));
    await sleep(11_000);
    expect(descriptors()).toBeLessThanOrEqual(before);
  });
});
