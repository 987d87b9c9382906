import { encodeHeader } from '../tar-header.ts';
import { b256, dir, EOF, file, hdr, padded, pax, rec } from './tar-bytes.ts';

/**
 * One hostile or merely foreign stream, with the rule that refuses it as part of an archive of ours, and the rule that
 * refuses it as a tar of somebody else (`null`: taken). Named by class (P1, ...) or advisory; links are allowed (tier 1).
 */
export type Vector = [name: string, parts: Buffer | Buffer[], own: string, foreign?: string | null];

/** Streams that break a rule of one header, or of the stream; what needs several entries is in `treeVectors`. */
export const streamVectors: Vector[] = [
  ...['../evil', 'a/../../evil', 'a/..', '..'].map((name): Vector => [`P1 dotdot ${name}`, [file(name), EOF], 'PATH']),
  ['P1 dotdot directory', [dir('..'), EOF], 'PATH'],
  ['P1 dotdot directory ./..', [dir('./..'), EOF], 'PATH'],
  ...['/etc/x', '//etc/x', '////x', '/../x'].map((name): Vector => [`P2 absolute ${name}`, [file(name), EOF], 'PATH']),
  ['P3 prefix field', [hdr({ name: 'base', prefix: '../../etc' }), EOF], 'PATH'],
  ['P5 empty name', [file(''), EOF], 'PATH'],
  ['P5 dot', [file('.'), EOF], 'PATH'],
  ['P5 double slash', [file('a//b'), EOF], 'PATH'],
  ['P5 dot component', [file('a/./b'), EOF], 'PATH'],
  ['P5 leading ./', [file('./a'), EOF], 'PATH', null],
  ['P5 empty PAX path', [pax({ path: '' }), file('a'), EOF], 'PAX'],
  ['P6 NUL in PAX path', [pax({ path: 'ok\0../../evil' }), file('a'), EOF], 'PAX'],
  ['P6 text after NUL in name', [file('a\0../x'), EOF], 'HDR'],
  ['P7 component of 256 bytes', [pax({ path: 'c'.repeat(256) }), file('c'), EOF], 'PATH'],
  ['P7 path of 4097 bytes', [pax({ path: `${'d/'.repeat(2048)}f` }), file('c'), EOF], 'PATH'],
  ['P8 257 levels', [pax({ path: `${'d/'.repeat(256)}f` }), file('c'), EOF], 'PATH'],
  ...[...'3467SVMDNAXKLg\x7f\0'].map((type): Vector => [
    `T1 type ${JSON.stringify(type)}`,
    [file('a', 'x', { type }), EOF],
    'TYPE',
    type === '\0' ? null : 'TYPE',
  ]),
  ['T2 directory with size', [hdr({ name: 'd/', type: '5', size: 512 }), file('hidden'), EOF], 'HDR'],
  ['T3 link with size', [hdr({ type: '2', link: 'x', size: 512 }), hdr({ name: 'hidden' }), EOF], 'HDR'],
  ['T4 file with trailing slash', [hdr({ name: 'd/', type: '0' }), EOF], 'HDR'],
  ['T4 directory without slash', [hdr({ name: 'd', type: '5' }), EOF], 'PATH', null],
  ['S1 negative size -1', [hdr({ size: b256(-1n) }), EOF], 'NUM'],
  ['S1 negative size -512', [hdr({ size: b256(-512n) }), EOF], 'NUM'],
  ['S1 negative size of a PAX header', [hdr({ name: 'PaxHeader', type: 'x', size: b256(-512n) }), EOF], 'NUM'],
  ['S2 size 2^70', [hdr({ size: b256(2n ** 70n) }), EOF], 'NUM'],
  ['S2 size 2^53', [hdr({ size: b256(2n ** 53n) }), EOF], 'NUM'],
  ['S2 base-256 that octal could hold', [hdr({ size: b256(512n) }), EOF], 'NUM', 'EOF'],
  ['S2 size beyond the archive', [hdr({ size: '77777777777\0' }), padded('x'), EOF], 'EOF'],
  ['S3 null base-256', [hdr({ size: Buffer.from('810000000005000000000000', 'hex') }), EOF], 'NUM'],
  ...['5zzzzzzzzzz\0', 'zzz\0', ' 0x10\0', ' '.repeat(12), '\0'.repeat(12), '8\0', '-5\0', '1 1\0'].map(
    (size): Vector => [`S4 junk octal ${JSON.stringify(size)}`, [hdr({ size }), EOF], 'NUM'],
  ),
  ...['1e3', '0x10', '-5', '+5', '5 ', '05', '', '10000000000000000', '9007199254740993'].map((size): Vector => [
    `S5 PAX size ${size}`,
    [pax({ size }), file('a', 'hello'), EOF],
    'PAX',
  ]),
  ['S6 TARmageddon (CVE-2025-62518)', [pax({ size: '1024' }), hdr({ size: 0 }), file('inner'), EOF], 'SIZE_CONFLICT'],
  [
    'S7 its mirror (CVE-2026-33055)',
    [pax({ size: '0' }), hdr({ size: 512 }), hdr({ name: 'inner' }), EOF],
    'SIZE_CONFLICT',
  ],
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
  ].map((body): Vector => [`X1 PAX length ${JSON.stringify(body)}`, [pax(Buffer.from(body)), file('a'), EOF], 'PAX']),
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
  ['Z1 end, then zeros', [file('a'), EOF, Buffer.alloc(512)], 'EOF', null],
  ['Z1 empty', [], 'EOF'],
  ['B3 only zeros: to others an archive without entries', [Buffer.alloc(64 << 10)], 'EOF', null],
  ['B3 2 MiB of zeros', [Buffer.alloc(2 << 20)], 'EOF'],
  ['Z4 padding', [hdr({ size: 1 }), padded('x', 0x41), EOF], 'PAD'],
  [
    'Z4 padding of a PAX header',
    [hdr({ name: 'PaxHeader', type: 'x', size: 10 }), padded('10 path=a\n', 1), file('a'), EOF],
    'PAD',
  ],
  ['Z5 bad checksum', [hdr({ sum: '0000001\0' }), EOF], 'SUM'],
  ['Z5 signed checksum', [hdr({ name: 'caf\xe9', signed: true }), EOF], 'SUM'],
  ['Z5 zero but for the checksum', [allZeroButChecksum(), EOF], 'MAGIC'],
  ['H2 GNU magic', [hdr({ magic: 'ustar  \0' }), EOF], 'MAGIC', null],
  ['H2 v7', [hdr({ magic: '\0\0\0\0\0\0\0\0' }), EOF], 'MAGIC'],
  ['H6 bytes in the unused part', [hdr({ tail: 'x' }), EOF], 'HDR'],
  ['H6 user name', [hdr({ uname: 'root' }), EOF], 'HDR', null],
  ['L4 empty link', [hdr({ type: '2', link: '' }), EOF], 'LINK'],
  ['L4 hardlink out', [hdr({ type: '1', link: '../victim/hello' }), EOF], 'LINK'],
  ['L4 hardlink absolute', [hdr({ type: '1', link: '/etc/passwd' }), EOF], 'LINK'],
  ['L4 hardlink by ./a', [hdr({ type: '1', link: './a' }), EOF], 'LINK'],
  ['L4 file with a target', [hdr({ link: 'x' }), EOF], 'HDR'],
  ['L10 symlink of 4096 bytes', [pax({ linkpath: 'l'.repeat(4096) }), hdr({ type: '2', link: 'l' }), EOF], 'LINK'],
  ['O1 uid 2^32-1', [pax({ uid: '4294967295' }), file('a'), EOF], 'NUM'],
  ['O1 uid 2^32', [pax({ uid: '4294967296' }), file('a'), EOF], 'NUM'],
  ['O1 uid -1', [pax({ uid: '-1' }), file('a'), EOF], 'PAX'],
  ['O1 uid contradicts', [pax({ uid: '5' }), file('a', 'x', { uid: '0000007\0' }), EOF], 'NUM', null],
  ['O2 mode with file type bits', [hdr({ mode: '0104755\0' }), EOF], 'NUM', null],
  ...['NaN', '1099511627776', '-1', '1.', '.5', '1.0000000001', '1099511627776.5x'].map((mtime): Vector => [
    `O3 mtime ${mtime}`,
    [pax({ mtime }), file('a'), EOF],
    'NUM',
  ]),
  ['CANON path in PAX that fits the header', [pax({ path: 'b' }), file('b'), EOF], 'CANON', null],
  ['CANON spaces before an octal', [hdr({ mode: '    644\0' }), EOF], 'CANON', null],
  ['CANON checksum with another end', [hdr({ sum: checksumWithoutNul() }), EOF], 'CANON', null],
  ['CANON another name of the PAX header', [canonName(), file('a'), EOF], 'CANON', null],
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

