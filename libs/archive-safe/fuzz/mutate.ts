import { Random } from '../src/testing/random.ts';
import { writeChecksum } from '../src/tar-header.ts';

const blockSize = 512;
const maxBytes = 16 << 10;
const words = [
  '\0',
  ' ',
  '/',
  './',
  '../',
  '..',
  'ustar\x0000',
  'ustar  \0',
  '././@LongLink',
  'PaxHeader',
  '0000000\0',
  '00000000000\0',
  '77777777777\0',
  '\x80\0\0\0\0\0\0\0\0\0\x02\0',
  '\xff\xff\xff\xff\xff\xff\xff\xff',
  '11 path=a\n',
  '12 path=./a\n',
  '10 size=0\n',
  '12 size=512\n',
  '20 mtime=1700000000\n',
  '15 uid=3000000\n',
  '14 linkpath=a\n',
  '16 comment=hello\n',
  'x',
  'L',
  'K',
  'g',
  '0',
  '1',
  '2',
  '5',
];
/** Offset and width of every field of a header. */
const fields = [
  [0, 100],
  [100, 8],
  [108, 8],
  [116, 8],
  [124, 12],
  [136, 12],
  [148, 8],
  [156, 1],
  [157, 100],
  [257, 8],
  [265, 32],
  [297, 32],
  [329, 8],
  [337, 8],
  [345, 155],
  [500, 12],
] as const;

/** Another input, made of one or two that are known. */
export function mutate(random: Random, input: Buffer, other: Buffer): Buffer {
  let bytes: Buffer = Buffer.from(input);
  for (let left = 1 + random.below(4); left > 0; left--) bytes = mutateOnce(random, bytes, other);
  if (!random.once(4)) mendChecksums(bytes);
  return bytes.subarray(0, maxBytes);
}

function mutateOnce(random: Random, bytes: Buffer, other: Buffer): Buffer {
  const at = random.below(bytes.length + 1);
  const block = random.below((bytes.length >> 9) + 1) * blockSize;
  const theirs = random.below((other.length >> 9) + 1) * blockSize;
  switch (random.below(11)) {
    case 0:
      if (at < bytes.length) bytes[at] = random.below(256);
      return bytes;
    case 1:
      if (at < bytes.length) bytes[at] = (bytes[at] as number) ^ (1 << random.below(8));
      return bytes;
    case 2:
      return bytes.subarray(0, random.once(2) ? at : block);
    case 3:
      return Buffer.concat([bytes.subarray(0, block), bytes.subarray(block + blockSize)]);
    case 4:
      return Buffer.concat([bytes.subarray(0, block + blockSize), bytes.subarray(block)]);
    case 5:
      return Buffer.concat([
        bytes.subarray(0, block),
        other.subarray(theirs, theirs + blockSize * (1 + random.below(4))),
        bytes.subarray(block),
      ]);
    case 6:
      return Buffer.concat([bytes.subarray(0, block), other.subarray(theirs)]);
    case 7: {
      const word = Buffer.from(random.pick(words), 'latin1');
      word.copy(bytes, Math.min(at, Math.max(0, bytes.length - word.length)));
      return bytes;
    }
    case 8: {
      const [offset, width] = random.pick(fields);
      const value = random.once(3)
        ? other.subarray(theirs + offset, theirs + offset + width)
        : Buffer.from(random.pick(words), 'latin1').subarray(0, width);
      if (block + blockSize <= bytes.length) value.copy(bytes, block + offset);
      return bytes;
    }
    case 9: {
      // A size, and right after it content of that size.
      const size = random.pick([0, 1, 10, 511, 512, 513, 1024]);
      if (block + blockSize > bytes.length) return bytes;
      bytes.write(`${size.toString(8).padStart(11, '0')}\0`, block + 124, 'latin1');
      const body = Buffer.alloc(Math.ceil(size / blockSize) * blockSize);
      Buffer.from(random.pick(words), 'latin1').copy(body, 0, 0, size);
      return Buffer.concat([bytes.subarray(0, block + blockSize), body, bytes.subarray(block + blockSize)]);
    }
    default:
      return Buffer.concat([bytes, Buffer.alloc(random.pick([1, 511, 512, 1024, 10_240]))]);
  }
}

/** Every block that looks like a header gets the checksum of what is in it now; else nothing gets past it. */
function mendChecksums(bytes: Buffer): void {
  for (let at = 0; at + blockSize <= bytes.length; at += blockSize) {
    const block = bytes.subarray(at, at + blockSize);
    if (block.toString('latin1', 257, 262) === 'ustar') writeChecksum(block);
  }
}
