import { describe, expect, it } from '@jest/globals';
import { examplePlan } from '../testing/example-plan.ts';
import { encodeRecord, scanJournal } from './journal-bytes.ts';
import type { JournalRecord, StoredRecord } from './record.ts';

const bodies: JournalRecord[] = [
  { type: 'BEGIN', plan: examplePlan(), missingParents: [] },
  { type: 'STAGING', attempt: 1, volumes: [{ index: 0, staging: null }] },
  { type: 'STAGED', attempt: 1, volumes: [{ index: 0, staging: null }], contentBytes: 5, entries: 1 },
  { type: 'QUIESCING', before: 'absent', containers: [] },
  { type: 'QUIESCED', stoppedAt: '2026-01-01T00:00:00.000Z' },
];
const records = bodies.map((body, seq): StoredRecord => ({
  v: 1,
  seq,
  tx: 'abc',
  epoch: 0,
  operationId: 'op',
  workloadId: 'wl',
  at: '2026-01-01T00:00:00.000Z',
  ...body,
}));
const encoded = records.map(encodeRecord);
const whole = Buffer.concat(encoded);
const ends = encoded.map((_, i) => encoded.slice(0, i + 1).reduce((sum, bytes) => sum + bytes.length, 0));
const wholeBefore = (length: number): number => ends.filter((end) => end <= length).length;

describe('journal bytes', () => {
  it('are `length crc32 json\\n`', () => {
    const text = encodeRecord(records[4]!).toString('utf8');
    const [, length, , json] = /^(\d+) ([0-9a-f]{8}) (.*)\n$/.exec(text)!;
    expect(Buffer.byteLength(json!)).toBe(Number(length));
    expect(JSON.parse(json!)).toEqual(records[4]);
  });

  it('are read back whole from a file with blocks written ahead', () => {
    const scanned = scanJournal(Buffer.concat([whole, Buffer.alloc(4096)]));
    expect(scanned).toEqual({ records, end: whole.length, torn: false, corruptAt: null });
  });

  it.each([
    ['a file cut there', (at: number) => whole.subarray(0, at)],
    ['zeros behind', (at: number) => Buffer.concat([whole.subarray(0, at), Buffer.alloc(500)])],
    ['garbage behind', (at: number) => Buffer.concat([whole.subarray(0, at), Buffer.alloc(7, 0xa5), Buffer.alloc(50)])],
  ])('torn at every byte give every record before it: %s', (_, tear) => {
    for (let at = 0; at <= whole.length; at++) {
      const scanned = scanJournal(tear(at));
      expect(scanned.corruptAt).toBeNull();
      expect(scanned.records).toEqual(records.slice(0, wholeBefore(at)));
      expect(scanned.end).toBe(ends[wholeBefore(at) - 1] ?? 0);
    }
  });

  it('with any byte of a record flipped that a valid one follows are corrupt at that record', () => {
    const from = ends[1]!;
    for (let at = from; at < ends[2]!; at++) {
      const flipped = Buffer.from(whole);
      flipped[at]! ^= 0x01;
      expect(scanJournal(flipped)).toMatchObject({ corruptAt: from, records: records.slice(0, 2) });
    }
  });

  it('with a hole of zeros before a valid record are corrupt', () => {
    const holed = Buffer.from(whole);
    holed.fill(0, ends[0], ends[3]);
    expect(scanJournal(holed)).toMatchObject({ corruptAt: ends[0], records: records.slice(0, 1) });
  });

  it('refuse records out of sequence or of another journal', () => {
    const twice = Buffer.concat([encoded[0]!, encoded[1]!, encoded[1]!]);
    expect(scanJournal(twice).corruptAt).toBe(ends[1]);
    const foreign = Buffer.concat([encoded[0]!, encodeRecord({ ...records[1]!, tx: 'other' })]);
    expect(scanJournal(foreign).corruptAt).toBe(ends[0]);
  });

  it('refuse a record whose checksum is right and whose content is not', () => {
    const odd = { ...records[4]!, stoppedAt: 5 } as unknown as StoredRecord;
    const scanned = scanJournal(Buffer.concat([encoded[0]!, encodeRecord({ ...odd, seq: 1 })]));
    expect(scanned.records).toEqual(records.slice(0, 1));
  });
});
