import { writeChecksum } from '../tar-header.ts';

export interface HeaderFields {
  name?: string;
  type?: string;
  mode?: string;
  uid?: string | Buffer;
  gid?: string | Buffer;
  size?: number | string | Buffer;
  mtime?: string | Buffer;
  link?: string;
  magic?: string;
  uname?: string;
  prefix?: string;
  devmajor?: string;
  tail?: string;
  /** Replaces the checksum field. */
  sum?: string;
  /** Signed sum, as some old writers made it. */
  signed?: boolean;
}

/** One header block, as right or wrong as asked for. */
export function hdr(f: HeaderFields): Buffer {
  const block = Buffer.alloc(512);
  const put = (value: string | Buffer, at: number, width: number): void => {
    const bytes = typeof value === 'string' ? Buffer.from(value, 'latin1') : value;
    bytes.copy(block, at, 0, Math.min(width, bytes.length));
  };
  const size = f.size ?? 0;
  put(f.name ?? 'f', 0, 100);
  put(f.mode ?? '0000644\0', 100, 8);
  put(f.uid ?? '0000000\0', 108, 8);
  put(f.gid ?? '0000000\0', 116, 8);
  put(typeof size === 'number' ? `${size.toString(8).padStart(11, '0')}\0` : size, 124, 12);
  put(f.mtime ?? '00000000000\0', 136, 12);
  put(f.type ?? '0', 156, 1);
  put(f.link ?? '', 157, 100);
  put(f.magic ?? 'ustar\x0000', 257, 8);
  put(f.uname ?? '', 265, 32);
  put(f.devmajor ?? '0000000\0', 329, 8);
  put('0000000\0', 337, 8);
  put(f.prefix ?? '', 345, 155);
  put(f.tail ?? '', 500, 12);
  if (f.signed === true) {
    block.fill(0x20, 148, 156);
    const sum = block.reduce((total, byte) => total + (byte > 127 ? byte - 256 : byte), 0);
    put(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 8);
  } else {
    writeChecksum(block);
  }
  if (f.sum !== undefined) put(f.sum, 148, 8);
  return block;
}

export function padded(body: Buffer | string, fill = 0): Buffer {
  const bytes = typeof body === 'string' ? Buffer.from(body, 'latin1') : body;
  return Buffer.concat([bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512, fill)]);
}

export function rec(key: string, value: string | Buffer): Buffer {
  const bytes = typeof value === 'string' ? Buffer.from(value, 'latin1') : value;
  const rest = key.length + bytes.length + 3;
  let length = rest + 1;
  while (`${length}`.length + rest !== length) length = `${length}`.length + rest;
  return Buffer.concat([Buffer.from(`${length} ${key}=`, 'latin1'), bytes, Buffer.from('\n')]);
}

/** A PAX header as our writer names it, with any records. */
export function pax(records: Record<string, string | Buffer> | Buffer, type = 'x'): Buffer {
  const body = Buffer.isBuffer(records)
    ? records
    : Buffer.concat(Object.entries(records).map(([key, value]) => rec(key, value)));
  return Buffer.concat([hdr({ name: 'PaxHeader', type, size: body.length }), padded(body)]);
}

export function file(name: string, body = 'x', more: HeaderFields = {}): Buffer {
  return Buffer.concat([hdr({ name, size: body.length, ...more }), padded(body)]);
}

export function dir(name: string): Buffer {
  return hdr({ name: `${name}/`, type: '5', mode: '0000755\0' });
}

export function b256(value: bigint, width = 12): Buffer {
  const bytes = Buffer.alloc(width);
  let rest = BigInt.asUintN(width * 8, value);
  for (let i = width - 1; i >= 0; i--, rest >>= 8n) bytes[i] = Number(rest & 0xffn);
  if (value >= 0n) bytes[0] = (bytes[0] as number) | 0x80;
  return bytes;
}

export const EOF = Buffer.alloc(1024);
