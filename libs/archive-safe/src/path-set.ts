import { createHmac, randomBytes } from 'node:crypto';
import type { ByteString } from './byte-string.ts';

const emptySlot = 0;

/**
 * Which paths an archive has declared, and as what, in some 15 bytes each whatever their length: 62 bits of a keyed hash. Two
 * of five million paths share one with a chance of 1 in 300,000, and then an archive is refused that is not at fault; nobody
 * can aim at it without the key, which is new in every set.
 */
export class PathSet {
  #key = randomBytes(16);
  #high = new Uint32Array(1024);
  /** The lowest two bits are the kind, 1 to 3; 0 is an empty slot. */
  #low = new Uint32Array(1024);
  #count = 0;

  get(path: ByteString): number | undefined {
    const [high, low] = this.#hash(path);
    const slot = this.#slot(high, low);
    const kind = (this.#low[slot] as number) & 3;
    return kind === 0 ? undefined : kind;
  }

  /** False: the path is there already, and stays as it was. `kind` is 1 to 3. */
  add(path: ByteString, kind: number): boolean {
    const [high, low] = this.#hash(path);
    const slot = this.#slot(high, low);
    if (this.#low[slot] !== emptySlot) return false;
    this.#high[slot] = high;
    this.#low[slot] = low + kind;
    if (++this.#count > this.#low.length * 0.7) this.#grow();
    return true;
  }

  #hash(path: ByteString): [number, number] {
    const digest = createHmac('sha256', this.#key).update(path, 'latin1').digest();
    return [digest.readUInt32LE(0), (digest.readUInt32LE(4) & ~3) >>> 0];
  }

  #slot(high: number, low: number): number {
    const mask = this.#low.length - 1;
    let slot = (low >>> 2) & mask;
    for (;;) {
      const found = this.#low[slot] as number;
      if (found === emptySlot || (this.#high[slot] === high && found >>> 2 === low >>> 2)) return slot;
      slot = (slot + 1) & mask;
    }
  }

  #grow(): void {
    const [high, low] = [this.#high, this.#low];
    this.#high = new Uint32Array(low.length * 2);
    this.#low = new Uint32Array(low.length * 2);
    for (let i = 0; i < low.length; i++) {
      const value = low[i] as number;
      if (value === emptySlot) continue;
      const slot = this.#slot(high[i] as number, value);
      this.#high[slot] = high[i] as number;
      this.#low[slot] = value;
    }
  }
}
