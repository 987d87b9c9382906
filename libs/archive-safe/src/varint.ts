import type { ByteString } from './byte-string.ts';
import { damaged } from './refusal.ts';

/** Unsigned little-endian base-128 numbers up to 2^53-1, in their shortest form only. */
export class ByteWriter {
  #buffer = Buffer.allocUnsafe(1024);
  #length = 0;

  #room(bytes: number): void {
    if (this.#length + bytes <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.#length + bytes));
    this.#buffer.copy(larger, 0, 0, this.#length);
    this.#buffer = larger;
  }

  number(value: number): void {
    if (!Number.isSafeInteger(value) || value < 0) throw new RangeError('a number of the index is out of range');
    this.#room(8);
    let rest = value;
    while (rest >= 128) {
      this.#buffer[this.#length++] = (rest % 128) | 128;
      rest = Math.floor(rest / 128);
    }
    this.#buffer[this.#length++] = rest;
  }

  raw(bytes: Uint8Array): void {
    this.#room(bytes.length);
    this.#buffer.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** Length, then bytes. */
  bytes(bytes: Uint8Array): void {
    this.number(bytes.length);
    this.raw(bytes);
  }

  /** A byte string with its length before it. */
  text(text: ByteString): void {
    this.number(text.length);
    this.#room(text.length);
    this.#length += this.#buffer.write(text, this.#length, 'latin1');
  }

  /** A copy of what was written. */
  finish(): Buffer {
    return Buffer.from(this.#buffer.subarray(0, this.#length));
  }
}

export class ByteReader {
  #buffer: Buffer;
  #at = 0;

  constructor(buffer: Buffer) {
    this.#buffer = buffer;
  }

  get ended(): boolean {
    return this.#at === this.#buffer.length;
  }

  number(): number {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 8; i++) {
      const byte = this.#buffer[this.#at++];
      if (byte === undefined) break;
      value += (byte & 127) * scale;
      if (byte < 128) {
        if ((byte === 0 && i > 0) || !Number.isSafeInteger(value)) break;
        return value;
      }
      scale *= 128;
    }
    throw damaged('INDEX', 'A number of the index is not valid');
  }

  raw(length: number): Buffer {
    const end = this.#at + length;
    if (end > this.#buffer.length) throw damaged('INDEX', 'The index ends too early');
    const part = this.#buffer.subarray(this.#at, end);
    this.#at = end;
    return part;
  }

  /** A byte string with its length before it. */
  text(limit: number): ByteString {
    const length = this.number();
    const end = this.#at + length;
    if (length > limit) throw damaged('INDEX', 'A field of the index is too long');
    if (end > this.#buffer.length) throw damaged('INDEX', 'The index ends too early');
    const text = this.#buffer.toString('latin1', this.#at, end);
    this.#at = end;
    return text;
  }

  bytes(limit: number): Buffer {
    const length = this.number();
    if (length > limit) throw damaged('INDEX', 'A field of the index is too long');
    return this.raw(length);
  }
}
