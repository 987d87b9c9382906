import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { dir, EOF, file, hdr, pax, type HeaderFields } from './testing/tar-bytes.ts';
import { parse } from './testing/parse.ts';
import { streamVectors, takenVectors, treeVectors } from './testing/vectors.ts';

describe('the reader of our own archives', () => {
  test.each(streamVectors)('refuses %s', (_name, parts, rule) => {
    const bytes = Buffer.isBuffer(parts) ? parts : Buffer.concat(parts);
    expect(parse(bytes).rule).toBe(rule);
    for (const cuts of everyCut(bytes)) expect([cuts, parse(bytes, cuts)]).toEqual([cuts, parse(bytes)]);
  });

  const accepted: [string, HeaderFields & { pax?: Record<string, string> }, Record<string, unknown>][] = [
    ['P9 control characters in a name', { name: '\x1b]0;pwn\x07' }, { path: '\x1b]0;pwn\x07' }],
    ['P10 a name that is no UTF-8', { name: 'f\xff' }, { path: 'f\xff' }],
    ['P12 backslash', { name: 'a\\..\\..\\x' }, { path: 'a\\..\\..\\x' }],
    [
      'O3 mtime in nanoseconds',
      { mtime: '00000000001\0', pax: { mtime: '1.999999999' } },
      { mtimeSec: 1, mtimeNs: 999999999 },
    ],
    ['an owner beyond octal', { pax: { uid: '231072000' } }, { uid: 231072000 }],
    ['setuid', { mode: '0004755\0' }, { mode: 0o4755 }],
  ];

  test.each(accepted)('takes %s', (_name, { pax: records, ...fields }, expected) => {
    const bytes = Buffer.concat([...(records === undefined ? [] : [pax(records)]), hdr(fields), EOF]);
    const parsed = parse(bytes);
    expect(parsed).toMatchObject({ entries: [expected] });
    expect(parsed.rule).toBeUndefined();
    for (const cuts of everyCut(bytes)) expect([cuts, parse(bytes, cuts)]).toEqual([cuts, parsed]);
  });

  test('X3 a PAX path of digits is a name', () => {
    const name = '1'.repeat(101);
    const bytes = Buffer.concat([pax({ path: name }), file(name.slice(0, 100), 'body'), EOF]);
    expect(parse(bytes)).toMatchObject({ entries: [{ path: name, body: 'body' }] });
  });

  test('Z2 every truncation of three entries is refused', () => {
    const bytes = Buffer.concat([dir('0'), file('0/a', 'a'.repeat(700)), file('0/b'), EOF]);
    expect(parse(bytes).rule).toBeUndefined();
    for (let end = 0; end < bytes.length; end++) expect(parse(bytes.subarray(0, end)).rule).toBeDefined();
  });
});

describe('the reader of foreign tars', () => {
  const foreign = { dialect: 'import' } as const;
  const all: [string, Buffer | Buffer[], string | null][] = [
    ...streamVectors.map(([name, parts, own, other = own]): [string, Buffer | Buffer[], string | null] => [
      name,
      parts,
      other,
    ]),
    ...treeVectors,
  ];

  test.each(all)('%s', (_name, parts, rule) => {
    const bytes = Buffer.isBuffer(parts) ? parts : Buffer.concat(parts);
    const whole = parse(bytes, bytes.length || 1, foreign);
    expect(whole.rule ?? null).toBe(rule);
    for (const cuts of everyCut(bytes)) expect([cuts, parse(bytes, cuts, foreign)]).toEqual([cuts, whole]);
  });

  test.each(takenVectors)('takes %s', (_name, parts, entries) => {
    const bytes = Buffer.concat(parts);
    const whole = parse(bytes, bytes.length, foreign);
    expect(whole).toMatchObject({ entries });
    expect([whole.rule, whole.entries.length]).toEqual([undefined, entries.length]);
    for (const cuts of everyCut(bytes)) expect([cuts, parse(bytes, cuts, foreign)]).toEqual([cuts, whole]);
  });

  test('Z2 every truncation of three entries is refused', () => {
    const bytes = Buffer.concat([dir('d'), file('d/a', 'a'.repeat(700)), file('d/b'), EOF]);
    expect(parse(bytes, 512, foreign).rule).toBeUndefined();
    for (let end = 0; end < bytes.length; end++) expect(parse(bytes.subarray(0, end), 512, foreign).rule).toBeDefined();
  });

  test('Z1 the end may be followed by zeros up to 1 MiB, in whole blocks', () => {
    const tail = (bytes: number): string | undefined =>
      parse(Buffer.concat([file('a'), EOF, Buffer.alloc(bytes)]), 65536, foreign).rule;
    expect([0, 512, 9216, 1 << 20].map(tail)).toEqual([undefined, undefined, undefined, undefined]);
    expect([1, 511, 513, (1 << 20) + 512, 2 << 20].map(tail)).toEqual(['EOF', 'EOF', 'EOF', 'EOF', 'EOF']);
  });

  test('X4 a thousand PAX headers cost no memory', () => {
    const one = Buffer.concat([pax({ path: 'p'.repeat(200), linkpath: 'l'.repeat(4095) }), symlinkHeader]);
    const before = process.memoryUsage().arrayBuffers;
    const started = performance.now();
    const parsed = parse(Buffer.concat(Array<Buffer>(1000).fill(one)), 65536, foreign);
    expect(parsed.rule).toBe('DUPLICATE');
    expect(performance.now() - started).toBeLessThan(1000);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(32 << 20);
  });
});

const symlinkHeader = hdr({ name: 'p', type: '2', link: 'l' });

/** Cuts of every size that has a border of its own, and random ones; what fails shows them. */
function everyCut(bytes: Buffer): (number | number[])[] {
  const random = Array.from(
    { length: 5 },
    () => fc.sample(fc.array(fc.integer({ min: 1, max: 1500 }), { minLength: 1, maxLength: 9 }), 1)[0] as number[],
  );
  const small = bytes.length <= 1 << 20 ? [1] : [];
  return [...small, 100, 511, 512, 513, 4096, 65536, [7, 1, 900, 512, 64], ...random];
}
