/** One entry of a tar of ours. Content is held in memory: these archives are a few MiB. */
export interface UstarEntry {
  readonly path: string;
  readonly mode: number;
  readonly type: 'file' | 'directory' | 'symlink';
  readonly content?: Buffer;
  readonly linkTarget?: string;
}

const BLOCK = 512;

/** A plain ustar, deterministic: owner 0:0, mtime 0, entries in the given order. Paths of at most 100 bytes. */
export function writeUstar(entries: readonly UstarEntry[]): Buffer {
  const parts: Buffer[] = [];
  for (const entry of entries) {
    const content = entry.content ?? Buffer.alloc(0);
    parts.push(header(entry, content.length), content, Buffer.alloc((BLOCK - (content.length % BLOCK)) % BLOCK));
  }
  return Buffer.concat([...parts, Buffer.alloc(2 * BLOCK)]);
}

function header(entry: UstarEntry, size: number): Buffer {
  const block = Buffer.alloc(BLOCK);
  const name = entry.type === 'directory' ? `${entry.path.replace(/\/$/, '')}/` : entry.path;
  if (Buffer.byteLength(name) > 100 || Buffer.byteLength(entry.linkTarget ?? '') > 100) {
    throw new RangeError(`path of more than 100 bytes: ${name}`);
  }
  block.write(name, 0);
  block.write(octal(entry.mode, 8), 100);
  block.write(octal(0, 8), 108);
  block.write(octal(0, 8), 116);
  block.write(octal(size, 12), 124);
  block.write(octal(0, 12), 136);
  block.write(' '.repeat(8), 148);
  block.write({ file: '0', symlink: '2', directory: '5' }[entry.type], 156);
  block.write(entry.linkTarget ?? '', 157);
  block.write('ustar\u000000', 257);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\u0000 `, 148);
  return block;
}

const octal = (value: number, width: number): string => `${value.toString(8).padStart(width - 1, '0')}\u0000`;
