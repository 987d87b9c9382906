/**
 * What a crash may take. `ordered`: changes of names persist as a prefix of their order, as journalling file systems do. `weak`: any subset of them
 * per directory, and a rename between directories may keep either half: weaker than any file system we know (ALICE, OSDI 2014: test against that).
 * In both, file content that was not synced may be missing, torn or zero.
 */
export type PersistenceModel = 'ordered' | 'weak';

/** A change of a file's content that is not on disk yet. */
export type FileWrite = { readonly offset: number; readonly bytes: Buffer } | { readonly truncatedTo: number };

/** `content` with one change made; a new buffer. */
export function applied(content: Buffer, write: FileWrite): Buffer {
  if ('truncatedTo' in write) {
    const cut = Buffer.alloc(write.truncatedTo);
    content.copy(cut);
    return cut;
  }
  const { offset, bytes } = write;
  if (bytes.length === 0) return content;
  const next = Buffer.alloc(Math.max(content.length, offset + bytes.length));
  content.copy(next);
  bytes.copy(next, offset);
  return next;
}

const part = (write: FileWrite, from: number, to: number): FileWrite =>
  'truncatedTo' in write ? write : { offset: write.offset + from, bytes: write.bytes.subarray(from, to) };

/**
 * What an unsynced file may hold after a power cut, first as the disk had it, last as it was written: nothing of it, its last write torn, zeros of
 * its size; in the weak model also the last write without the earlier ones, and the tail of a write without its head.
 */
export function contentOutcomes(
  file: { readonly durable: Buffer; readonly writes: readonly FileWrite[] },
  model: PersistenceModel,
): Buffer[] {
  const { durable, writes } = file;
  const last = writes[writes.length - 1] as FileWrite;
  const length = 'truncatedTo' in last ? 0 : last.bytes.length;
  const before = writes.slice(0, -1).reduce(applied, durable);
  const content = applied(before, last);
  const middle = Math.ceil(length / 2);
  const outcomes = [durable, before, applied(before, part(last, 0, middle))];
  // The size of a file reaches the disk before its blocks.
  if (durable.length === 0) outcomes.push(Buffer.alloc(content.length));
  if (model === 'weak') outcomes.push(applied(durable, last), applied(before, part(last, middle, length)));
  outcomes.push(content);
  return outcomes.filter((one, at) => outcomes.findLastIndex((other) => other.equals(one)) === at || at === 0);
}
