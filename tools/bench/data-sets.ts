import fs from 'node:fs';
import path from 'node:path';

/** Numbers that a seed makes (mulberry32): the same data in every run. */
class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  }

  below(limit: number): number {
    return this.next() % limit;
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)] as T;
  }

  fill(bytes: Buffer): Buffer {
    for (let i = 0; i + 4 <= bytes.length; i += 4) bytes.writeUInt32LE(this.next(), i);
    return bytes;
  }
}

const pageBytes = 16 << 10;
const words =
  'alpha bravo charlie delta echo foxtrot golf hotel india juliett kilo lima mike november oscar papa quebec romeo sierra tango uniform victor whiskey xray yankee zulu order invoice customer pending shipped cancelled paid refund berlin paris london madrid vienna'.split(
    ' ',
  );

/** A value column of hex digits is what keeps rows from compressing to nothing. */
function row(random: Random, id: number): string {
  const token = random.next().toString(16).padStart(8, '0');
  const name = `${random.pick(words)} ${random.pick(words)}`;
  return `${id}|${token}|${name}|${random.pick(words)}@example.org|2026-${1 + random.below(12)}-${1 + random.below(28)}|${random.below(100_000) / 100}|${random.pick(words)}\n`;
}

/** Fills a page with rows, from a small stock of made ones: making each anew would take minutes. */
function rows(stock: readonly Buffer[], random: Random, page: Buffer): void {
  for (let at = 0; at < page.length;) at += random.pick(stock).copy(page, at);
}

function writePages(file: string, bytes: number, fill: (page: Buffer) => void): void {
  const fd = fs.openSync(file, 'wx', 0o600);
  const chunk = Buffer.alloc(1 << 20);
  for (let done = 0; done < bytes; done += chunk.length) {
    for (let at = 0; at < chunk.length; at += pageBytes) fill(chunk.subarray(at, at + pageBytes));
    fs.writeSync(fd, chunk, 0, Math.min(chunk.length, bytes - done));
  }
  fs.closeSync(fd);
}

/** Set A, a database: heap of 16 KiB pages (12 % random, 6 % zero, rows), SQL, JSON, WAL; 1024 MiB in 15 entries at scale 1. */
export function makeDatabase(dir: string, scale: number): void {
  const random = new Random(1);
  const mebibytes = (count: number): number => Math.max(1, Math.round(count * scale)) << 20;
  const stock = Array.from({ length: 20_000 }, (_, i) => Buffer.from(row(random, i)));
  const sql = stock.map((one) =>
    Buffer.from(`INSERT INTO orders VALUES ('${one.toString().trim().replaceAll('|', "','")}');\n`),
  );
  const json = stock.map((one, i) =>
    Buffer.from(`${JSON.stringify({ id: i, fields: one.toString().trim().split('|') })}\n`),
  );
  fs.mkdirSync(path.join(dir, 'base'), { recursive: true, mode: 0o700 });
  fs.mkdirSync(path.join(dir, 'wal'), { mode: 0o700 });
  writePages(path.join(dir, 'base', 'heap'), mebibytes(512), (page) => {
    const kind = random.below(100);
    if (kind < 12) random.fill(page);
    else if (kind < 18) page.fill(0);
    else rows(stock, random, page);
  });
  writePages(path.join(dir, 'dump.sql'), mebibytes(256), (page) => rows(sql, random, page));
  writePages(path.join(dir, 'export.json'), mebibytes(128), (page) => rows(json, random, page));
  for (let i = 0; i < 8; i++) {
    writePages(path.join(dir, 'wal', `00000001000000000000000${i}`), mebibytes(16), (page) => {
      if (random.below(100) < 30) random.fill(page);
      else rows(stock, random, page);
    });
  }
}

const textBytes = 48 << 20;

/** Text that every Debian has; what is no text, or larger than a mebibyte, is left out. */
function systemText(): Buffer {
  const parts: Buffer[] = [];
  let bytes = 0;
  const visit = (dir: string): void => {
    for (const entry of fs.readdirSync(dir, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
      if (bytes > textBytes) return;
      const file = path.join(dir, entry.name);
      if (entry.isDirectory()) visit(file);
      if (!entry.isFile() || fs.statSync(file).size > 1 << 20) continue;
      const content = fs.readFileSync(file);
      if (content.subarray(0, 4096).includes(0)) continue;
      parts.push(content);
      bytes += content.length;
    }
  };
  for (const dir of ['/usr/include', '/usr/share']) if (fs.existsSync(dir)) visit(dir);
  return Buffer.concat(parts);
}

/** Set B, small files: 60,000 of 1 to 64 KiB in 4,500 directories, 300 symlinks; some 1024 MiB at scale 1. */
export function makeSmallFiles(dir: string, scale: number): void {
  const random = new Random(2);
  const text = systemText();
  const folders = Math.max(10, Math.round(4500 * scale));
  const files = Math.max(100, Math.round(60_000 * scale));
  const folder = (i: number): string => path.join(dir, `g${i % 30}`, `d${i}`);
  for (let i = 0; i < folders; i++) fs.mkdirSync(folder(i), { recursive: true });
  for (let i = 0; i < files; i++) {
    // Small ones are the most: the square keeps the mean at some 17 KiB.
    const part = random.below(1 << 16) / (1 << 16);
    const size = 1024 + Math.floor(part ** 3 * (64 << 10));
    const content = Buffer.from(text.subarray(random.below(text.length - size)).subarray(0, size));
    for (let left = size >> 8; left > 0; left--) content[random.below(size)] = 97 + random.below(26);
    fs.writeFileSync(path.join(folder(random.below(folders)), `file-${i}.txt`), content);
  }
  for (let i = 0; i < Math.max(3, Math.round(300 * scale)); i++) {
    fs.symlinkSync(`../d${random.below(folders)}`, path.join(folder(random.below(folders)), `link-${i}`));
  }
}
