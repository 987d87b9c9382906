import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import type { Readable } from 'node:stream';
import type { Problem } from '@tiny-forge/contracts/domain';
import { temporaryFolder } from './environment.ts';
import type { Answer } from './http-client.ts';
import type { Accepted, TestWorkload } from './test-workload.ts';

export interface UploadOptions {
  readonly profile?: string;
  readonly query?: string;
  readonly timeoutMs?: number;
}

/** Sends an archive to a workload. A stream goes in chunks, without a length; its answer may come before it ends. */
export function upload(
  app: TestWorkload,
  body: Buffer | Readable,
  { profile = 'tar', query = '', timeoutMs = 120_000 }: UploadOptions = {},
): Promise<Answer<Accepted & Problem>> {
  const address = `${app.path}/snapshots/import${query}`;
  const headers = { 'x-import-profile': profile, 'content-type': 'application/octet-stream' };
  if (Buffer.isBuffer(body)) {
    return app.stack.api.raw({ method: 'POST', path: address, headers, body, timeoutMs });
  }
  return new Promise((resolve, reject) => {
    const request = http.request(
      {
        host: '127.0.0.1',
        port: app.stack.port,
        method: 'POST',
        path: address,
        agent: false,
        headers: { ...app.stack.api.credentials, ...headers },
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () => {
          body.destroy();
          const text = Buffer.concat(chunks).toString();
          const { statusCode: status = 0, headers: given } = response;
          resolve({ status, headers: given, text, body: JSON.parse(text) as Accepted & Problem });
        });
      },
    );
    request.setTimeout(timeoutMs, () => request.destroy(new Error('no answer to an upload')));
    request.on('error', reject);
    body.on('error', () => undefined);
    body.pipe(request);
  });
}

/** Begins an upload of so many bytes and sends the first of them. @returns breaks it off; resolves when the connection is gone */
export function unfinishedUpload(app: TestWorkload, declared: number, first: Buffer): () => Promise<void> {
  const request = http.request({
    host: '127.0.0.1',
    port: app.stack.port,
    method: 'POST',
    path: `${app.path}/snapshots/import`,
    agent: false,
    headers: {
      ...app.stack.api.credentials,
      'x-import-profile': 'tar',
      'content-type': 'application/octet-stream',
      'content-length': String(declared),
    },
  });
  const closed = new Promise<void>((resolve) => request.on('close', () => resolve()));
  request.on('error', () => undefined);
  request.write(first);
  return () => {
    request.destroy();
    return closed;
  };
}

/** Files of uploads and of work, anywhere below the folder of imports. */
export function importFiles(dataDir: string): string[] {
  const folder = path.join(dataDir, 'imports');
  if (!fs.existsSync(folder)) return [];
  return fs
    .readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() || entry.parentPath.includes('/work/'))
    .map((entry) => path.join(entry.parentPath, entry.name))
    .filter((file) => !file.includes('/lost+found'));
}

/** A tree packed with the tar of this machine. */
export function packed(write: (folder: string) => void, options: readonly string[] = []): Buffer {
  const folder = temporaryFolder('pack');
  try {
    write(folder);
    const names = fs.readdirSync(folder).sort().reverse();
    return execFileSync('tar', [...options, '-cf', '-', '-C', folder, '--', ...names], { maxBuffer: 1 << 29 });
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

export interface TarEntry {
  readonly name: string;
  readonly type?: string;
  readonly body?: string;
  readonly link?: string;
  readonly mode?: string;
  /** The size the header claims; else that of `body`. */
  readonly size?: string;
}

/** A ustar archive of entries that no tar program would write. */
export function handmadeTar(entries: readonly TarEntry[]): Buffer {
  const blocks = entries.flatMap(({ name, type = '0', body = '', link = '', mode = '0000644', size }) => {
    const header = Buffer.alloc(512);
    const put = (text: string, at: number): void => void header.write(text, at, 'latin1');
    put(name, 0);
    put(`${mode}\0`, 100);
    put('0000000\0', 108);
    put('0000000\0', 116);
    put(`${size ?? body.length.toString(8).padStart(11, '0')}\0`, 124);
    put('00000000000\0', 136);
    put('        ', 148);
    put(type, 156);
    put(link, 157);
    put('ustar\x0000', 257);
    const sum = header.reduce((total, byte) => total + byte, 0);
    put(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
    const content = Buffer.alloc(Math.ceil(body.length / 512) * 512);
    content.write(body, 'latin1');
    return [header, content];
  });
  return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}
