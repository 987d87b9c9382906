import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { checkout, duration } from '../bootstrap.mjs';
import type { DockerdRecord } from './dockerd.ts';
import { stopProcess } from './process-identity.ts';
import { LAYERS, type Layer } from './prove-layers.ts';
import { cellOf, formatCells, isGood, type Cell } from './prove-report.ts';
import { reportFailure, terminal } from './terminal.ts';
import { startTestDocker } from './test-docker.ts';

/** The smallest machine that this is for has so many cores. */
const AT_ONCE = 2;

/**
 * The part of `npm run prove` that runs in the room: Docker daemon, then the layers. Resolves with the exit code.
 * @param args the room's folder where a daemon of the tests' own is wanted, then names of layers; none: all
 */
export async function runProveInside(args: readonly string[]): Promise<number> {
  const folder = args.find((arg) => path.isAbsolute(arg));
  const isFull = args.includes('--full');
  const named = args.filter((arg) => arg !== folder && arg !== '--full');
  const layers = LAYERS.filter(({ cell }) => named.length === 0 || named.includes(cell));
  const results = fs.mkdtempSync(path.join(folder ?? os.tmpdir(), 'proof-'));
  let docker: DockerdRecord | null = null;
  const began = Date.now();
  try {
    if (folder !== undefined) {
      docker = await startTestDocker(folder);
      process.env['DOCKER_HOST'] = `unix://${docker.socket}`;
    }
    const cells = new Map<string, Cell>();
    const queue = [...layers];
    await Promise.all(
      Array.from({ length: AT_ONCE }, async () => {
        for (let layer = queue.shift(); layer; layer = queue.shift())
          cells.set(layer.cell, await runLayer(layer, isFull, results));
      }),
    );
    return conclude(
      layers.map(({ cell }) => cells.get(cell)).filter((cell) => cell !== undefined),
      Date.now() - began,
    );
  } catch (error) {
    reportFailure('The proofs did not run', error, 'npm run prove');
    return 1;
  } finally {
    if (docker !== null) await stopProcess(docker, 'SIGTERM', 20_000);
    fs.rmSync(results, { recursive: true, force: true });
  }
}

async function runLayer(layer: Layer, isFull: boolean, results: string): Promise<Cell> {
  const base = path.join(results, layer.cell.replace(/\W+/g, '-'));
  const [report, notes, log] = [`${base}.json`, `${base}.notes`, `${base}.log`];
  const began = Date.now();
  const output = fs.openSync(log, 'w');
  await new Promise<void>((resolve, reject) => {
    const child = spawn(
      process.execPath,
      [
        '--experimental-vm-modules',
        '--disable-warning=ExperimentalWarning',
        path.join(checkout, 'node_modules/jest/bin/jest.js'),
        '--runInBand',
        '--reporters=default',
        '--testMatch=**/*.{spec,prove}.ts',
        '--json',
        `--outputFile=${report}`,
        ...(layer.only === undefined ? [] : [`--testNamePattern=${layer.only.source}`]),
        ...layer.files,
      ],
      {
        cwd: path.join(checkout, layer.folder),
        env: { ...process.env, ...layer.env, ...(isFull ? layer.fullEnv : {}), PROOF_NOTES: notes, FORCE_COLOR: '0' },
        stdio: ['ignore', output, output],
      },
    );
    child.on('error', reject);
    child.on('close', () => resolve());
  });
  fs.closeSync(output);
  const cell = cellOf(layer, report, Date.now() - began);
  terminal.print(`\n${layer.cell}: ${cell.colour}, ${duration(cell.tookMs)}`);
  if (fs.existsSync(notes)) terminal.print(indented(fs.readFileSync(notes, 'utf8')));
  for (const failure of cell.failures) terminal.print(`  FAILED ${failure}`);
  if (cell.colour === 'red') terminal.print(indented(tail(fs.readFileSync(log, 'utf8'), 120)));
  return cell;
}

function conclude(cells: readonly Cell[], tookMs: number): number {
  const good = isGood(cells);
  terminal.print(`\n${formatCells(cells)}\n`);
  const skipped = cells.filter(({ colour }) => colour === 'skipped').map(({ name }) => name);
  if (skipped.length > 0) terminal.print(`SKIPPED on this machine: ${skipped.join(', ')}.`);
  terminal.print(`Took ${duration(tookMs)}. ${good ? 'No cell is red.' : 'NOT PROVEN: a cell is red.'}`);
  return good ? 0 : 1;
}

const indented = (text: string): string => text.trimEnd().replace(/^/gm, '  ');
const tail = (text: string, lines: number): string => text.trimEnd().split('\n').slice(-lines).join('\n');
