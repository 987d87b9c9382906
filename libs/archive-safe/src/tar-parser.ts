import { byteString, escapePath, type ByteString } from './byte-string.ts';
import { maxLinkBytes, noId, pathFault, type EntryType, type HeaderEntry } from './entry.ts';
import { maxPaxBytes, parsePax, paxInteger, paxTime } from './pax-records.ts';
import { damaged, Refusal } from './refusal.ts';
import { isZeroBlock, parseHeaderBlock, type RawHeader } from './tar-fields.ts';
import { blockSize, encodeHeader, maxOctalSize, paddingOf } from './tar-header.ts';

/** Called in stream order. `data` chunks are views into the pushed buffer: used at once or copied. May throw to stop. */
export interface TarSink {
  entry(entry: HeaderEntry): void;
  data(chunk: Buffer): void;
  /** All data of the last entry was given. Also called for entries without data. */
  entryEnd(): void;
}

type State = 'header' | 'pax' | 'data' | 'padding' | 'end';

/**
 * The strict reader (docs/archive-format.md, reject list). It repairs nothing: what our writer would not produce is refused
 * with the rule's name and the offset. The result does not depend on how the stream is cut into chunks.
 */
export class TarParser {
  #sink: TarSink;
  #state: State = 'header';
  #gather = Buffer.alloc(blockSize);
  #gathered = 0;
  #left = 0;
  #padding = 0;
  #pax: Map<string, Buffer> | undefined;
  #headers: Buffer[] = [];
  #zeroBlocks = 0;
  #offset: number;

  /** `offset` is where in the tar stream the first pushed byte lies; it appears in refusals. */
  constructor(sink: TarSink, offset = 0) {
    this.#sink = sink;
    this.#offset = offset;
  }

  push(chunk: Buffer): void {
    let at = 0;
    try {
      while (at < chunk.length) {
        const used = this.#step(chunk, at);
        at += used;
        this.#offset += used;
      }
    } catch (error) {
      if (error instanceof Refusal) error.details['offset'] ??= this.#offset;
      throw error;
    }
  }

