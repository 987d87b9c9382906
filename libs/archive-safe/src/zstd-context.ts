import zlib from 'node:zlib';

/** The part of zlib's stream object that its own one-shot functions are made of; no public call reuses a context. */
interface Handle {
  writeSync(
    flush: number,
    input: Buffer,
    inAt: number,
    inBytes: number,
    out: Buffer,
    outAt: number,
    outBytes: number,
  ): void;
  close(): void;
  onerror: (message: string, errno: number, code: string) => void;
}

interface StreamInside {
  _handle?: Handle;
  /** Bytes left in the output, bytes left of the input. */
  _writeState?: Uint32Array;
}

/**
 * One zstd context and one output buffer for many frames. The public one-shot calls make both anew for every frame: in each
 * thread some 60 MiB of dead buffers pile up until V8 looks, and a tenth of the time goes into fresh pages (measured,
 * docs/archive-format.md). `ZstdContext.works` tells whether this Node has the parts it needs; otherwise take the public calls.
 */
export class ZstdContext {
  #handle: Handle;
  #state: Uint32Array;
  #out: Buffer;
  #failure: string | undefined;

  /** Owner of the handle: were it collected, the handle would be closed. */
  readonly stream: object;

  constructor(stream: object, outBytes: number) {
    const { _handle: handle, _writeState: state } = stream as StreamInside;
    if (typeof handle?.writeSync !== 'function' || state?.length !== 2) throw new TypeError('zlib has another shape');
    this.stream = stream;
    this.#handle = handle;
    this.#state = state;
    this.#out = Buffer.allocUnsafeSlow(outBytes);
    handle.onerror = (_message, _errno, code) => {
      this.#failure = code;
    };
  }

  /** One whole frame in, one whole frame out. The result is valid until the next call; undefined: drop this context. */
  run(input: Buffer, outBytes: number): Buffer | undefined {
    if (this.#out.length < outBytes) this.#out = Buffer.allocUnsafeSlow(outBytes);
    const { ZSTD_e_end } = zlib.constants;
    this.#handle.writeSync(ZSTD_e_end, input, 0, input.length, this.#out, 0, outBytes);
    const [outLeft, inLeft] = this.#state as unknown as [number, number];
    if (this.#failure !== undefined || inLeft !== 0) return undefined;
    return this.#out.subarray(0, outBytes - outLeft);
  }

  close(): void {
    this.#handle.close();
  }

  static works = ((): boolean => {
    try {
      const sample = Buffer.from('one frame in, one frame out; '.repeat(50));
      const packer = new ZstdContext(zlib.createZstdCompress(), 4096);
      const inflater = new ZstdContext(zlib.createZstdDecompress(), 4096);
      const twice = [0, 1].map(() => {
        const packed = packer.run(sample, 4096) as Buffer;
        const whole = zlib.zstdDecompressSync(packed).equals(sample);
        return whole && (inflater.run(packed, sample.length + 1) as Buffer).equals(sample);
      });
      packer.close();
      inflater.close();
      return twice[0] === true && twice[1] === true;
    } catch {
      return false;
    }
  })();
}
