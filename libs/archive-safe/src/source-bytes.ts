import { readSync } from 'node:fs';
import { damaged } from './refusal.ts';

const bufferBytes = 1 << 18;

/** Reads a regular file from its beginning to where it ended when it was opened, with a way back. */
export class SourceBytes {
  #fd: number;
  #size: number;
  #buffer = Buffer.allocUnsafeSlow(bufferBytes);
  #start = 0;
  #length = 0;
  #position = 0;

  constructor(fd: number, size: number) {
    this.#fd = fd;
    this.#size = size;
  }

  get position(): number {
    return this.#position;
  }

  get left(): number {
    return this.#size - this.#position;
  }

  seek(position: number): void {
    this.#position = position;
  }

  /** Between 1 and `most` bytes, valid until the next call; empty at the end. */
  some(most = bufferBytes): Buffer {
    if (this.#position < this.#start || this.#position >= this.#start + this.#length) this.#fill();
    const at = this.#position - this.#start;
    const part = this.#buffer.subarray(at, Math.min(this.#length, at + most));
    this.#position += part.length;
    return part;
  }

  /** Exactly `count` bytes, at most a few hundred thousand; a copy. */
  exactly(count: number): Buffer {
    if (count > this.left) throw damaged('TRUNCATED', 'The file ends too early', { offset: this.#size });
    const bytes = Buffer.allocUnsafe(count);
    for (let at = 0; at < count;) at += this.some(count - at).copy(bytes, at);
    return bytes;
  }

  #fill(): void {
    this.#start = this.#position;
    this.#length = 0;
    const most = Math.min(bufferBytes, this.left);
    if (most <= 0) return;
    this.#length = readSync(this.#fd, this.#buffer, 0, most, this.#start);
    if (this.#length === 0) throw damaged('TRUNCATED', 'The file became shorter', { offset: this.#start });
  }
}
