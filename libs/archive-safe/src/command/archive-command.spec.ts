import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { emptyDir, listTree, scratch, shell } from '../testing/trees.ts';
import { bytesOfText, losslessText } from './list-entry.ts';
import { parseCommand, UsageError } from './parse-command.ts';

jest.setTimeout(120_000);

const { dir: base, done } = scratch();
afterAll(done);
const entry = fileURLToPath(new URL('../../archive.ts', import.meta.url));
const nodeArgs = ['--conditions=tiny-forge-source', '--disable-warning=ExperimentalWarning', entry];
const env = { ...process.env, TINY_FORGE_DATA: path.join(base, 'data'), ARCHIVE_COMMAND_CWD: base };

interface Ran {
  code: number | null;
  out: string;
  err: string;
  /** The last line of standard error. */
  last: Record<string, unknown>;
}

function archive(...args: string[]): Ran {
  const { status, stdout, stderr } = spawnSync(process.execPath, [...nodeArgs, ...args], { env, encoding: 'utf8' });
  const last = stderr.trimEnd().split('\n').at(-1) ?? '';
  return { code: status, out: stdout, err: stderr, last: last.startsWith('{') ? JSON.parse(last) : {} };
}

const tree = emptyDir(base, 'tree');
const other = emptyDir(base, 'other');

beforeAll(() => {
  shell(
    tree,
    `mkdir -p d/sub; echo one > d/f; ln d/f hard; ln -s d/f sym; printf x > "$(printf 'n\\377\\033[0m')"; chmod 640 d/f`,
  );
  shell(other, 'echo two > g');
  expect(archive('pack', 'tree', 'other', '-o', 'own.tzst')).toMatchObject({ code: 0, err: '' });
});

describe('round trip', () => {
  test('what tar extracts is what extract makes, and nothing else', () => {
    expect(archive('extract', 'own.tzst', 'out')).toMatchObject({ code: 0, err: '' });
    expect(listTree(path.join(base, 'out', '0'))).toEqual(listTree(tree));
    expect(listTree(path.join(base, 'out', '1'))).toEqual(listTree(other));
    const gnu = emptyDir(base, 'gnu');
    shell(gnu, 'tar --zstd -xpf ../own.tzst --numeric-owner');
    expect(readdirSync(path.join(base, 'out')).sort()).toEqual(readdirSync(gnu).sort());
    expect(shell(base, 'diff -r --no-dereference out gnu')).toBe('');
    expect(statSync(path.join(base, 'out', 'manifest.json'))).toMatchObject({ mode: 0o100644, mtimeMs: 0 });
  });

  test('the key is made once, for its owner only; the same tree gives the same bytes', () => {
    const key = path.join(base, 'data', 'keys', 'archive');
    expect(statSync(key)).toMatchObject({ mode: 0o100600, size: 32 });
    const before = readFileSync(path.join(base, 'own.tzst'));
    archive('pack', 'tree', 'other', '-o', 'again.tzst');
    expect(readFileSync(path.join(base, 'again.tzst')).equals(before)).toBe(true);
  });

  test('gzip', () => {
    expect(archive('pack', 'tree', '-o', 'own.tgz', '--codec', 'gzip').code).toBe(0);
    expect(shell(base, 'tar -tzf own.tgz | head -2')).toBe('manifest.json\n0/\n');
    expect(archive('verify', 'own.tgz').code).toBe(0);
  });

  test('list --json: one object per entry, as the archive names them', () => {
    const { code, out } = archive('list', 'own.tzst', '--json');
    expect(code).toBe(0);
    const entries = out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(Object.keys(entries[0]!)).toEqual([
      'path',
      'type',
      'size',
      'mode',
      'uid',
      'gid',
      'mtime',
      'linkname',
      'sha256',
    ]);
    expect(entries.map((one) => [one['path'], one['type'], one['linkname']])).toEqual([
      ['manifest.json', 'file', null],
      ['0', 'directory', null],
      ['0/d', 'directory', null],
      ['0/d/f', 'file', null],
      ['0/d/sub', 'directory', null],
      ['0/hard', 'hardlink', '0/d/f'],
      ['0/n\udcff\x1b[0m', 'file', null],
      ['0/sym', 'symlink', 'd/f'],
      ['1', 'directory', null],
      ['1/g', 'file', null],
    ]);
    const sha256 = createHash('sha256').update('one\n').digest('hex');
    expect(entries[3]).toMatchObject({ size: 4, mode: 0o640, uid: process.getuid?.(), sha256 });
    expect(entries[3]?.['mtime']).toBeCloseTo(statSync(path.join(tree, 'd/f')).mtimeMs / 1000, 3);
    expect(out).not.toMatch(/[^\n\x20-\x7e]/);
  });

  test('P9 list for people holds no control character', () => {
    const { out } = archive('list', 'own.tzst');
    expect(out).toContain('0/n\\xff\\x1b[0m');
    expect(out).not.toMatch(/[^\n\x20-\x7e]/);
  });

  test('cat', () => {
    expect(archive('cat', 'own.tzst', '0/d/f')).toMatchObject({ code: 0, out: 'one\n' });
    expect(archive('cat', 'own.tzst', '0/hard').out).toBe('one\n');
    expect(JSON.parse(archive('cat', 'own.tzst', 'manifest.json').out)).toMatchObject({ formatVersion: 1 });
    for (const name of ['0/d', '0/sym', '0/not', 'd/f', '9/x', '0/d/../d/f']) {
      expect(archive('cat', 'own.tzst', name)).toMatchObject({ code: 65, out: '', last: { rule: 'ENTRY' } });
    }
  });

  test('verify says what it found', () => {
    expect(archive('verify', 'own.tzst').out).toMatch(/^good, made with this key: 9 entries, /);
    expect(JSON.parse(archive('verify', 'own.tzst', '--json').out)).toMatchObject({ authenticated: true, entries: 9 });
  });

  test('pack of one tree that holds links at tier 0 is refused', () => {
    const { code, last } = archive('pack', 'tree', '-o', 'tier0', '--links', '0');
    expect([code, last]).toEqual([65, expect.objectContaining({ code: 'VOLUME_NOT_CAPTURABLE' })]);
    expect(last['paths']).toContain('0/sym');
    expect(readdirSync(base).filter((name) => name.startsWith('tier0'))).toEqual([]);
  });
});

