import { afterAll, describe, expect, jest, test } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { createArchive, extractTar, removeTree, type Codec } from './index.ts';
import { readTarEntries } from './read-index.ts';
import { parse, type Parsed } from './testing/parse.ts';
import { seedOf } from './testing/random.ts';
import { randomTar } from './testing/tar-grammar.ts';
import { asBusybox, canonical, listWith, writeAll, type Oracle, type OracleLine } from './testing/tar-oracles.ts';
import { emptyDir, listTree, scratch, shell } from './testing/trees.ts';

/** `ARCHIVE_DIFFERENTIAL_RUNS=100000 ARCHIVE_SEED=1` for a long run, or one that was seen before. */
const runs = Number(process.env['ARCHIVE_DIFFERENTIAL_RUNS'] ?? 3000);
const seed = seedOf('ARCHIVE_SEED');
const batch = 500;

jest.setTimeout(60_000 + runs * 20);

const { dir: base, done } = scratch();
afterAll(done);

const letters = { file: '-', directory: 'd', symlink: 'l', hardlink: 'h' };

function ours({ entries }: Parsed): OracleLine[] {
  return entries.map(({ type, size, path: name, link }) => canonical(letters[type], size, name, link));
}

describe('what we accept means the same to everybody', () => {
  test(`${runs} generated tars, seed ${seed}`, async () => {
    const oracles: Oracle[] = ['GNU tar', 'bsdtar', 'busybox', 'Python'];
    let accepted = 0;
    const refusals = new Map<string, number>();
    for (let start = 0; start < runs; start += batch) {
      const seeds = Array.from({ length: Math.min(batch, runs - start) }, (_, i) => seed + start + i);
      const taken: { seed: number; bytes: Buffer; lines: OracleLine[] }[] = [];
      for (const one of seeds) {
        const bytes = randomTar(one);
        const parsed = parse(bytes, bytes.length, { dialect: 'import' });
        if (parsed.rule === undefined) taken.push({ seed: one, bytes, lines: ours(parsed) });
        else refusals.set(parsed.rule, (refusals.get(parsed.rule) ?? 0) + 1);
      }
      accepted += taken.length;
      const folder = mkdtempSync(path.join(base, 'batch-'));
      const files = writeAll(
        folder,
        taken.map(({ bytes }) => bytes),
      );
      const answers = await Promise.all(
        oracles.map(async (oracle) => [oracle, await listWith(oracle, files)] as const),
      );
      for (const [oracle, listings] of answers) {
        for (const [i, { seed: made, lines }] of taken.entries()) {
          const found = oracle === 'busybox' ? listings[i]?.map(asBusybox) : listings[i];
          const expected = oracle === 'busybox' ? lines.map(asBusybox) : lines;
          expect({ oracle, seed: made, found }).toEqual({ oracle, seed: made, found: expected });
        }
      }
      rmSync(folder, { recursive: true });
    }
    const ratio = accepted / runs;
    const rules = [...refusals].sort(([, a], [, b]) => b - a).map(([rule, count]) => `${rule} ${count}`);
    console.log(
      `differential: seed ${seed}, ${runs} tars, ${accepted} accepted (${(100 * ratio).toFixed(1)} %); refused: ${rules.join(', ')}`,
    );
    expect(ratio).toBeGreaterThanOrEqual(0.3);
    // A grammar that reaches few rules compares little.
    expect(refusals.size).toBeGreaterThanOrEqual(10);
  });
});

describe('what we write means the same to everybody', () => {
  test.each<Codec>(['gzip', 'zstd'])(`25 trees of generated tars, packed with %s, seed ${seed}`, async (codec) => {
    const key = Buffer.alloc(32, 5);
    const work = mkdtempSync(path.join(base, 'written-'));
    const files: string[] = [];
    const expected: OracleLine[][] = [];
    for (let made = seed; files.length < 25; made++) {
      const bytes = randomTar(made);
      if (parse(bytes, bytes.length, { dialect: 'import' }).rule !== undefined) continue;
      const [source, file] = [path.join(work, 'source.tar'), path.join(work, `${files.length}.packed`)];
      writeFileSync(source, bytes);
      const tree = emptyDir(work, 'tree');
      await extractTar({ file: source, dir: tree, links: 1, threads: 0 });
      await createArchive({
        file,
        key,
        codec,
        manifest: {},
        volumes: [{ index: 0, root: tree, links: 1 }],
        threads: 0,
      });
      const lines: OracleLine[] = [];
      for await (const { type, size, path: name, link } of readTarEntries(file, key, undefined, 0)) {
        lines.push(canonical(letters[type], size, name.toString('latin1'), link?.toString('latin1') ?? ''));
      }
      const gnu = emptyDir(work, 'gnu');
      shell(work, `tar -xpf ${file} --${codec} --numeric-owner -C gnu --warning=no-timestamp`);
      expect({ made, tree: listTree(path.join(gnu, '0')) }).toEqual({ made, tree: listTree(tree) });
      await removeTree(tree, { threads: 0 });
      await removeTree(gnu, { threads: 0 });
      files.push(file);
      expected.push(lines);
    }
    // The others know no zstd, or no second frame of it.
    const oracles: Oracle[] = codec === 'gzip' ? ['GNU tar', 'bsdtar', 'busybox', 'Python'] : ['GNU tar', 'bsdtar'];
    for (const oracle of oracles) {
      const listings = await listWith(oracle, files, codec === 'gzip' ? 'gzip' : 'none');
      const seen = (lines: OracleLine[]): OracleLine[] => (oracle === 'busybox' ? lines.map(asBusybox) : lines);
      for (const [i, lines] of expected.entries()) {
        expect({ oracle, i, lines: seen(listings[i] ?? []) }).toEqual({ oracle, i, lines: seen(lines) });
      }
    }
  });
});