const gnu = { magic: 'ustar  \0' };
const long = (type: string, body: string): Buffer => file('././@LongLink', body, { type, ...gnu });
const plain = { uid: 0, gid: 0, mtimeSec: 0, mtimeNs: 0, size: 0, link: '', mode: 0o755 };

/** Nested directories, each with an entry of its own, as a writer with no limit would encode them. */
function nested(levels: number, name = 'd'): Buffer {
  const paths = Array.from({ length: levels }, (_, i) =>
    Array<string>(i + 1)
      .fill(name)
      .join('/'),
  );
  return Buffer.concat(paths.map((path) => encodeHeader({ ...plain, path, type: 'directory' })));
}

const symlink = (name: string, link: string): Buffer => hdr({ name, type: '2', link });
const hardlink = (name: string, link: string): Buffer => hdr({ name, type: '1', link });

/** Streams whose every header is well-formed; what they would do to a tree is not. The rule is that of a foreign tar. */
export const treeVectors: [name: string, parts: Buffer[], foreign: string][] = [
  ['P4 sibling prefix by symlink (CVE-2025-59343)', [symlink('l', '../dest-evil/secret')], 'LINK'],
  ['P4 sibling prefix by hardlink (CVE-2025-59343)', [hardlink('l', '../dest-evil/secret')], 'LINK'],
  ['P8 257 nested directory entries', [nested(257)], 'PATH'],
  ['L1 symlink, then a file through it', [symlink('l', '/victim'), file('l/f')], 'PARENT'],
  [
    'L2 a directory, again as symlink, then a file in it',
    [dir('d'), symlink('d', '/victim'), file('d/f')],
    'DUPLICATE',
  ],
  [
    'L3 two hops (CVE-2026-26960, go-archive)',
    [dir('i'), symlink('i/go_up', '..'), symlink('i/go_up/escape', '../victim'), file('i/go_up/escape/newfile')],
    'PARENT',
  ],
  ...['../victim/hello', '/../victim/hello', '/etc/passwd', 'b', 'later', 'd', 'd/', './a', '.', ''].map(
    (target): [string, Buffer[], string] => [
      `L4 hardlink to ${JSON.stringify(target)}`,
      [file('a'), dir('d'), symlink('s', 'a'), hardlink('b', target), file('later')],
      'LINK',
    ],
  ),
  ['L4 hardlink to a symlink', [file('a'), symlink('s', 'a'), hardlink('b', 's')], 'LINK'],
  ['L5 hardlink to what is not there, then its name', [hardlink('a', 'victim'), file('a')], 'LINK'],
  ['L5 hardlink, then a file of its name', [file('v'), hardlink('a', 'v'), file('a', 'changed')], 'DUPLICATE'],
  ['L6 symlink and directory of one name (CVE-2026-33056)', [symlink('foo', '/victimdir'), dir('foo')], 'DUPLICATE'],
  ['L6 directory and file of one name', [dir('foo'), file('foo')], 'DUPLICATE'],
  ['L6 a file twice', [file('foo'), file('foo')], 'DUPLICATE'],
  ['L7 beyond PATH_MAX of realpath (CVE-2025-4517)', realpathLimit(), 'PARENT'],
  [
    'L8 symlink with mode and owner of its own',
    [hdr({ name: 'l', type: '2', link: '/victim/hello', mode: '0000777\0' })],
    'LINK',
  ],
  ['L10 absolute symlink', [symlink('l', '/etc')], 'LINK'],
  ['L10 loop', [symlink('a', 'b'), symlink('b', 'a')], 'LINK'],
  ['L10 out by way of another link', [dir('d'), dir('d/e'), symlink('x', 'd/e'), symlink('y', 'x/../../..')], 'LINK'],
  ['N6 no parent', [file('d/f')], 'PARENT'],
  ['N6 a file as parent', [file('a'), file('a/f')], 'PARENT'],
  ['GNU long name with dots', [long('L', '../evil\0'), file('evil', 'x', gnu)], 'PATH'],
  ['GNU long name that is absolute', [long('L', '/evil\0'), file('evil', 'x', gnu)], 'PATH'],
  ['GNU long name of 4,097 bytes', [long('L', `${'d/'.repeat(2048)}f\0`), file('d', 'x', gnu)], 'PATH'],
  ['GNU long name with a NUL inside', [long('L', 'ok\0../../evil\0'), file('ok', 'x', gnu)], 'PAX'],
  ['GNU long name without NUL', [long('L', 'ok'), file('ok', 'x', gnu)], 'PAX'],
  ['GNU long name, empty', [long('L', '\0'), file('ok', 'x', gnu)], 'PAX'],
  ['GNU long name twice', [long('L', 'a\0'), long('L', 'b\0'), file('c', 'x', gnu)], 'PAX'],
  ['GNU long name and the end', [long('L', 'a\0')], 'PAX'],
  ['GNU long name of 64 KiB', [hdr({ name: 'L', type: 'L', size: 65_536, ...gnu })], 'PAX'],
  [
    'GNU long target that leaves',
    [long('K', `${'../'.repeat(40)}victim\0`), hdr({ name: 'l', type: '2', link: '..', ...gnu })],
    'LINK',
  ],
  ['S8 x then L (CVE-2026-53655)', [pax({ size: '2048' }), long('L', 'longname.txt\0'), file('a'), file('b')], 'TYPE'],
  ['S8 L then x', [long('L', 'longname.txt\0'), pax({ size: '2048' }), file('a'), file('b')], 'TYPE'],
  ['GNU header with bytes where POSIX has its prefix', [file('f', 'x', { ...gnu, prefix: '../..' })], 'HDR'],
  ['GNU sparse', [file('f', 'x', { ...gnu, type: 'S' })], 'TYPE'],
  ['O1 uid -1 in base-256', [hdr({ uid: b256(-1n, 8) })], 'NUM'],
  ['O1 uid 2^32 - 1 in base-256', [hdr({ uid: b256(2n ** 32n - 1n, 8) })], 'NUM'],
  ['O1 uid that is no number', [hdr({ uid: 'NaN\0' })], 'NUM'],
  ['O3 negative mtime in base-256', [hdr({ mtime: b256(-5n) })], 'NUM'],
  ['device numbers', [hdr({ devmajor: '0000001\0' })], 'HDR'],
].map(([name, parts, rule]) => [name, [...(parts as Buffer[]), EOF], rule] as [string, Buffer[], string]);

