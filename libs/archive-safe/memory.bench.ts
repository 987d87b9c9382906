/**
 * Peak memory and time of a capture, a verification and an extraction, each in a process of its own:
 * `npm run bench:memory -- large|small [MiB | files]`. Needs the room for the data twice in the temporary folder.
 */
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { createArchive, extractVolumes, removeTree, verifyArchive } from './src/index.ts';

const key = Buffer.alloc(32, 7);

function makeLarge(dir: string, mebibytes: number): void {
  const fd = openSync(path.join(dir, 'large'), 'wx');
  for (let i = 0; i < mebibytes; i++) writeSync(fd, randomBytes(1 << 20));
  closeSync(fd);
}

function makeSmall(dir: string, files: number): void {
  const words = readFileSync(fileURLToPath(import.meta.url), 'utf8').repeat(24);
  for (let i = 0; i < files; i++) {
    const folder = path.join(dir, `d${Math.floor(i / 400)}`, `e${i % 13}`);
    if (i % 400 < 13) mkdirSync(folder, { recursive: true });
    const size = 1024 + ((i * 7919) % (33 << 10));
    const start = (i * 104729) % (words.length - size);
    writeFileSync(path.join(folder, `file-${i}.txt`), words.slice(start, start + size));
  }
}

/** Own peak resident set, in MiB, from the kernel. */
function peak(): number {
  const line = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'));
  return Math.round(Number(line?.[1]) / 1024);
}

async function step(name: string, base: string): Promise<void> {
  const file = path.join(base, 'archive');
  const started = performance.now();
  if (name === 'capture') {
    await createArchive({ file, key, manifest: {}, volumes: [{ index: 0, root: path.join(base, 'tree'), links: 2 }] });
  } else if (name === 'verify') {
    await verifyArchive(file, { key });
  } else {
    const dir = path.join(base, 'out');
    mkdirSync(dir, { mode: 0o700 });
    await extractVolumes({ file, key, targets: [{ index: 0, dir }] });
  }
  console.log(`${name.padEnd(8)} ${((performance.now() - started) / 1000).toFixed(2)} s, peak ${peak()} MiB`);
}

const [kind, amount] = process.argv.slice(2);
if (kind === '--step') {
  await step(amount as string, process.argv[4] as string);
} else {
  const base = mkdtempSync(path.join(tmpdir(), 'archive-bench-'));
  try {
    mkdirSync(path.join(base, 'tree'));
    if (kind === 'large') makeLarge(path.join(base, 'tree'), Number(amount ?? 1024));
    else makeSmall(path.join(base, 'tree'), Number(amount ?? 60_000));
    for (const name of ['capture', 'verify', 'extract']) {
      spawnSync(process.execPath, [...process.execArgv, fileURLToPath(import.meta.url), '--step', name, base], {
        stdio: 'inherit',
      });
    }
  } finally {
    await removeTree(base);
  }
}
