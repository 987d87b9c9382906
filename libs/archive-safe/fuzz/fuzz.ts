/**
 * Coverage-guided fuzzing of the readers: `npm run fuzz -- [seconds] [own|foreign|stream|index]` (default 60, all in turn).
 * Inputs that reach a block, or a count of it, that none reached before are kept in `corpus/<target>`; one that breaks a promise
 * is written to `crashes/` and ends the run with 1. `FUZZ_SEED` repeats a run, `FUZZ_KEEP=0` leaves the corpus as it is.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Random, seedOf } from '../src/testing/random.ts';
import { BlockCoverage } from './block-coverage.ts';
import { mutate } from './mutate.ts';
import { seedsOf } from './seeds.ts';
import { targets, type Target } from './targets.ts';

const here = path.dirname(fileURLToPath(import.meta.url));
const slowest = 2000;
const [seconds = '60', only] = process.argv.slice(2);
const seed = seedOf('FUZZ_SEED');
const keep = process.env['FUZZ_KEEP'] !== '0';
const coverage = new BlockCoverage();
coverage.start();

const names = only === undefined ? Object.keys(targets) : [only];
let broken = 0;
for (const [i, name] of names.entries()) {
  const target = targets[name];
  if (target === undefined) throw new Error(`no such target: ${name}`);
  broken += await fuzz(name, target, (Number(seconds) * 1000) / names.length, new Random(seed + i));
}
process.exitCode = broken > 0 ? 1 : 0;

async function fuzz(name: string, target: Target, forMs: number, random: Random): Promise<number> {
  const folder = path.join(here, 'corpus', name);
  const scratch = mkdtempSync(path.join(tmpdir(), 'fuzz-'));
  const seen = new Set<string>();
  const corpus: Buffer[] = [];
  const outcomes = new Map<string, number>();
  let crashes = 0;
  let runs = 0;

  /** Whether the input reached something new. */
  const run = async (input: Buffer): Promise<boolean> => {
    const started = performance.now();
    coverage.take();
    try {
      const outcome = await target(input, path.join(scratch, 'input'));
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      if (performance.now() - started > slowest) throw new Error(`took longer than ${slowest} ms`);
    } catch (error) {
      crashes++;
      report(name, input, error);
    }
    runs++;
    let fresh = false;
    for (const feature of coverage.take()) {
      if (seen.has(feature)) continue;
      seen.add(feature);
      fresh = true;
    }
    return fresh;
  };

  mkdirSync(folder, { recursive: true });
  const stored = readdirSync(folder)
    .sort()
    .map((file) => readFileSync(path.join(folder, file)));
  for (const input of [...stored, ...seedsOf(name)]) if (await run(input)) corpus.push(input);
  if (corpus.length === 0) corpus.push(Buffer.alloc(512));
  const [atFirst, known] = [seen.size, corpus.length];
  const until = performance.now() + forMs;
  while (performance.now() < until && crashes < 10) {
    // Newer inputs reached what is rare: they are taken more often.
    const at = random.once(2)
      ? random.below(corpus.length)
      : corpus.length - 1 - random.below(Math.min(20, corpus.length));
    const input = mutate(random, corpus[at] as Buffer, random.pick(corpus));
    if (await run(input)) corpus.push(input);
  }
  if (keep) {
    // The smallest inputs that together reach all that was reached.
    const least: Buffer[] = [];
    seen.clear();
    for (const input of corpus.sort((a, b) => a.length - b.length)) if (await run(input)) least.push(input);
    store(folder, least);
  }
  rmSync(scratch, { recursive: true });
  const shown = [...outcomes]
    .sort(([, a], [, b]) => b - a)
    .slice(0, 12)
    .map(([outcome, count]) => `${outcome} ${count}`);
  console.log(
    `fuzz ${name}: seed ${seed}, ${runs} inputs, features ${atFirst} -> ${seen.size}, corpus ${known} -> ${corpus.length}, broken ${crashes}`,
  );
  console.log(`  ${shown.join(', ')}`);
  return crashes;
}

function store(folder: string, corpus: readonly Buffer[]): void {
  rmSync(folder, { recursive: true });
  mkdirSync(folder);
  for (const input of corpus) {
    const name = createHash('sha256').update(input).digest('hex').slice(0, 16);
    writeFileSync(path.join(folder, name), input);
  }
}

function report(name: string, input: Buffer, error: unknown): void {
  const folder = path.join(here, 'crashes');
  mkdirSync(folder, { recursive: true });
  const file = path.join(folder, `${name}-${createHash('sha256').update(input).digest('hex').slice(0, 16)}`);
  writeFileSync(file, input);
  console.error(`${name}: ${error instanceof Error ? error.stack : String(error)}\n  input: ${file}`);
}
