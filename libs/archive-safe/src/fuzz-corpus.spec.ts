import { afterAll, expect, test } from '@jest/globals';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { targets } from '../fuzz/targets.ts';
import { scratch } from './testing/trees.ts';

const { dir: base, done } = scratch();
afterAll(done);
const corpus = fileURLToPath(new URL('../fuzz/corpus', import.meta.url));

test.each(Object.entries(targets))(
  'every input that fuzzing kept for %s still keeps its promises',
  async (name, target) => {
    const files = readdirSync(path.join(corpus, name));
    expect(files.length).toBeGreaterThan(10);
    const outcomes = new Set<string>();
    for (const file of files) {
      const started = performance.now();
      outcomes.add(await target(readFileSync(path.join(corpus, name, file)), path.join(base, 'input')));
      expect([file, performance.now() - started < 2000]).toEqual([file, true]);
    }
    expect(outcomes.size).toBeGreaterThan(2);
  },
);
