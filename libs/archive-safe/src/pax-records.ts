import { damaged } from './refusal.ts';

export const paxKeys = new Set(['path', 'linkpath', 'size', 'uid', 'gid', 'mtime']);
export const maxPaxBytes = 65536;

export function encodePax(records: readonly (readonly [string, Buffer])[]): Buffer {
  const parts: Buffer[] = [];
  for (const [key, value] of records) {
    const rest = 1 + key.length + 1 + value.length + 1;
    let length = rest + 1;
    while (`${length}`.length + rest !== length) length = `${length}`.length + rest;
    parts.push(Buffer.from(`${length} ${key}=`, 'latin1'), value, Buffer.from('\n'));
  }
  return Buffer.concat(parts);
}

/**
 * Rule H9: lengths exact, records fill the body, keys from the allow-list and once each, values neither empty nor with NUL.
 * A Map, never an object: `__proto__` is a key like any other unknown one.
 */
export function parsePax(body: Buffer, keys: ReadonlySet<string> = paxKeys): Map<string, Buffer> {
  const records = new Map<string, Buffer>();
  let at = 0;
  while (at < body.length) {
    const digits = /^[1-9][0-9]{0,6} /.exec(body.toString('latin1', at, at + 8));
    if (digits === null) throw damaged('PAX', 'A PAX record does not begin with its length');
    const length = Number(digits[0]);
    const end = at + length;
    if (end > body.length || body[end - 1] !== 0x0a) throw damaged('PAX', 'A PAX record has a wrong length');
    const start = at + digits[0].length;
    const equals = body.indexOf(0x3d, start);
    if (equals === -1 || equals >= end - 1) throw damaged('PAX', 'A PAX record has no key and value');
    const key = body.toString('latin1', start, equals);
    if (!keys.has(key)) throw damaged('PAX', 'A PAX record has a key that is not allowed');
    if (records.has(key)) throw damaged('PAX', 'A PAX key appears twice');
    const value = body.subarray(equals + 1, end - 1);
    if (value.length === 0 || value.includes(0)) throw damaged('PAX', 'A PAX value is empty or holds NUL');
    records.set(key, value);
    at = end;
  }
  return records;
}

export function paxInteger(value: Buffer): number {
  const text = value.toString('latin1');
  if (!/^(?:0|[1-9][0-9]{0,15})$/.test(text) || !Number.isSafeInteger(Number(text))) {
    throw damaged('PAX', 'A PAX number is not canonical decimal');
  }
  return Number(text);
}

export function paxTime(value: Buffer): { seconds: number; nanoseconds: number } {
  const match = /^([0-9]{1,12})(?:\.([0-9]{1,9}))?$/.exec(value.toString('latin1'));
  if (match === null) throw damaged('NUM', 'A PAX time is not seconds with an optional fraction');
  return { seconds: Number(match[1]), nanoseconds: Number((match[2] ?? '').padEnd(9, '0')) };
}
