import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { spawn } from 'node:child_process';
import { lstatSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { createArchive, extractTar, extractVolumes, removeTree } from './index.ts';
import { emptyDir, scratch, shell } from './testing/trees.ts';

jest.setTimeout(180_000);

const key = Buffer.alloc(32, 9);
const { dir: base, done } = scratch();
const tree = emptyDir(base, 'tree');
const own = path.join(base, 'own');
const foreign = path.join(base, 'foreign.tar');
const victim = emptyDir(base, 'victim');
afterAll(done);

/** Swaps a directory for a link to the victim and back, as fast as one process can; says how often it did. */
const attacker = `
const fs = require('node:fs');
const [dir, victim] = process.argv.slice(1);
let swaps = 0;
process.on('message', () => process.send(swaps, () => process.exit()));
const attack = () => {
  for (let i = 0; i < 50; i++) {
    for (const name of ['d1', 'd2', 'd3']) {
      try {
        fs.renameSync(dir + '/' + name, dir + '/' + name + '.gone');
        fs.symlinkSync(victim, dir + '/' + name);
        swaps++;
        fs.unlinkSync(dir + '/' + name);
        fs.renameSync(dir + '/' + name + '.gone', dir + '/' + name);
      } catch {}
    }
  }
  setImmediate(attack);
};
attack();
`;

beforeAll(async () => {
  for (const d of ['d1', 'd2', 'd3', 'e']) {
    mkdirSync(path.join(tree, d));
    mkdirSync(path.join(tree, d, 'inner'));
    for (let i = 0; i < 1250; i++) {
      writeFileSync(path.join(tree, d, `f${i}`), `${i}`);
      writeFileSync(path.join(tree, d, 'inner', `f${i}`), `${i}`);
    }
  }
  await createArchive({ file: own, key, manifest: {}, volumes: [{ index: 0, root: tree, links: 2 }] });
  shell(tree, `tar -cf ${foreign} d1 d2 d3 e`);
});

function victimNow(): unknown {
  const { mtimeNs, ctimeNs, mode, uid, nlink } = lstatSync(victim, { bigint: true });
  return { names: readdirSync(victim), mtimeNs, ctimeNs, mode, uid, nlink };
}

const ways: [string, (dir: string) => Promise<unknown>][] = [
  ['an archive of ours', (dir) => extractVolumes({ file: own, key, targets: [{ index: 0, dir }] })],
  ['a foreign tar', (dir) => extractTar({ file: foreign, dir, threads: 1 })],
];

test.each(ways)('L9 10,000 entries of %s while another process swaps directories for links', async (_name, extract) => {
  const before = victimNow();
  let swaps = 0;
  // On a busy machine an extraction may be over before the other process had many turns.
  for (let round = 0; round < 3 || (swaps <= 100 && round < 15); round++) {
    const dir = emptyDir(base, `out-${round}`);
    const child = spawn(process.execPath, ['-e', attacker, dir, victim], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    await new Promise((resolve) => child.once('spawn', resolve));
    // Whether it ends well depends on who was faster; where it wrote does not.
    await extract(dir).catch(() => undefined);
    const count = new Promise<number>((resolve) => child.once('message', resolve));
    child.send('enough');
    swaps += await count;
    expect(victimNow()).toEqual(before);
    await removeTree(dir);
  }
  expect(swaps).toBeGreaterThan(100);
});