describe('refusals', () => {
  const key = 'another.key';

  test('another key: verify, extract, list and cat refuse; --import takes it', () => {
    for (const args of [
      ['verify', 'own.tzst'],
      ['extract', 'own.tzst', 'no'],
      ['list', 'own.tzst'],
      ['cat', 'own.tzst', '0/d/f'],
    ]) {
      expect(archive(...args, '--key', key)).toMatchObject({
        code: 65,
        out: '',
        last: { code: 'ARCHIVE_TAMPERED', rule: 'HMAC' },
      });
    }
    expect(existsSync(path.join(base, 'no'))).toBe(false);
    expect(archive('verify', 'own.tzst', '--key', key, '--import').code).toBe(0);
    expect(archive('list', 'own.tzst', '--key', key, '--import', '--json').out).toBe(
      archive('list', 'own.tzst', '--json').out,
    );
    expect(archive('extract', 'own.tzst', 'no', '--import')).toMatchObject({
      code: 65,
      last: { rule: 'LINK', entry: '0/hard' },
    });
    expect(existsSync(path.join(base, 'no'))).toBe(false);
    expect(archive('extract', 'own.tzst', 'yes', '--import', '--links', '1').code).toBe(0);
    expect(listTree(path.join(base, 'yes', '0'))).toEqual(listTree(tree));
  });

  test('a changed byte: refused, and nothing is left', () => {
    const bytes = readFileSync(path.join(base, 'own.tzst'));
    bytes[bytes.length >> 1]! ^= 1;
    writeFileSync(path.join(base, 'bad.tzst'), bytes);
    const mine = emptyDir(base, 'mine');
    const before = statSync(mine);
    for (const more of [[], ['--import', '--links', '1']]) {
      const { code, last } = archive('extract', 'bad.tzst', 'mine', ...more);
      expect([code, last]).toEqual([65, expect.objectContaining({ code: 'ARCHIVE_DAMAGED' })]);
      expect(readdirSync(mine)).toEqual([]);
      expect(Math.abs(statSync(mine).mtimeMs - before.mtimeMs)).toBeLessThan(1);
    }
  });

  test('a refusal late in the archive takes away what was written', () => {
    const dir = emptyDir(base, 'deep');
    shell(dir, `d=.; for i in $(seq 200); do d=$d/d; mkdir $d; done; head -c 5000000 /dev/urandom > big`);
    archive('pack', 'deep', '-o', 'deep.tzst');
    const file = path.join(base, 'deep.tzst');
    const bytes = readFileSync(file);
    bytes[4_000_000]! ^= 1;
    writeFileSync(file, bytes);
    expect(archive('extract', 'deep.tzst', 'half')).toMatchObject({ code: 65, last: { rule: 'FRAME' } });
    expect(existsSync(path.join(base, 'half'))).toBe(false);
  });

  test('a directory that is not empty is refused and stays as it is', () => {
    mkdirSync(path.join(base, 'full'));
    writeFileSync(path.join(base, 'full', 'x'), 'mine');
    for (const more of [[], ['--import', '--links', '1']]) {
      expect(archive('extract', 'own.tzst', 'full', ...more)).toMatchObject({ code: 65, last: { rule: 'TARGET' } });
    }
    expect(readdirSync(path.join(base, 'full'))).toEqual(['x']);
  });

  test('budgets', () => {
    for (const more of [
      ['--max-entries', '3'],
      ['--max-bytes', '3'],
      ['--max-bytes', '3', '--import', '--links', '1'],
    ]) {
      expect(archive('extract', 'own.tzst', 'no', ...more)).toMatchObject({ code: 65, last: { rule: 'BUDGET' } });
    }
    expect(existsSync(path.join(base, 'no'))).toBe(false);
  });

  test('no archive at all, and no file: 65 and 74', () => {
    writeFileSync(path.join(base, 'text'), 'text\n'.repeat(500));
    expect(archive('verify', 'text')).toMatchObject({ code: 65, last: { code: 'ARCHIVE_DAMAGED', rule: 'MAGIC' } });
    expect(archive('verify', 'text', '--import')).toMatchObject({ code: 65, last: { rule: 'SUM', offset: 0 } });
    for (const args of [
      ['verify', 'none'],
      ['list', 'none', '--import'],
      ['extract', 'none', 'no', '--import'],
      ['pack', 'none', '-o', 'x'],
    ]) {
      expect(archive(...args)).toMatchObject({ code: 74, last: { code: 'IO_ERROR' } });
    }
    expect(existsSync(path.join(base, 'no'))).toBe(false);
  });

  test.each([
    [],
    ['unknown'],
    ['pack'],
    ['pack', 'tree'],
    ['pack', '-o', 'x'],
    ['pack', 'tree', '-o', 'x', '--links', '3'],
    ['pack', 'tree', '-o', 'x', '--codec', 'lz4'],
    ['pack', 'tree', '-o', 'x', '--import'],
    ['list'],
    ['list', 'a', 'b'],
    ['list', 'a', '--links', '1'],
    ['extract', 'a'],
    ['extract', 'a', 'b', '--import', '--links', '2'],
    ['extract', 'a', 'b', '--max-bytes', '1e3'],
    ['cat', 'a'],
    ['cat', 'a', 'b', '--import'],
    ['verify', 'a', '--nonsense'],
  ])('wrong usage: %j', (...args: string[]) => {
    expect(() => parseCommand(args)).toThrow(UsageError);
  });

  test('wrong usage ends with 64 and says what is right', () => {
    const { code, out, err } = archive('extract', 'a');
    expect([code, out]).toEqual([64, '']);
    expect(err).toContain('extract takes <file> <dir>');
    expect(archive('pack', 'tree', '-o', 'tree/d/x')).toMatchObject({ code: 64 });
    expect(archive('--help')).toMatchObject({ code: 0, err: '' });
  });
});

