import { byteString } from './byte-string.ts';
import { blockSize, typeFlags } from './tar-header.ts';
import type { EntryType } from './entry.ts';
import { damaged } from './refusal.ts';

export interface RawHeader {
  type: EntryType | 'pax';
  name: string;
  mode: number;
  uid: number;
  gid: number;
  size: number;
  mtime: number;
  link: string;
}

const typeOfFlag = new Map<string, EntryType | 'pax'>([
  ...Object.entries(typeFlags).map(([type, flag]) => [flag, type as EntryType] as const),
  ['x', 'pax'],
]);

export function isZeroBlock(block: Buffer): boolean {
  for (let i = 0; i < blockSize; i++) if (block[i] !== 0) return false;
  return true;
}

/** Text up to the first NUL; whatever follows the NUL must be NUL too. */
function textField(block: Buffer, offset: number, width: number): string {
  const field = byteString(block.subarray(offset, offset + width));
  const end = field.indexOf('\0');
  if (end === -1) return field;
  if (/[^\0]/.test(field.slice(end))) throw damaged('HDR', 'A header field has bytes after its end');
  return field.slice(0, end);
}

/** Rule H3: digits over the whole field. The writer emits octal only; base-256 is refused here. */
function octalField(block: Buffer, offset: number, width: number): number {
  const field = block.toString('latin1', offset, offset + width);
  const match = /^ *([0-7]+)[ \0]*$/.exec(field);
  const value = match === null ? Number.NaN : Number.parseInt(match[1] as string, 8);
  if (!Number.isSafeInteger(value)) throw damaged('NUM', 'A header number is not octal over its whole field');
  return value;
}

function checkSum(block: Buffer): void {
  const field = block.toString('latin1', 148, 156);
  if (!/^ *[0-7]+[ \0]*$/.test(field)) throw damaged('SUM', 'A header checksum is not a number');
  let sum = 8 * 0x20;
  for (let i = 0; i < blockSize; i++) if (i < 148 || i >= 156) sum += block[i] as number;
  if (sum !== Number.parseInt(field.trim(), 8)) throw damaged('SUM', 'A header checksum does not match');
}

/** Rules H1 to H5 on one block that is not all zero. */
export function parseHeaderBlock(block: Buffer): RawHeader {
  checkSum(block);
  if (block.toString('latin1', 257, 265) !== 'ustar\x0000') throw damaged('MAGIC', 'A header is not POSIX ustar');
  const type = typeOfFlag.get(String.fromCharCode(block[156] as number));
  if (type === undefined)
    throw damaged('TYPE', 'A header has a type that is not allowed', { flag: block[156] as number });
  for (let i = 500; i < blockSize; i++) {
    if (block[i] !== 0) throw damaged('HDR', 'A header has bytes in its unused part');
  }
  if (textField(block, 265, 32) !== '' || textField(block, 297, 32) !== '') {
    throw damaged('HDR', 'A header names an owner; only numbers are allowed');
  }
  if (octalField(block, 329, 8) !== 0 || octalField(block, 337, 8) !== 0) {
    throw damaged('HDR', 'A header has device numbers');
  }
  const prefix = textField(block, 345, 155);
  const name = textField(block, 0, 100);
  return {
    type,
    name: prefix === '' ? name : `${prefix}/${name}`,
    mode: octalField(block, 100, 8),
    uid: octalField(block, 108, 8),
    gid: octalField(block, 116, 8),
    size: octalField(block, 124, 12),
    mtime: octalField(block, 136, 12),
    link: textField(block, 157, 100),
  };
}
