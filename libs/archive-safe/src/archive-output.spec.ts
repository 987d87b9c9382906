import { afterAll, expect, test } from '@jest/globals';
import { mkdtempSync } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { ArchiveOutput } from './archive-output.ts';
import type { PackedFrame } from './pack-task.ts';
import { scratch } from './testing/trees.ts';

const { dir: base, done } = scratch();
afterAll(done);
const mebibyte = 1 << 20;

const frameOf = (bytes: number): PackedFrame => ({
  out: new ArrayBuffer(bytes),
  packedBytes: bytes,
  rawBytes: bytes,
  sha256: new Uint8Array(32),
  volume: 0,
  entries: 0,
  contentBytes: bytes,
  index: null,
  indexSha256: null,
  notes: [],
  spare: null,
});

/** An output into a real file, whose early syncs `sync` does. */
async function output(sync: () => Promise<void>): Promise<{ out: ArchiveOutput; handle: FileHandle }> {
  const file = path.join(mkdtempSync(path.join(base, 'case-')), 'out');
  const handle = await open(file, 'wx+');
  handle.datasync = sync;
  const options = { file, key: Buffer.alloc(32), manifest: {}, volumes: [] };
  return { out: new ArchiveOutput(handle, options), handle };
}

test('what was written is synced every 64 MiB while the rest is packed, one sync at a time', async () => {
  let syncs = 0;
  let release = (): void => undefined;
  const { out, handle } = await output(() => {
    syncs++;
    return new Promise((resolve) => {
      release = resolve;
    });
  });
  const seen: number[] = [];
  for (let written = 16; written <= 192; written += 16) {
    await out.frame(frameOf(16 * mebibyte));
    seen.push(syncs);
  }
  // Nothing waits for the sync of the first 64 MiB, and no other one begins beside it.
  expect(seen).toEqual([0, 0, 0, ...Array.from({ length: 9 }, () => 1)]);
  let isWritten = false;
  const written = out.written().then(() => {
    isWritten = true;
  });
  await new Promise(setImmediate);
  expect(isWritten).toBe(false);
  release();
  await written;
  await out.frame(frameOf(mebibyte));
  expect(syncs).toBe(2);
  release();
  await out.written();
  await handle.close();
});

test('an error of an early sync is the error of the archive: the kernel tells it once', async () => {
  const failure = Object.assign(new Error('EIO: i/o error, fdatasync'), { code: 'EIO' });
  let syncs = 0;
  const { out, handle } = await output(() => (syncs++ === 0 ? Promise.reject(failure) : Promise.resolve()));
  await out.frame(frameOf(64 * mebibyte));
  await out.frame(frameOf(64 * mebibyte));
  await out.frame(frameOf(64 * mebibyte));
  await expect(out.finish()).rejects.toBe(failure);
  expect(syncs).toBeGreaterThan(0);
  await handle.close();
});
