/** Undoes Docker's stream framing: 8 bytes `[stream, 0, 0, 0, length big-endian]`, then that many bytes. Both streams are joined. */
export class LogFrames {
  #pending: Buffer = Buffer.alloc(0);
  readonly #emit: (content: Buffer) => void;

  constructor(emit: (content: Buffer) => void) {
    this.#emit = emit;
  }

  push(chunk: Buffer): void {
    this.#pending = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    while (this.#pending.length >= 8) {
      const end = 8 + this.#pending.readUInt32BE(4);
      if (this.#pending.length < end) return;
      this.#emit(this.#pending.subarray(8, end));
      this.#pending = this.#pending.subarray(end);
    }
  }
}

/** Keeps at most `limit` bytes: the first ones, or the last ones. */
export class BoundedOutput {
  readonly #limit: number;
  readonly #keep: 'first' | 'last';
  #chunks: Buffer[] = [];
  #bytes = 0;

  constructor(limit: number, keep: 'first' | 'last') {
    this.#limit = limit;
    this.#keep = keep;
  }

  push(chunk: Buffer): void {
    if (this.#keep === 'first') {
      const rest = this.#limit - this.#bytes;
      if (rest > 0) this.#chunks.push(chunk.subarray(0, rest));
      this.#bytes += Math.min(chunk.length, Math.max(rest, 0));
      return;
    }
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    while (this.#bytes - (this.#chunks[0]?.length ?? 0) >= this.#limit) {
      this.#bytes -= this.#chunks.shift()?.length ?? 0;
    }
  }

  toString(): string {
    const all = Buffer.concat(this.#chunks);
    return (this.#keep === 'last' ? all.subarray(Math.max(0, all.length - this.#limit)) : all).toString('utf8');
  }
}
