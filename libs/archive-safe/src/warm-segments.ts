import { hash } from 'node:crypto';
import { readExactly } from './archive-reader.ts';
import type { IndexEntry } from './entry.ts';
import { decodeIndexBlock } from './index-block.ts';
import { damaged } from './refusal.ts';
import type { WalkedEntry } from './tree-walk.ts';

/** A segment that a warm pass wrote, and how to tell whether what it holds is still so. */
export interface WarmSegment {
  /** Number of the segment in the file. */
  number: number;
  volume: number;
  indexOffset: number;
  indexBytes: number;
  indexSha256: Uint8Array;
  /** For each entry its inode and the change time that it must have, ns; see `FileMark`. */
  marks: BigInt64Array<ArrayBuffer>;
}

/** Entries of a segment with their marks. */
export class WarmBlock {
  readonly segment: WarmSegment;
  readonly entries: readonly IndexEntry[];

  constructor(file: number, segment: WarmSegment) {
    const container = readExactly(file, segment.indexBytes, segment.indexOffset);
    const entries = decodeIndexBlock(container, 'zstd');
    if (!hash('sha256', container, 'buffer').equals(segment.indexSha256) || entries.length * 2 !== segment.marks.length)
      throw damaged('INDEX', 'A warm segment is not what was written');
    this.segment = segment;
    this.entries = entries;
  }

  /**
   * Whether entry `i` would be packed to the same bytes. What is no file is all in its header; the content of a file is the same
   * where nothing changed its inode since before it was read.
   */
  isStill(i: number, now: WalkedEntry): boolean {
    const was = this.entries[i] as IndexEntry;
    const sameHeader =
      was.path === now.path &&
      was.type === now.type &&
      was.mode === now.mode &&
      was.uid === now.uid &&
      was.gid === now.gid &&
      was.mtimeSec === now.mtimeSec &&
      was.mtimeNs === now.mtimeNs &&
      was.size === now.size &&
      was.link === now.link &&
      was.sparse === now.sparse;
    if (!sameHeader || now.type !== 'file') return sameHeader;
    const { marks } = this.segment;
    return marks[2 * i] === BigInt.asIntN(64, now.inode) && marks[2 * i + 1] === now.changed;
  }

  /** What the walk saw when it found entry `i` unchanged. */
  walked(i: number, device: bigint, linked: boolean): WalkedEntry {
    const { marks } = this.segment;
    return {
      ...(this.entries[i] as IndexEntry),
      device,
      inode: BigInt.asUintN(64, marks[2 * i] as bigint),
      changed: marks[2 * i + 1] as bigint,
      linked,
      held: -1,
      directory: -1,
      name: '',
    };
  }
}
