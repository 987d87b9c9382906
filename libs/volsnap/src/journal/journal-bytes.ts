import { crc32 } from 'node:zlib';
import { isStoredRecord, type StoredRecord } from './record.ts';

/** Bytes of a journal are written ahead in steps of this size, so that an append allocates nothing. */
export const JOURNAL_BLOCK = 64 * 1024;

/** `length crc32 json\n`: length of the JSON in bytes, decimal; CRC-32 of these bytes, eight hex digits. */
export function encodeRecord(record: StoredRecord): Buffer {
  const json = Buffer.from(JSON.stringify(record), 'utf8');
  return Buffer.concat([Buffer.from(`${json.length} ${checksum(json)} `), json, Buffer.from('\n')]);
}

export interface ScannedJournal {
  readonly records: readonly StoredRecord[];
  /** Offset after the last valid record: where the next one goes. */
  readonly end: number;
  /** Bytes that are not zero stand behind `end`: a torn record, to be cut off before the next append. */
  readonly torn: boolean;
  /** Offset of an invalid record that valid ones follow. */
  readonly corruptAt: number | null;
}

export function scanJournal(bytes: Buffer): ScannedJournal {
  const records: StoredRecord[] = [];
  let end = 0;
  for (;;) {
    const found = recordAt(bytes, end);
    if (!found) break;
    const first = records[0] ?? found.record;
    const sameJournal = first.tx === found.record.tx && first.epoch === found.record.epoch;
    if (found.record.seq !== records.length || !sameJournal) return { records, end, torn: false, corruptAt: end };
    records.push(found.record);
    end = found.end;
  }
  const rest = bytes.subarray(end);
  const torn = !isZero(rest);
  return { records, end, torn, corruptAt: torn && holdsRecord(rest, 1) ? end : null };
}

function recordAt(bytes: Buffer, offset: number): { record: StoredRecord; end: number } | null {
  const head = /^([1-9][0-9]{0,8}) ([0-9a-f]{8}) /.exec(bytes.toString('latin1', offset, offset + 20));
  if (!head) return null;
  const start = offset + head[0].length;
  const end = start + Number(head[1]);
  if (bytes[end] !== 0x0a) return null;
  const json = bytes.subarray(start, end);
  if (checksum(json) !== head[2]) return null;
  let record: unknown;
  try {
    record = JSON.parse(json.toString('utf8'));
  } catch {
    return null;
  }
  return isStoredRecord(record) ? { record, end: end + 1 } : null;
}

/** Whether a valid record starts anywhere at or behind `from`. JSON holds no raw line break, so none can hide inside another. */
function holdsRecord(bytes: Buffer, from: number): boolean {
  const text = bytes.toString('latin1');
  const heads = / [0-9a-f]{8} \{/g;
  for (let head = heads.exec(text); head; head = heads.exec(text)) {
    for (let digits = 1; digits <= 9; digits++) {
      const start = head.index - digits;
      if (start < from || !/[0-9]/.test(text[start] as string)) break;
      if (recordAt(bytes, start)) return true;
    }
  }
  return false;
}

/** Most of a journal is blocks written ahead, and it is read before every step. */
function isZero(bytes: Buffer): boolean {
  for (let at = 0; at < bytes.length; at += ZEROS.length) {
    const part = bytes.subarray(at, at + ZEROS.length);
    if (part.compare(ZEROS, 0, part.length) !== 0) return false;
  }
  return true;
}

const ZEROS = Buffer.alloc(JOURNAL_BLOCK);

function checksum(bytes: Buffer): string {
  return crc32(bytes).toString(16).padStart(8, '0');
}