/** 16 nested folders of 247 bytes, short links to each, then a way up behind the longest of them. */
function realpathLimit(): Buffer[] {
  const parts: Buffer[] = [];
  let path = '';
  let links = '';
  for (const letter of 'abcdefghijklmnop') {
    const folder = `${path}${'d'.repeat(247)}`;
    parts.push(encodeHeader({ ...plain, path: folder, type: 'directory' }));
    parts.push(encodeHeader({ ...plain, path: `${path}${letter}`, type: 'symlink', link: 'd'.repeat(247) }));
    path = `${folder}/`;
    links += `${letter}/`;
  }
  parts.push(encodeHeader({ ...plain, path: `${links}${'l'.repeat(254)}`, type: 'symlink', link: '../'.repeat(16) }));
  parts.push(
    encodeHeader({ ...plain, path: 'escape', type: 'symlink', link: `${links}${'l'.repeat(254)}/../../victim` }),
  );
  parts.push(hardlink('flag', 'escape/hello'), file('flag', 'changed'));
  return parts;
}

/** What a foreign tar may hold, and what becomes of it. */
export const takenVectors: [name: string, parts: Buffer[], entries: Record<string, unknown>[]][] = [
  ['P9 control characters in a name', [file('\x1b]0;pwn\x07')], [{ path: '\x1b]0;pwn\x07' }]],
  ['P10 names that are no UTF-8', [file('f\xff'), file('f\xfe')], [{ path: 'f\xff' }, { path: 'f\xfe' }]],
  [
    'P11 names that only a folding file system mixes up',
    ['\xc3\xa9', 'e\xcc\x81', '\xc3\x9f', 'ss', 'README', 'readme'].map((name) => file(name)),
    ['\xc3\xa9', 'e\xcc\x81', '\xc3\x9f', 'ss', 'README', 'readme'].map((path) => ({ path })),
  ],
  ['P12 backslash', [file('a\\..\\..\\x')], [{ path: 'a\\..\\..\\x' }]],
  ['X3 a PAX path of digits is a name', [pax({ path: '12345' }), file('x')], [{ path: '12345' }]],
  ['L10 dangling symlink inside', [symlink('l', 'nowhere')], [{ path: 'l', link: 'nowhere' }]],
  ['O1 the name of an owner is not read', [file('f', 'x', { uname: 'root', uid: '0001750\0' })], [{ uid: 1000 }]],
  [
    'O2 modes are cut to nine bits',
    [
      hdr({ name: 'a', mode: '0104755\0' }),
      hdr({ name: 'b', mode: '0006777\0' }),
      hdr({ name: 'd/', type: '5', mode: '0001777\0' }),
    ],
    [{ mode: 0o755 }, { mode: 0o777 }, { mode: 0o777 }],
  ],
  [
    'O3 a fraction of a second',
    [pax({ mtime: '1700000000.999999999' }), file('f')],
    [{ mtimeSec: 1_700_000_000, mtimeNs: 999_999_999 }],
  ],
  ['O3 2^39 seconds', [pax({ mtime: '549755813888' }), file('f')], [{ mtimeSec: 2 ** 39 }]],
  ['P8 256 nested directory entries', [nested(256)], Array.from({ length: 256 }, () => ({}))],
  ['a hardlink to a hardlink', [file('a'), hardlink('b', 'a'), hardlink('c', 'b')], [{}, { link: 'a' }, { link: 'b' }]],
  [
    'GNU long name and target',
    [
      long('K', `${'t'.repeat(200)}\0`),
      long('L', `${'n'.repeat(200)}\0`),
      hdr({ name: 'n', type: '2', link: 't', ...gnu }),
    ],
    [{ path: 'n'.repeat(200), link: 't'.repeat(200) }],
  ],
  ['sizes in base-256', [hdr({ name: 'f', size: b256(1n), ...gnu }), padded('x')], [{ path: 'f', size: 1 }]],
  ['the root by ./', [hdr({ name: './', type: '5' }), file('./f')], [{ path: '' }, { path: 'f' }]],
].map(
  ([name, parts, entries]) =>
    [name, [...(parts as Buffer[]), EOF], entries] as [string, Buffer[], Record<string, unknown>[]],
);
