import { expect, test } from '@jest/globals';
import { BoundedOutput, LogFrames } from './log-frames.ts';

const frame = (stream: number, text: string): Buffer => {
  const head = Buffer.alloc(8);
  head[0] = stream;
  head.writeUInt32BE(Buffer.byteLength(text), 4);
  return Buffer.concat([head, Buffer.from(text)]);
};

test('frames cut at every byte give the same text', () => {
  const all = Buffer.concat([frame(1, 'one\n'), frame(2, ''), frame(2, 'zwö\n')]);
  for (let cut = 0; cut <= all.length; cut += 1) {
    const output = new BoundedOutput(1000, 'first');
    const frames = new LogFrames((content) => output.push(content));
    frames.push(all.subarray(0, cut));
    frames.push(all.subarray(cut));
    expect(output.toString()).toBe('one\nzwö\n');
  }
});

test.each([
  ['first', 'abcde'],
  ['last', 'fghij'],
] as const)('keeps the %s bytes', (keep, expected) => {
  const output = new BoundedOutput(5, keep);
  for (const piece of ['ab', 'cdef', 'g', 'hij']) output.push(Buffer.from(piece));
  expect(output.toString()).toBe(expected);
});
