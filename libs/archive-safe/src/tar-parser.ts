import { byteString, escapePath, type ByteString } from './byte-string.ts';
import { maxPathBytes, type EntryType, type HeaderEntry } from './entry.ts';
import { ownDialect } from './own-dialect.ts';
import { maxPaxBytes, parsePax } from './pax-records.ts';
import { damaged, Refusal } from './refusal.ts';
import type { Prefixes, PrefixType, RawHeader, TarDialect } from './tar-dialect.ts';
import { isZeroBlock } from './tar-fields.ts';
import { blockSize, encodeHeader, paddingOf } from './tar-header.ts';

/** Called in stream order. `data` chunks are views into the pushed buffer: used at once or copied. May throw to stop. */
export interface TarSink {
  entry(entry: HeaderEntry): void;
  data(chunk: Buffer): void;
  /** All data of the last entry was given. Also called for entries without data. */
  entryEnd(): void;
}

type State = 'header' | 'prefix' | 'data' | 'padding' | 'end';

/** A long name may end in a slash, and its NUL is counted. */
const maxLongBytes = maxPathBytes + 2;

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
  #dialect: TarDialect;
  #prefix: PrefixType = 'pax';
  #prefixes: Prefixes = {};
  #headers: Buffer[] = [];
  #current: ByteString | undefined;
  /** Of the header of the current entry. */
  #entryOffset = 0;
  #zeroBlocks = 0;
  #tail = 0;
  #offset: number;

  /** `offset` is where in the tar stream the first pushed byte lies; it appears in refusals. */
  constructor(sink: TarSink, offset = 0, dialect: TarDialect = ownDialect) {
    this.#sink = sink;
    this.#offset = offset;
    this.#dialect = dialect;
  }

  /** Bytes of the stream that were taken, from where `offset` began to count. */
  get offset(): number {
    return this.#offset;
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
      throw this.#placed(error, this.#entryOffset);
    }
  }

  /** Where a refusal happened does not depend on how the stream is cut: a block, or the entry whose content it is. */
  #placed(error: unknown, offset: number): unknown {
    if (error instanceof Refusal) {
      error.details['offset'] ??= offset;
      if (this.#current !== undefined) error.details['entry'] ??= escapePath(this.#current);
    }
    return error;
  }

  /** The pushed part ends here: it must be a border between entries, and not behind the end of the archive. */
  finishPart(): void {
    if (this.#state !== 'header' || this.#gathered > 0 || this.#hasPrefix() || this.#zeroBlocks > 0) {
      throw damaged('EOF', 'A part of the archive ends inside an entry', { offset: this.#offset });
    }
  }

  /** The archive ends here: two zero blocks must have been the last, and zeros where the dialect allows them. */
  finishArchive(): void {
    if (this.#state !== 'end' || this.#tail % blockSize !== 0)
      throw damaged('EOF', 'The archive has no end', { offset: this.#offset });
  }

  #step(chunk: Buffer, at: number): number {
    switch (this.#state) {
      case 'header':
        return this.#collect(chunk, at, blockSize, (block) => this.#header(block));
      case 'prefix':
        return this.#collect(chunk, at, this.#left + this.#padding, (body) => this.#prefixBody(body));
      case 'data':
        return this.#data(chunk, at);
      case 'padding':
        return this.#skipPadding(chunk, at);
      case 'end':
        return this.#skipTail(chunk, at);
    }
  }

  #skipTail(chunk: Buffer, at: number): number {
    const used = Math.min(this.#dialect.maxTailBytes - this.#tail, chunk.length - at);
    let end = at;
    while (end < at + used && chunk[end] === 0) end++;
    if (end < at + used || used === 0) {
      throw damaged('EOF', 'Data follows the end of the archive', { offset: this.#offset + end - at });
    }
    this.#tail += used;
    return used;
  }

  #hasPrefix(): boolean {
    return Object.keys(this.#prefixes).length > 0;
  }

  #collect(chunk: Buffer, at: number, size: number, done: (whole: Buffer) => void): number {
    const used = Math.min(size - this.#gathered, chunk.length - at);
    const start = this.#offset - this.#gathered;
    if (this.#gathered === 0 && used === size) {
      this.#unit(chunk.subarray(at, at + size), start, done);
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
      this.#unit(this.#gather.subarray(0, size), start, done);
    }
    return used;
  }

  #unit(whole: Buffer, start: number, done: (whole: Buffer) => void): void {
    try {
      this.#entryOffset = start;
      done(whole);
    } catch (error) {
      if (this.#state === 'header') this.#current ??= nameField(whole);
      throw this.#placed(error, start);
    }
  }

  #header(block: Buffer): void {
    if (isZeroBlock(block)) {
      if (this.#hasPrefix()) throw damaged('PAX', 'A header that belongs to an entry is not followed by one');
      this.#zeroBlocks++;
      if (this.#zeroBlocks === 2) this.#state = 'end';
      return;
    }
    if (this.#zeroBlocks > 0) throw damaged('EOF', 'A single zero block is followed by an entry');
    const raw = this.#dialect.parseHeader(block);
    if (raw.type === 'pax' || raw.type === 'longname' || raw.type === 'longlink')
      this.#beginPrefix(raw, raw.type, block);
    else this.#beginEntry(raw, raw.type, block);
  }

  #beginPrefix(raw: RawHeader, type: PrefixType, block: Buffer): void {
    const { pax } = this.#prefixes;
    if (this.#prefixes[type] !== undefined) throw damaged('PAX', 'Two headers of one kind precede one entry');
    // Readers disagree on what belongs to what where the two kinds meet (S8).
    if (type === 'pax' ? this.#hasPrefix() : pax !== undefined) {
      throw damaged('TYPE', 'A PAX header and one of GNU tar precede one entry');
    }
    if (raw.size < 1 || raw.size > (type === 'pax' ? maxPaxBytes : maxLongBytes)) {
      throw damaged('PAX', 'A header that belongs to an entry is empty or too large');
    }
    this.#headers = [Buffer.from(block)];
    this.#prefix = type;
    this.#left = raw.size;
    this.#padding = paddingOf(raw.size);
    this.#state = 'prefix';
  }

  #prefixBody(body: Buffer): void {
    for (let i = this.#left; i < body.length; i++) {
      if (body[i] !== 0) throw damaged('PAD', 'Padding is not zero');
    }
    const copy = Buffer.from(body);
    this.#headers.push(copy);
    const content = copy.subarray(0, this.#left);
    if (this.#prefix === 'pax') this.#prefixes.pax = parsePax(content, this.#dialect.paxKeys);
    else this.#prefixes[this.#prefix] = longText(content);
    this.#state = 'header';
  }

  #beginEntry(raw: RawHeader, type: EntryType, block: Buffer): void {
    const entry = this.#dialect.merge(raw, type, this.#prefixes);
    // One entry has one encoding: this closes every field that no rule above looks at.
    if (this.#dialect.canonical) this.#checkCanonical(entry, block);
    if (this.#headers.length > 0) {
      this.#headers = [];
      this.#prefixes = {};
    }
    this.#current = entry.path;
    this.#sink.entry(entry);
    this.#left = entry.size;
    this.#padding = paddingOf(entry.size);
    if (this.#left === 0) this.#endEntry();
    else this.#state = 'data';
  }

  #checkCanonical(entry: HeaderEntry, block: Buffer): void {
    const found = this.#headers.length === 0 ? block : Buffer.concat([...this.#headers, block]);
    if (encodeHeader(entry).equals(found)) return;
    throw damaged('CANON', 'A header is not written as our writer writes it', { entry: escapePath(entry.path) });
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
    for (let i = at; i < at + used; i++) {
      if (chunk[i] !== 0) throw damaged('PAD', 'Padding is not zero', { offset: this.#offset + i - at });
    }
    this.#padding -= used;
    if (this.#padding === 0) this.#endEntry();
    return used;
  }

  #endEntry(): void {
    this.#state = 'header';
    this.#sink.entryEnd();
    this.#current = undefined;
  }
}

/** What a refused header calls itself; undefined where it says nothing. */
function nameField(block: Buffer): ByteString | undefined {
  const end = block.indexOf(0);
  return end === 0 ? undefined : byteString(block.subarray(0, end === -1 || end > 100 ? 100 : end));
}

/** Body of a GNU long name or target: text, and one NUL at its end. */
function longText(body: Buffer): string {
  const end = body.indexOf(0);
  if (end < 1 || end !== body.length - 1) throw damaged('PAX', 'A long name is empty or does not end in its only NUL');
  return byteString(body.subarray(0, end));
}
