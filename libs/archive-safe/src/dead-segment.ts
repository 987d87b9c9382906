import { deadHead } from './codec.ts';

/** Bytes at the beginning of a dead span that are not as they were written. */
export const headBytes = 8;
const maxSpanBytes = 0xffffffff;

/** What a segment takes in the file, bytes. */
interface Extent {
  readonly frames: readonly { readonly packedBytes: number }[];
  readonly indexBytes: number;
}

export interface DeadSpan {
  /** From the beginning of the segment, bytes. */
  at: number;
  length: number;
  /** The frame it begins with. */
  frame: number;
}

/**
 * How a segment that no longer counts is hidden from stock tools: its first eight bytes become the head of one skippable zstd
 * frame that reaches to its end. One that is longer than such a frame can be gets several, each from the border of a frame.
 */
export function deadSpans(segment: Extent): DeadSpan[] {
  const spans: DeadSpan[] = [];
  let at = 0;
  for (const [frame, { packedBytes }] of segment.frames.entries()) {
    const length = frame === segment.frames.length - 1 ? packedBytes + segment.indexBytes : packedBytes;
    const open = spans.at(-1);
    if (open === undefined || open.length + length - headBytes > maxSpanBytes) spans.push({ at, length, frame });
    else open.length += length;
    at += length;
  }
  return spans;
}

export function spanHead(span: DeadSpan): Buffer {
  return deadHead(span.length - headBytes);
}
