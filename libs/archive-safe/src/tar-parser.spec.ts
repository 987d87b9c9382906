import { describe, expect, test } from '@jest/globals';
import { b256, dir, EOF, file, hdr, padded, pax, rec, type HeaderFields } from './testing/tar-bytes.ts';
import { parse } from './testing/parse.ts';

const chunkSizes = [1, 100, 511, 512, 513, 4096, 65536, [7, 1, 900, 512, 64]] as const;

/** Class or advisory, bytes, rule. The classes are those of the reject list in docs/archive-format.md. */
const refused: [string, Buffer | Buffer[], string][] = [
  ...['../evil', 'a/../../evil', 'a/..', '..'].map((name): [string, Buffer[], string] => [
    `P1 dotdot ${name}`,
    [file(name), EOF],
    'PATH',
  ]),
  ['P1 dotdot directory', [dir('..'), EOF], 'PATH'],
  ['P1 dotdot directory ./..', [dir('./..'), EOF], 'PATH'],
  ...['/etc/x', '//etc/x', '////x', '/../x'].map((name): [string, Buffer[], string] => [
    `P2 absolute ${name}`,
    [file(name), EOF],
    'PATH',
  ]),
  ['P3 prefix field', [hdr({ name: 'base', prefix: '../../etc' }), EOF], 'PATH'],
  ['P5 empty name', [file(''), EOF], 'PATH'],
  ['P5 dot', [file('.'), EOF], 'PATH'],
  ['P5 double slash', [file('a//b'), EOF], 'PATH'],
  ['P5 dot component', [file('a/./b'), EOF], 'PATH'],
  ['P5 leading ./', [file('./a'), EOF], 'PATH'],
  ['P5 empty PAX path', [pax({ path: '' }), file('a'), EOF], 'PAX'],
  ['P6 NUL in PAX path', [pax({ path: 'ok\0../../evil' }), file('a'), EOF], 'PAX'],
  ['P6 text after NUL in name', [file('a\0../x'), EOF], 'HDR'],
  ['P7 component of 256 bytes', [pax({ path: 'c'.repeat(256) }), file('c'), EOF], 'PATH'],
  ['P7 path of 4097 bytes', [pax({ path: `${'d/'.repeat(2048)}f` }), file('c'), EOF], 'PATH'],
  ['P8 257 levels', [pax({ path: `${'d/'.repeat(256)}f` }), file('c'), EOF], 'PATH'],
  ...[...'3467SVMDNAXKLg\x7f\0'].map((type): [string, Buffer[], string] => [
    `T1 type ${JSON.stringify(type)}`,
    [file('a', 'x', { type }), EOF],
    'TYPE',
  ]),
  ['T2 directory with size', [hdr({ name: 'd/', type: '5', size: 512 }), file('hidden'), EOF], 'HDR'],
  ['T3 link with size', [hdr({ type: '2', link: 'x', size: 512 }), hdr({ name: 'hidden' }), EOF], 'HDR'],
  ['T4 file with trailing slash', [hdr({ name: 'd/', type: '0' }), EOF], 'HDR'],
  ['T4 directory without slash', [hdr({ name: 'd', type: '5' }), EOF], 'PATH'],
  ['S1 negative size -1', [hdr({ size: b256(-1n) }), EOF], 'NUM'],
  ['S1 negative size -512', [hdr({ size: b256(-512n) }), EOF], 'NUM'],
  ['S1 negative size of a PAX header', [hdr({ name: 'PaxHeader', type: 'x', size: b256(-512n) }), EOF], 'NUM'],
  ['S2 size 2^70', [hdr({ size: b256(2n ** 70n) }), EOF], 'NUM'],
  ['S2 size 2^53', [hdr({ size: b256(2n ** 53n) }), EOF], 'NUM'],
  ['S2 base-256 that octal could hold', [hdr({ size: b256(512n) }), EOF], 'NUM'],
  ['S2 size beyond the archive', [hdr({ size: '77777777777\0' }), padded('x'), EOF], 'EOF'],
  ['S3 null base-256', [hdr({ size: Buffer.from('810000000005000000000000', 'hex') }), EOF], 'NUM'],
  ...['5zzzzzzzzzz\0', 'zzz\0', ' 0x10\0', ' '.repeat(12), '\0'.repeat(12), '8\0', '-5\0', '1 1\0'].map(
    (size): [string, Buffer[], string] => [`S4 junk octal ${JSON.stringify(size)}`, [hdr({ size }), EOF], 'NUM'],
  ),
  ...['1e3', '0x10', '-5', '+5', '5 ', '05', '', '10000000000000000', '9007199254740993'].map(
    (size): [string, Buffer[], string] => [`S5 PAX size ${size}`, [pax({ size }), file('a', 'hello'), EOF], 'PAX'],
  ),
  ['S6 TARmageddon (CVE-2025-62518)', [pax({ size: '1024' }), hdr({ size: 0 }), file('inner'), EOF], 'SIZE_CONFLICT'],
  ['S7 its mirror', [pax({ size: '0' }), hdr({ size: 512 }), hdr({ name: 'inner' }), EOF], 'SIZE_CONFLICT'],
  ['S8 x then L', [pax({ size: '2048' }), file('././@LongLink', 'long', { type: 'L' }), file('a'), EOF], 'TYPE'],
  ['S9 x of size 0', [hdr({ name: 'PaxHeader', type: 'x', size: 0 }), file('a'), EOF], 'PAX'],
  ['S10 two x', [pax({ path: 'first' }), pax({ linkpath: 'second' }), file('a'), EOF], 'PAX'],
  ['S11 dangling x', [pax({ path: 'p' }), EOF], 'PAX'],
  ['S12 global', [pax({ path: 'g' }, 'g'), file('orig'), EOF], 'TYPE'],
  ...[
    '9999 path=evil\n',
    '30 comment=x\n99 path=evil\n',
    '7 a=bcd',
    '0 ',
    '-5 a=',
    '12path=x\n',
    '6 a=b\n',
    '5 =b\n',
  ].map((body): [string, Buffer[], string] => [
    `X1 PAX length ${JSON.stringify(body)}`,
    [pax(Buffer.from(body)), file('a'), EOF],
    'PAX',
  ]),
  ['X2 key twice', [pax(Buffer.concat([rec('path', 'a'), rec('path', 'b')])), file('a'), EOF], 'PAX'],
  ['X2 __proto__', [pax(rec('__proto__', 'x')), file('a'), EOF], 'PAX'],
  ['X2 constructor', [pax({ constructor: 'y' }), file('a'), EOF], 'PAX'],
  ['X4 PAX of 64 KiB + 1', [pax({ path: 'p'.repeat(65_536) }), file('a'), EOF], 'PAX'],
  ['X4 PAX of 5 MiB', [hdr({ name: 'PaxHeader', type: 'x', size: 5 << 20 })], 'PAX'],
  ['X5 sparse', [pax({ 'GNU.sparse.major': '1' }), file('a'), EOF], 'PAX'],
  ['O4 xattr', [pax({ 'SCHILY.xattr.security.capability': 'x' }), file('a'), EOF], 'PAX'],
  ['Z1 no end', [file('a')], 'EOF'],
  ['Z1 one zero block', [file('a'), Buffer.alloc(512)], 'EOF'],
  ['Z1 one zero block, then an entry', [file('a'), Buffer.alloc(512), file('b'), EOF], 'EOF'],
  ['Z1 end, then an entry', [file('a'), EOF, file('b')], 'EOF'],
  ['Z1 end, then text', [file('a'), EOF, Buffer.from('g'.repeat(100))], 'EOF'],
  ['Z1 end, then zeros', [file('a'), EOF, Buffer.alloc(512)], 'EOF'],
  ['Z1 empty', [], 'EOF'],
  ['B3 only zeros', [Buffer.alloc(64 << 10)], 'EOF'],
  ['Z4 padding', [hdr({ size: 1 }), padded('x', 0x41), EOF], 'PAD'],
  [
    'Z4 padding of a PAX header',
    [hdr({ name: 'PaxHeader', type: 'x', size: 10 }), padded('10 path=a\n', 1), file('a'), EOF],
    'PAD',
  ],
  ['Z5 bad checksum', [hdr({ sum: '0000001\0' }), EOF], 'SUM'],
  ['Z5 signed checksum', [hdr({ name: 'caf\xe9', signed: true }), EOF], 'SUM'],
  ['Z5 zero but for the checksum', [allZeroButChecksum(), EOF], 'MAGIC'],
  ['H2 GNU magic', [hdr({ magic: 'ustar  \0' }), EOF], 'MAGIC'],
  ['H2 v7', [hdr({ magic: '\0\0\0\0\0\0\0\0' }), EOF], 'MAGIC'],
  ['H6 bytes in the unused part', [hdr({ tail: 'x' }), EOF], 'HDR'],
  ['H6 user name', [hdr({ uname: 'root' }), EOF], 'HDR'],
  ['L4 empty link', [hdr({ type: '2', link: '' }), EOF], 'LINK'],
  ['L4 hardlink out', [hdr({ type: '1', link: '../victim/hello' }), EOF], 'LINK'],
  ['L4 hardlink absolute', [hdr({ type: '1', link: '/etc/passwd' }), EOF], 'LINK'],
  ['L4 hardlink by ./a', [hdr({ type: '1', link: './a' }), EOF], 'LINK'],
  ['L4 file with a target', [hdr({ link: 'x' }), EOF], 'HDR'],
  ['L10 symlink of 4096 bytes', [pax({ linkpath: 'l'.repeat(4096) }), hdr({ type: '2', link: 'l' }), EOF], 'LINK'],
  ['O1 uid 2^32-1', [pax({ uid: '4294967295' }), file('a'), EOF], 'NUM'],
  ['O1 uid 2^32', [pax({ uid: '4294967296' }), file('a'), EOF], 'NUM'],
  ['O1 uid -1', [pax({ uid: '-1' }), file('a'), EOF], 'PAX'],
  ['O1 uid contradicts', [pax({ uid: '5' }), file('a', 'x', { uid: '0000007\0' }), EOF], 'NUM'],
  ['O2 mode with file type bits', [hdr({ mode: '0104755\0' }), EOF], 'NUM'],
  ...['NaN', '-1', '1.', '.5', '1.0000000001', '1099511627776.5x'].map((mtime): [string, Buffer[], string] => [
    `O3 mtime ${mtime}`,
    [pax({ mtime }), file('a'), EOF],
    'NUM',
  ]),
  ['CANON path in PAX that fits the header', [pax({ path: 'b' }), file('b'), EOF], 'CANON'],
  ['CANON spaces before an octal', [hdr({ mode: '    644\0' }), EOF], 'CANON'],
  ['CANON checksum with another end', [hdr({ sum: checksumWithoutNul() }), EOF], 'CANON'],
  ['CANON another name of the PAX header', [canonName(), file('a'), EOF], 'CANON'],
];

function allZeroButChecksum(): Buffer {
  const block = Buffer.alloc(512);
  block.write('0000400\0', 148, 'latin1');
  return block;
}

function checksumWithoutNul(): string {
  return `${hdr({}).toString('latin1', 148, 154)}  `;
}

function canonName(): Buffer {
  const body = rec('mtime', '1.500000000');
  return Buffer.concat([hdr({ name: 'x', type: 'x', size: body.length }), padded(body)]);
}

describe('strict reader', () => {
  test.each(refused)('refuses %s', (_name, parts, rule) => {
    const bytes = Buffer.isBuffer(parts) ? parts : Buffer.concat(parts);
    expect(parse(bytes).rule).toBe(rule);
    for (const cuts of chunkSizes) expect(parse(bytes, cuts)).toEqual(parse(bytes));
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
    for (const cuts of chunkSizes) expect(parse(bytes, cuts)).toEqual(parsed);
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