test('tars of others are listed, verified and extracted', () => {
  shell(base, 'tar -czf gnu.tgz tree; tar -cf gnu.tar other');
  expect(archive('list', 'gnu.tgz', '--import', '--json').out.trimEnd().split('\n')).toHaveLength(7);
  expect(archive('verify', 'gnu.tgz', '--import').out).toMatch(
    /^well-formed; who made it is unknown: 7 entries, 5 bytes/,
  );
  expect(archive('verify', 'gnu.tgz')).toMatchObject({ code: 65 });
  expect(archive('extract', 'gnu.tgz', 'g', '--import')).toMatchObject({ code: 65, last: { rule: 'LINK' } });
  expect(archive('extract', 'gnu.tgz', 'g', '--import', '--links', '1').code).toBe(0);
  expect(shell(base, 'diff -r --no-dereference g/tree tree')).toBe('');
  expect(archive('extract', 'gnu.tar', 'h', '--import', '--json')).toMatchObject({ code: 0 });
  expect(readdirSync(path.join(base, 'h'))).toEqual(['other']);
});

test('interrupted: 130, and nothing is left', async () => {
  shell(emptyDir(base, 'many'), 'for i in $(seq 4000); do head -c 9000 /dev/urandom > $i; done');
  archive('pack', 'many', '-o', 'many.tzst');
  const child = spawn(process.execPath, [...nodeArgs, 'extract', 'many.tzst', 'cut'], { env, stdio: 'ignore' });
  const ended = new Promise((resolve) => child.on('close', resolve));
  while (!existsSync(path.join(base, 'cut', '0', '1'))) {
    await new Promise((resolve) => setTimeout(resolve, 2));
    expect(child.exitCode).toBeNull();
  }
  child.kill('SIGINT');
  expect(await ended).toBe(130);
  expect(existsSync(path.join(base, 'cut'))).toBe(false);
});

test('names keep every byte through JSON', () => {
  for (const bytes of [
    '',
    'plain',
    '\xff',
    'a\xc3',
    '\xc3\xa9\xff\xe2\x82\xac',
    '\xed\xb2\x80',
    '\xf0\x9f\x92\xa9\x80',
    '\xf0\x9f',
  ]) {
    const name = Buffer.from(bytes, 'latin1');
    expect(bytesOfText(JSON.parse(JSON.stringify(losslessText(name))) as string).equals(name)).toBe(true);
  }
});
