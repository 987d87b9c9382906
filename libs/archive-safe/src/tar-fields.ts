import { byteString } from './byte-string.ts';
import { blockSize, typeFlags } from './tar-header.ts';
import type { EntryType } from './entry.ts';
import type { PrefixType, RawHeader } from './tar-dialect.ts';
import { damaged } from './refusal.ts';

const ownFlags = new Map<string, EntryType | PrefixType>([
  ...Object.entries(typeFlags).map(([type, flag]) => [flag, type as EntryType] as const),
  ['x', 'pax'],
]);

/** Rule H4: NUL is an old way to say file. */
const importedFlags = new Map<string, EntryType | PrefixType>([
  ...ownFlags,
  ['\0', 'file'],
  ['L', 'longname'],
  ['K', 'longlink'],
]);

const posixMagic = 'ustar\x0000';
const gnuMagic = 'ustar  \0';

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

/** Rule H3: base-256 only with a first byte of exactly 0x80, up to 2^53-1; what GNU tar writes where octal has no room. */
function importedNumber(block: Buffer, offset: number, width: number): number {
  if (block[offset] !== 0x80) return octalField(block, offset, width);
  let value = 0;
  for (let i = offset + 1; i < offset + width; i++) {
    value = value * 256 + (block[i] as number);
    if (value > Number.MAX_SAFE_INTEGER) throw damaged('NUM', 'A header number is larger than 2^53-1');
  }
  return value;
}

function typeOf(block: Buffer, flags: ReadonlyMap<string, EntryType | PrefixType>): EntryType | PrefixType {
  const type = flags.get(String.fromCharCode(block[156] as number));
  if (type === undefined)
    throw damaged('TYPE', 'A header has a type that is not allowed', { flag: block[156] as number });
  return type;
}

function checkZero(block: Buffer, from: number, to: number): void {
  for (let i = from; i < to; i++) {
    if (block[i] !== 0) throw damaged('HDR', 'A header has bytes in its unused part');
  }
}

function nameOf(block: Buffer): string {
  const prefix = textField(block, 345, 155);
  const name = textField(block, 0, 100);
  return prefix === '' ? name : `${prefix}/${name}`;
}

/** Rules H1 to H5 on one block that is not all zero. */
export function parseHeaderBlock(block: Buffer): RawHeader {
  checkSum(block);
  if (block.toString('latin1', 257, 265) !== posixMagic) throw damaged('MAGIC', 'A header is not POSIX ustar');
  const type = typeOf(block, ownFlags);
  checkZero(block, 500, blockSize);
  if (textField(block, 265, 32) !== '' || textField(block, 297, 32) !== '') {
    throw damaged('HDR', 'A header names an owner; only numbers are allowed');
  }
  if (octalField(block, 329, 8) !== 0 || octalField(block, 337, 8) !== 0) {
    throw damaged('HDR', 'A header has device numbers');
  }
  return {
    type,
    name: nameOf(block),
    mode: octalField(block, 100, 8),
    uid: octalField(block, 108, 8),
    gid: octalField(block, 116, 8),
    size: octalField(block, 124, 12),
    mtime: octalField(block, 136, 12),
    link: textField(block, 157, 100),
  };
}

/** The same for headers of other writers: POSIX or GNU, owners may be named (and are not read), device fields may be empty. */
export function parseImportedBlock(block: Buffer): RawHeader {
  checkSum(block);
  const magic = block.toString('latin1', 257, 265);
  if (magic !== posixMagic && magic !== gnuMagic) throw damaged('MAGIC', 'A header is neither POSIX ustar nor GNU tar');
  const type = typeOf(block, importedFlags);
  if (magic === posixMagic && (type === 'longname' || type === 'longlink')) {
    throw damaged('TYPE', 'A POSIX header has a type of GNU tar');
  }
  for (const at of [265, 297]) {
    // Not read by us; some listings print them as they are.
    if (/[\x00-\x1f\x7f]/.test(textField(block, at, 32)))
      throw damaged('HDR', 'The name of an owner has control characters');
  }
  for (const at of [329, 337])
    if (!isZeroField(block, at) && octalField(block, at, 8) !== 0) {
      throw damaged('HDR', 'A header has device numbers');
    }
  // Behind byte 345 GNU tar keeps times, sparse maps and volume offsets, none of which is read here.
  checkZero(block, magic === gnuMagic ? 345 : 500, blockSize);
  const name = magic === gnuMagic ? textField(block, 0, 100) : nameOf(block);
  // Python takes it for a directory, whatever a PAX or GNU header before it calls the file.
  if (block[156] === 0 && name.endsWith('/')) throw damaged('HDR', 'A file of the old type has a slash at its end');
  return {
    type,
    name,
    mode: octalField(block, 100, 8),
    uid: importedNumber(block, 108, 8),
    gid: importedNumber(block, 116, 8),
    size: importedNumber(block, 124, 12),
    mtime: importedNumber(block, 136, 12),
    link: textField(block, 157, 100),
  };
}

function isZeroField(block: Buffer, at: number): boolean {
  return block.readBigUInt64LE(at) === 0n;
}
