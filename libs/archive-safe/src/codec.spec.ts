import { describe, expect, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import zlib from 'node:zlib';
import { FrameCompressor, FrameInflater, hiddenLength, unwrapHidden, wrapHidden, type Codec } from './codec.ts';
import { ZstdContext } from './zstd-context.ts';

test('this Node has what one context for many frames takes', () => {
  expect(ZstdContext.works).toBe(true);
});

const { ZSTD_c_checksumFlag: checksum, ZSTD_c_contentSizeFlag: contentSize, ZSTD_c_windowLog: window } = zlib.constants;
const raw = Buffer.concat([randomBytes(3000), Buffer.alloc(9000, 'text ')]);

function inflate(codec: Codec, frame: Buffer, size = raw.length): Buffer {
  return Buffer.from(new FrameInflater(codec).inflate(frame, size));
}

describe.each<Codec>(['zstd', 'gzip'])('%s', (codec) => {
  test('frames are independent and do not depend on what was packed before', () => {
    const compressor = new FrameCompressor({ codec });
    const first = Buffer.from(compressor.compress(raw));
    compressor.compress(randomBytes(2 << 20));
    expect(Buffer.from(compressor.compress(raw))).toEqual(first);
    expect(Buffer.from(new FrameCompressor({ codec }).compress(raw))).toEqual(first);
    expect(inflate(codec, first)).toEqual(raw);
    compressor.close();
  });

  test('a frame of another size, cut, longer or twice is refused', () => {
    const frame = Buffer.from(new FrameCompressor({ codec }).compress(raw));
    const bad = [
      frame.subarray(0, -1),
      frame.subarray(0, 20),
      Buffer.concat([frame, Buffer.of(0)]),
      Buffer.concat([frame, frame]),
    ];
    for (const one of bad)
      expect(() => inflate(codec, one)).toThrow(expect.objectContaining({ code: 'ARCHIVE_DAMAGED' }));
    for (const size of [0, raw.length - 1, raw.length + 1, 9 << 20])
      expect(() => inflate(codec, frame, size)).toThrow();
  });

  test.each([1, 100, 64_999, 65_000, 65_001, 200_000])(
    'a hidden payload of %i bytes is invisible and exact',
    (size) => {
      const payload = randomBytes(size);
      const container = wrapHidden(payload, codec);
      expect(container).toHaveLength(hiddenLength(size, codec));
      expect(unwrapHidden(container, codec)).toEqual(payload);
      for (const at of [0, 3, 5, 9, 11, container.length - 1]) {
        const bad = Buffer.from(container);
        bad[at] = (bad[at] as number) ^ 1;
        if (codec === 'gzip' || at < 8)
          expect(() => unwrapHidden(bad, codec)).toThrow(expect.objectContaining({ code: 'ARCHIVE_DAMAGED' }));
      }
    },
  );
});

test('gzip members with a hidden payload inflate to nothing', () => {
  const container = wrapHidden(randomBytes(100_000), 'gzip');
  expect(zlib.gunzipSync(Buffer.concat([zlib.gzipSync('a'), container, zlib.gzipSync('b')])).toString()).toBe('ab');
});

test.each<[string, Buffer]>([
  ['no checksum', zlib.zstdCompressSync(raw, { pledgedSrcSize: raw.length })],
  ['no content size', zlib.zstdCompressSync(raw, { params: { [checksum]: 1, [contentSize]: 0 } })],
  ['a window of 128 MiB', zlib.zstdCompressSync(raw, { params: { [checksum]: 1, [contentSize]: 0, [window]: 27 } })],
  ['no zstd', Buffer.from('not a frame at all, not at all')],
])('a zstd frame with %s is refused by its header', (_name, frame) => {
  expect(() => inflate('zstd', frame)).toThrow(expect.objectContaining({ code: 'ARCHIVE_DAMAGED' }));
});
