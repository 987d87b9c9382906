import { decodeEntry, encodeEntry } from './index-block.ts';
import type { IndexEntry } from './entry.ts';
import { ByteReader, ByteWriter } from './varint.ts';

/** An entry that is to be packed, and how to tell whether it changed since the walk saw it. */
export interface PlannedEntry extends IndexEntry {
  device: bigint;
  inode: bigint;
  /** Change time, ns. */
  changed: bigint;
  /** Open descriptor to read instead of the path, or -1. */
  held: number;
}

/** One flat buffer a frame: as objects the plan would be copied twice on its way through the main thread. */
export function encodePlan(entries: readonly PlannedEntry[]): ArrayBuffer {
  const out = new ByteWriter();
  const fixed = Buffer.alloc(24);
  out.number(entries.length);
  for (const entry of entries) {
    encodeEntry(out, entry);
    fixed.writeBigUInt64LE(entry.device, 0);
    fixed.writeBigUInt64LE(entry.inode, 8);
    fixed.writeBigInt64LE(entry.changed, 16);
    out.raw(fixed);
    out.number(entry.held + 1);
  }
  const bytes = out.finish();
  const plan = new ArrayBuffer(bytes.length);
  bytes.copy(Buffer.from(plan));
  return plan;
}

export function decodePlan(plan: ArrayBuffer): PlannedEntry[] {
  const reader = new ByteReader(Buffer.from(plan));
  const entries: PlannedEntry[] = [];
  for (let left = reader.number(); left > 0; left--) {
    const entry = decodeEntry(reader);
    const fixed = reader.raw(24);
    entries.push({
      ...entry,
      device: fixed.readBigUInt64LE(0),
      inode: fixed.readBigUInt64LE(8),
      changed: fixed.readBigInt64LE(16),
      held: reader.number() - 1,
    });
  }
  return entries;
}
