import type { FileSystemFacts } from './host-facts.ts';

/** What stays free on a file system while a restore unpacks beside the running app (restore.md 1). */
export interface ReserveRule {
  /** Of the size of the file system, and of its inodes. */
  readonly fraction: number;
  readonly minBytes: number;
}
export const DEFAULT_RESERVE: ReserveRule = { fraction: 0.05, minBytes: 1024 ** 3 };

export type SpaceNeed = {
  readonly mountPoint: string;
  /** At the peak, `reserveBytes` among them. */
  readonly neededBytes: number;
  /** What stays free on this file system. */
  readonly reserveBytes: number;
  readonly freeBytes: number;
  readonly neededInodes: number;
  readonly freeInodes: number;
};

/** Small files and directories take whole blocks; 4 KiB is the usual one. */
const BLOCK = 4096;

export const reserveOf = (
  space: FileSystemFacts['space'],
  rule: ReserveRule,
): { readonly bytes: number; readonly inodes: number } => ({
  bytes: Math.max(Math.ceil(space.totalBytes * rule.fraction), rule.minBytes),
  inodes: Math.ceil(space.totalInodes * rule.fraction),
});

export const stagedBytes = (content: { readonly contentBytes: number; readonly entries: number }): number =>
  content.contentBytes + content.entries * BLOCK;

/** An archive is never larger than content that does not compress, two headers of 512 bytes and an index line an entry. */
export const archiveBytes = (content: { readonly contentBytes: number; readonly entries: number }): number =>
  Math.ceil(content.contentBytes * 1.01) + content.entries * 1536 + 1024 ** 2;

/** Needs at the peak, summed where directories share a file system, the reserve included once for each. */
export function sumNeeds(
  parts: readonly { readonly on: FileSystemFacts; readonly bytes: number; readonly inodes: number }[],
  rule: ReserveRule,
): SpaceNeed[] {
  const byId = new Map<string, { on: FileSystemFacts; bytes: number; inodes: number }>();
  for (const part of parts) {
    const sum = byId.get(part.on.id) ?? { on: part.on, bytes: 0, inodes: 0 };
    byId.set(part.on.id, { on: sum.on, bytes: sum.bytes + part.bytes, inodes: sum.inodes + part.inodes });
  }
  return [...byId.values()].map(({ on, bytes, inodes }) => {
    const reserve = reserveOf(on.space, rule);
    const counted = on.space.totalInodes > 0;
    return {
      mountPoint: on.mountPoint,
      neededBytes: bytes + reserve.bytes,
      reserveBytes: reserve.bytes,
      freeBytes: on.space.freeBytes,
      neededInodes: counted ? inodes + reserve.inodes : 0,
      freeInodes: counted ? on.space.freeInodes : 0,
    };
  });
}
