import { writeChecksum } from '../tar-header.ts';
import { Random } from './random.ts';
import { b256, EOF, hdr, padded, pax, rec, type HeaderFields } from './tar-bytes.ts';

const gnuMagic = 'ustar  \0';
const parts = [
  'a',
  'b',
  'data',
  'README',
  '.hidden',
  '..x',
  'with space',
  'caf\xc3\xa9',
  'f\xff',
  'a\\b',
  '-rf',
  '~',
  '12',
  'n'.repeat(60),
  'm'.repeat(99),
];
const hostileNames = ['../evil', '/abs', 'a/../b', 'a//b', './../x', '.', '', 'x/', 'a\0b', 'd/./e', 'e'.repeat(300)];
const times = ['00000000000\0', '14524770400\0', '77777777777\0', ' 14524770400', '7777777777 \0'];

interface Made {
  name: string;
  type: 'file' | 'directory' | 'symlink' | 'hardlink';
}

/** One archive of the grammar: headers as several writers make them, sometimes with one thing wrong. */
export function randomTar(seed: number): Buffer {
  return new TarGrammar(new Random(seed)).archive();
}

class TarGrammar {
  #random: Random;
  #made: Made[] = [];
  #dotted: boolean;
  /** How many hostile choices are left: most archives have none or one, so that what is accepted is not empty. */
  #hostile: number;

  constructor(random: Random) {
    this.#random = random;
    this.#dotted = random.once(4);
    this.#hostile = random.pick([0, 0, 1, 1, 2, 9]);
  }

