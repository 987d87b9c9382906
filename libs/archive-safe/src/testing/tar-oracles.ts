import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';

/** What a reader says of one entry: type letter, size (files only), name and link target, as bytes. */
export type OracleLine = string;

export type Oracle = 'GNU tar' | 'bsdtar' | 'busybox' | 'Python';

const python = `
import sys, tarfile
kinds = {tarfile.REGTYPE: '-', tarfile.AREGTYPE: '-', tarfile.DIRTYPE: 'd', tarfile.SYMTYPE: 'l', tarfile.LNKTYPE: 'h'}
out = sys.stdout.buffer
for name in sys.argv[1:]:
    out.write(b'=== ' + name.encode() + b'\\n')
    try:
        with tarfile.open(name) as tar:
            for m in tar:
                enc = lambda s: s.encode('utf-8', 'surrogateescape')
                fields = [kinds.get(m.type, '?').encode(), str(m.size if m.isreg() else 0).encode(), enc(m.name), enc(m.linkname if m.issym() or m.islnk() else '')]
                out.write(b' '.join(f.hex().encode() for f in fields) + b'\\n')
    except Exception as e:
        out.write(b'!!! ' + repr(e).encode() + b'\\n')
`;

/**
 * One shell for all files: starting the tool is most of what a listing costs. That a PAX name is no UTF-8 is what bsdtar
 * complains of after it listed the name right.
 */
const loop = (command: string): string => `
  complaints=$(mktemp)
  for f; do
    echo "=== $f"
    ${command} "$f" 2>"$complaints" && continue
    code=$?
    if [ ! -s "$complaints" ] || grep -qve "converted from UTF-8" -e "Error exit delayed" "$complaints"; then echo "!!! $code"; fi
  done
  rm -f "$complaints"`;

function commandOf(oracle: Oracle, packing: 'none' | 'gzip'): [string, string[]] {
  const shell = (command: string): [string, string[]] => ['bash', ['-c', loop(command), 'oracle']];
  switch (oracle) {
    case 'GNU tar':
      return shell('tar --list -v --numeric-owner --quoting-style=c -f');
    case 'bsdtar':
      return shell('bsdtar --numeric-owner -tvf');
    case 'busybox':
      return shell(`${process.env['BUSYBOX_PATH'] ?? 'busybox'} tar -tv${packing === 'gzip' ? 'z' : ''}f`);
    case 'Python':
      return ['python3', ['-c', python]];
  }
}

/** Lists archives with one of the readers; the answer of each file in order. `!!! ...` as an only line: it refused. */
export async function listWith(
  oracle: Oracle,
  files: readonly string[],
  packing: 'none' | 'gzip' = 'none',
): Promise<OracleLine[][]> {
  const [program, args] = commandOf(oracle, packing);
  const out = await run(program, [...args, ...files]);
  const sections = out.split(/^=== .*\n/m).slice(1);
  if (sections.length !== files.length)
    throw new Error(`${oracle} answered for ${sections.length} of ${files.length} archives`);
  return sections.map((section) =>
    section
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => parseLine(oracle, line)),
  );
}

function run(program: string, args: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, LC_ALL: 'C', TZ: 'UTC', PYTHONUTF8: '1' },
    });
    const chunks: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.on('error', reject);
    child.on('close', () => resolve(Buffer.concat(chunks).toString('latin1')));
  });
}

function parseLine(oracle: Oracle, line: string): OracleLine {
  if (line.startsWith('!!! ')) return line;
  switch (oracle) {
    case 'GNU tar':
      return gnuLine(line);
    case 'bsdtar':
      return plainLine(/^(\S)\S* +\d+ +\S+ +\S+ +(\d+) +\w+ +\d+ +[\d:]+ (.*)$/s, line, unescapeBsd);
    case 'busybox':
      return plainLine(/^(\S)\S* +\S+ +(\d+) [\d-]+ [\d:]+ (.*)$/s, line, (text) => text);
    case 'Python': {
      const [kind, size, name, link] = line.split(' ').map((hex) => Buffer.from(hex, 'hex').toString('latin1'));
      return canonical(kind as string, Number(size), name as string, link as string);
    }
  }
}

function gnuLine(line: string): OracleLine {
  const match = /^(\S)\S* +\S+ +(\d+) [\d-]+ [\d:]+ "((?:[^"\\]|\\.)*)"(?: (?:->|link to) "((?:[^"\\]|\\.)*)")?$/s.exec(
    line,
  );
  if (match === null) return `??? ${line}`;
  return canonical(match[1] as string, Number(match[2]), unescapeC(match[3] as string), unescapeC(match[4] ?? ''));
}

function plainLine(pattern: RegExp, line: string, decode: (text: string) => string): OracleLine {
  const match = pattern.exec(line);
  if (match === null) return `??? ${line}`;
  const kind = match[1] as string;
  const [name = '', link = ''] = (match[3] as string).split(/ -> | link to /);
  // Neither tool has a letter for hardlinks in its listing: the arrow tells.
  const letter = kind === '-' && link !== '' ? 'h' : kind;
  return canonical(letter, Number(match[2]), decode(name), decode(link));
}

const named: Record<string, string> = { n: '\n', t: '\t', a: '\x07', b: '\b', r: '\r', v: '\v', f: '\f' };

function unescapeC(text: string): string {
  return text.replace(/\\([0-7]{3}|.)/gs, (_all, code: string) =>
    code.length === 3 ? String.fromCharCode(Number.parseInt(code, 8)) : (named[code] ?? code),
  );
}

function unescapeBsd(text: string): string {
  return unescapeC(text);
}

/** `./`, a slash at the end and the size of what is no file are said differently by each, and mean nothing. */
export function canonical(kind: string, size: number, name: string, link: string): OracleLine {
  const bare = (path: string): string => path.replace(/^\.\//, '').replace(/\/$/, '');
  const path = name === './' || name === '.' ? '' : bare(name);
  return JSON.stringify([kind, kind === '-' ? size : 0, path, kind === 'h' ? bare(link) : link]);
}

/** busybox prints a question mark for every byte that is not printable ASCII. */
export function asBusybox(line: OracleLine): OracleLine {
  if (!line.startsWith('[')) return line;
  return JSON.stringify(
    (JSON.parse(line) as unknown[]).map((field) =>
      typeof field === 'string' ? field.replace(/[^\x20-\x7e]/g, '?') : field,
    ),
  );
}

export function writeAll(folder: string, archives: readonly Buffer[]): string[] {
  return archives.map((bytes, i) => {
    const file = path.join(folder, `${i}.tar`);
    writeFileSync(file, bytes);
    return file;
  });
}