  /** The pushed part ends here: it must be a border between entries, and not behind the end of the archive. */
  finishPart(): void {
    if (this.#state !== 'header' || this.#gathered > 0 || this.#pax !== undefined || this.#zeroBlocks > 0) {
      throw damaged('EOF', 'A part of the archive ends inside an entry', { offset: this.#offset });
    }
  }

  /** The archive ends here: exactly two zero blocks must have been the last. */
  finishArchive(): void {
    if (this.#state !== 'end') throw damaged('EOF', 'The archive has no end', { offset: this.#offset });
  }

  #step(chunk: Buffer, at: number): number {
    switch (this.#state) {
      case 'header':
        return this.#collect(chunk, at, blockSize, (block) => this.#header(block));
      case 'pax':
        return this.#collect(chunk, at, this.#left + this.#padding, (body) => this.#paxBody(body));
      case 'data':
        return this.#data(chunk, at);
      case 'padding':
        return this.#skipPadding(chunk, at);
      case 'end':
        throw damaged('EOF', 'Data follows the end of the archive');
    }
  }

  #collect(chunk: Buffer, at: number, size: number, done: (whole: Buffer) => void): number {
    const used = Math.min(size - this.#gathered, chunk.length - at);
    if (this.#gathered === 0 && used === size) {
      done(chunk.subarray(at, at + size));
      return used;
    }
    if (this.#gather.length < size) {
      const larger = Buffer.alloc(size);
      this.#gather.copy(larger, 0, 0, this.#gathered);
      this.#gather = larger;
    }
    chunk.copy(this.#gather, this.#gathered, at, at + used);
    this.#gathered += used;
    if (this.#gathered === size) {
      this.#gathered = 0;
      done(this.#gather.subarray(0, size));
    }
    return used;
  }

  #header(block: Buffer): void {
    if (isZeroBlock(block)) {
      if (this.#pax !== undefined) throw damaged('PAX', 'A PAX header is not followed by its entry');
      this.#zeroBlocks++;
      if (this.#zeroBlocks === 2) this.#state = 'end';
      return;
    }
    if (this.#zeroBlocks > 0) throw damaged('EOF', 'A single zero block is followed by an entry');
    const raw = parseHeaderBlock(block);
    if (raw.type === 'pax') this.#beginPax(raw, block);
    else this.#beginEntry(raw, raw.type, block);
  }

  #beginPax(raw: RawHeader, block: Buffer): void {
    if (this.#pax !== undefined) throw damaged('PAX', 'Two PAX headers precede one entry');
    if (raw.size < 1 || raw.size > maxPaxBytes) throw damaged('PAX', 'A PAX header is empty or too large');
    this.#headers = [Buffer.from(block)];
    this.#left = raw.size;
    this.#padding = paddingOf(raw.size);
    this.#state = 'pax';
  }

  #paxBody(body: Buffer): void {
    for (let i = this.#left; i < body.length; i++) {
      if (body[i] !== 0) throw damaged('PAD', 'Padding is not zero');
    }
    const copy = Buffer.from(body);
    this.#headers.push(copy);
    this.#pax = parsePax(copy.subarray(0, this.#left));
    this.#state = 'header';
  }

  #beginEntry(raw: RawHeader, type: EntryType, block: Buffer): void {
    const pax = this.#pax ?? new Map<string, Buffer>();
    const entry = mergeEntry(raw, type, pax);
    this.#headers.push(block);
    // One entry has one encoding: this closes every field that no rule above looks at.
    const exact = encodeHeader(entry);
    const found = this.#headers.length === 1 ? block : Buffer.concat(this.#headers);
    if (!exact.equals(found)) {
      throw damaged('CANON', 'A header is not written as our writer writes it', { entry: escapePath(entry.path) });
    }
    this.#headers = [];
    this.#pax = undefined;
    this.#sink.entry(entry);
    this.#left = entry.size;
    this.#padding = paddingOf(entry.size);
    if (this.#left === 0) this.#endEntry();
    else this.#state = 'data';
  }

  #data(chunk: Buffer, at: number): number {
    const used = Math.min(this.#left, chunk.length - at);
    this.#sink.data(chunk.subarray(at, at + used));
    this.#left -= used;
    if (this.#left === 0) {
      if (this.#padding === 0) this.#endEntry();
      else this.#state = 'padding';
    }
    return used;
  }

  #skipPadding(chunk: Buffer, at: number): number {
    const used = Math.min(this.#padding, chunk.length - at);
    for (let i = at; i < at + used; i++) if (chunk[i] !== 0) throw damaged('PAD', 'Padding is not zero');
    this.#padding -= used;
    if (this.#padding === 0) this.#endEntry();
    return used;
  }

  #endEntry(): void {
    this.#state = 'header';
    this.#sink.entryEnd();
  }
}

function paxText(pax: Map<string, Buffer>, key: string): ByteString | undefined {
  const value = pax.get(key);
  return value === undefined ? undefined : byteString(value);
}

function paxNumber(pax: Map<string, Buffer>, key: string, field: number, conflict: string): number {
  const value = pax.get(key);
  if (value === undefined) return field;
  const number = paxInteger(value);
  // Rule H10 for sizes, and the same for owners: the two places agree, or the short one is 0 because the value does not fit.
  if (field !== number && field !== 0) throw damaged(conflict, 'A PAX value contradicts its header');
  if (key === 'size' && field === 0 && number !== 0 && number <= maxOctalSize) {
    throw damaged(conflict, 'A PAX size contradicts its header');
  }
  return number;
}

function mergeEntry(raw: RawHeader, type: EntryType, pax: Map<string, Buffer>): HeaderEntry {
  const wire = paxText(pax, 'path') ?? raw.name;
  const slash = wire.endsWith('/');
  if (slash !== (type === 'directory')) {
    throw damaged(slash ? 'HDR' : 'PATH', 'Only directories end in a slash, and all of them do');
  }
  const path = slash ? wire.slice(0, -1) : wire;
  const fault = pathFault(path);
  if (fault !== undefined) {
    throw damaged('PATH', `An entry has a path that is not allowed: ${fault}`, { entry: escapePath(path) });
  }
  const size = paxNumber(pax, 'size', raw.size, 'SIZE_CONFLICT');
  if (type !== 'file' && size !== 0)
    throw damaged('HDR', 'An entry that is no file has a size', { entry: escapePath(path) });
  const link = paxText(pax, 'linkpath') ?? raw.link;
  checkLink(type, link);
  const mtime = pax.get('mtime');
  const time = mtime === undefined ? { seconds: raw.mtime, nanoseconds: 0 } : paxTime(mtime);
  const uid = paxNumber(pax, 'uid', raw.uid, 'NUM');
  const gid = paxNumber(pax, 'gid', raw.gid, 'NUM');
  if (uid >= noId || gid >= noId) throw damaged('NUM', 'An owner is not a valid number', { entry: escapePath(path) });
  if (raw.mode > 0o7777) throw damaged('NUM', 'A mode has more than twelve bits', { entry: escapePath(path) });
  return { path, type, mode: raw.mode, uid, gid, mtimeSec: time.seconds, mtimeNs: time.nanoseconds, size, link };
}

function checkLink(type: EntryType, link: ByteString): void {
  const isLink = type === 'symlink' || type === 'hardlink';
  if (!isLink && link !== '') throw damaged('HDR', 'An entry that is no link has a target');
  if (!isLink) return;
  if (link === '' || link.length > maxLinkBytes || link.includes('\0'))
    throw damaged('LINK', 'A link target is not allowed');
  if (type === 'hardlink' && pathFault(link) !== undefined) {
    throw damaged('LINK', 'A hardlink does not name a path of the archive', { entry: escapePath(link) });
  }
}