  archive(): Buffer {
    const out: Buffer[] = [];
    if (this.#dotted && !this.#random.once(3)) out.push(this.#entry({ name: '', type: 'directory' }));
    for (let left = this.#random.below(8) + 1; left > 0; left--) out.push(this.#entry(this.#choose()));
    out.push(this.#end());
    return this.#damage(Buffer.concat(out));
  }

  #wrong(times: number): boolean {
    if (this.#hostile === 0 || !this.#random.once(times)) return false;
    this.#hostile--;
    return true;
  }

  #choose(): Made {
    const random = this.#random;
    const folders = this.#made.filter(({ type }) => type === 'directory').map(({ name }) => name);
    const parent = this.#wrong(12) ? 'nowhere' : random.once(2) && folders.length > 0 ? random.pick(folders) : '';
    const own = this.#made.length > 0 && this.#wrong(15) ? random.pick(this.#made).name : undefined;
    const fresh = random.once(3) ? `${random.pick(parts)}${this.#made.length}` : random.pick(parts);
    const name = own ?? (parent === '' ? fresh : `${parent}/${fresh}`);
    const taken = this.#made.some((made) => made.name === name);
    const type = random.pick(['file', 'file', 'file', 'directory', 'directory', 'symlink', 'hardlink'] as const);
    const unique = taken && own === undefined ? `${name}-${this.#made.length}` : name;
    const files = this.#made.filter((made) => made.type === 'file');
    return {
      name: this.#wrong(15) ? random.pick(hostileNames) : unique,
      type: type === 'hardlink' && files.length === 0 ? 'file' : type,
    };
  }

  #entry(made: Made): Buffer {
    const random = this.#random;
    const gnu = random.once(2);
    const wire = `${this.#dotted ? './' : ''}${made.name}${made.type === 'directory' && made.name !== '' ? '/' : ''}`;
    const body =
      made.type === 'file'
        ? Buffer.alloc(random.pick([0, 1, 5, 511, 512, 513, 1500]), 'text of a file ')
        : Buffer.alloc(0);
    const link = this.#link(made);
    const fields: HeaderFields = {
      type: this.#flag(made),
      size: body.length,
      mode: random.pick(['0000644\0', '0000755\0', '000644 \0', '0004755\0', '    755\0']),
      uid: random.pick(['0000000\0', '0001750\0', '1750   \0', '0303240\0']),
      mtime: random.pick(times),
      ...(gnu && { magic: gnuMagic }),
      ...(random.once(3) && { uname: random.pick(['root', 'postgres', '']) }),
    };
    const prefix = gnu && random.once(2) ? this.#gnuLong(wire, link, fields) : this.#named(wire, link, gnu, fields);
    this.#made.push(made);
    return Buffer.concat([prefix, hdr(this.#spoil(fields)), padded(body, this.#wrong(25) ? 0x41 : 0)]);
  }

  #flag({ type }: Made): string {
    if (this.#wrong(12)) return this.#random.pick([...'1234567SVMDNAXKLg\x7f', 'x', '5', '0']);
    if (type === 'file') return this.#random.once(8) ? '\0' : '0';
    return { directory: '5', symlink: '2', hardlink: '1' }[type];
  }

  #link({ type, name }: Made): string {
    const random = this.#random;
    if (type === 'hardlink') {
      const files = this.#made.filter((made) => made.type === 'file');
      const target = this.#wrong(6)
        ? random.pick([name, 'nowhere', '../x', './a', 'a/'])
        : (files.at(-1)?.name ?? 'nowhere');
      return `${this.#dotted ? './' : ''}${target}`;
    }
    if (type !== 'symlink') return '';
    return this.#wrong(4)
      ? random.pick(['/etc/passwd', '../../../x', '', '../'])
      : random.pick(['a', 'data', 'b/../a', 't'.repeat(120), 'caf\xc3\xa9', './b']);
  }

  /** Names where the header has room, in PAX records where it has not, or where a writer likes them. */
  #named(wire: string, link: string, gnu: boolean, fields: HeaderFields): Buffer {
    const random = this.#random;
    const records: [string, string][] = [];
    const cut = wire.length > 100 && !gnu ? wire.lastIndexOf('/', 155) : -1;
    if (wire.length <= 100) fields.name = wire;
    else if (cut > 0 && wire.length - cut - 1 <= 100 && wire.length - cut > 1)
      Object.assign(fields, { prefix: wire.slice(0, cut), name: wire.slice(cut + 1) });
    else fields.name = wire.slice(0, 100);
    if ((fields.prefix ?? '') === '' && (wire.length > 100 || random.once(6))) records.push(['path', wire]);
    fields.link = link.slice(0, 100);
    if (link.length > 100 || (link !== '' && random.once(6))) records.push(['linkpath', link]);
    if (random.once(5)) records.push(['mtime', random.pick(['1700000000.25', '1700000000', '0.999999999', '5'])]);
    if (random.once(8)) records.push(['atime', '1700000001.5'], ['ctime', '-3']);
    if (random.once(8)) records.push(['size', `${Number(fields.size)}`]);
    if (random.once(8)) records.push(['uid', '3000000'], ['gname', 'staff']);
    if (this.#wrong(10)) records.push(this.#badRecord(fields));
    if (records.length === 0 && !this.#wrong(40)) return Buffer.alloc(0);
    const body = Buffer.concat(records.map(([key, value]) => rec(key, value)));
    if (this.#wrong(20)) body[random.below(body.length || 1)] = random.below(256);
    return pax(body, this.#wrong(30) ? 'g' : 'x');
  }

  #badRecord(fields: HeaderFields): [string, string] {
    return this.#random.pick<[string, string]>([
      ['size', `${Number(fields.size) + 512}`],
      ['size', '0'],
      ['size', '05'],
      ['size', '1e3'],
      ['path', '../evil'],
      ['path', '/abs'],
      ['path', 'again'],
      ['GNU.sparse.realsize', '100'],
      ['SCHILY.xattr.user.x', 'y'],
      ['comment', 'hello'],
      ['uid', '4294967295'],
      ['mtime', 'NaN'],
      ['linkpath', 'elsewhere'],
    ]);
  }

  #gnuLong(wire: string, link: string, fields: HeaderFields): Buffer {
    const random = this.#random;
    const long = (type: string, text: string): Buffer => {
      const end = this.#wrong(15) ? random.pick(['', '\0\0', '\0x\0']) : '\0';
      const body = Buffer.from(`${text}${end}`, 'latin1');
      return Buffer.concat([hdr({ name: '././@LongLink', type, size: body.length, magic: gnuMagic }), padded(body)]);
    };
    fields.name = wire.slice(0, 100);
    fields.link = link.slice(0, 100);
    const out: Buffer[] = [];
    if (link.length > 100 || (link !== '' && random.once(4))) out.push(long('K', link));
    if (wire.length > 100 || random.once(4)) out.push(long('L', wire));
    if (out.length > 0 && this.#wrong(15)) out.push(pax({ path: 'other' }));
    return Buffer.concat(out);
  }

  #spoil(fields: HeaderFields): HeaderFields {
    const random = this.#random;
    if (random.once(10) && fields.magic === gnuMagic) return { ...fields, size: b256(BigInt(Number(fields.size))) };
    if (!this.#wrong(10)) return fields;
    return {
      ...fields,
      ...random.pick<HeaderFields>([
        { size: '5zzzzzzzzzz\0' },
        { size: b256(-1n) },
        { size: b256(2n ** 70n) },
        { size: Number(fields.size) + 512 },
        { size: ' '.repeat(12) },
        { magic: '\0'.repeat(8) },
        { magic: 'ustar\0  ' },
        { prefix: '../..' },
        { tail: 'x' },
        { mode: '0100644\0' },
        { uid: b256(2n ** 32n - 1n, 8) },
        { signed: true },
        { sum: '0000000\0' },
        { mtime: b256(-1n) },
        { link: 'unwanted' },
        { devmajor: '0000001\0' },
      ]),
    };
  }

  #end(): Buffer {
    if (!this.#wrong(6)) return this.#random.once(2) ? EOF : Buffer.alloc(10_240);
    const extra = hdr({ name: 'hidden' });
    return this.#random.pick([
      Buffer.alloc(0),
      Buffer.alloc(512),
      Buffer.concat([Buffer.alloc(512), extra]),
      Buffer.concat([EOF, extra]),
      Buffer.concat([EOF, Buffer.from('x')]),
    ]);
  }

  /** One changed byte in a header whose checksum is then right again. */
  #damage(bytes: Buffer): Buffer {
    if (!this.#wrong(6) || bytes.length < 1024) return bytes;
    const at = this.#random.below((bytes.length >> 9) - 1) * 512;
    const block = bytes.subarray(at, at + 512);
    block[this.#random.below(512)] = this.#random.below(256);
    writeChecksum(block);
    return bytes;
  }
}
