import { spawn } from 'node:child_process';
import path from 'node:path';
import { checkout } from '../bootstrap.mjs';
import { ensureBuilt } from './build.ts';
import { quietTerminal, reportFailure } from './terminal.ts';

/**
 * Runs one of the server's commands (`apps/server/dist/commands/<name>.js`) with the given arguments, built if need be.
 * What it prints is its own: nothing else comes on stdout.
 * @returns its exit code
 */
export async function runServerCommand(name: string, args: readonly string[]): Promise<number> {
  try {
    await ensureBuilt(checkout, quietTerminal);
  } catch (error) {
    reportFailure(`npm run ${name} did not start`, error, `npm run ${name}`, quietTerminal);
    return 1;
  }
  const entry = path.join(checkout, 'apps', 'server', 'dist', 'commands', `${name}.js`);
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [entry, ...args], {
      stdio: 'inherit',
      // Files are named as seen from where the person stood: npm goes to the root first.
      cwd: process.env['INIT_CWD'] ?? process.cwd(),
    });
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal));
    child.on('error', reject);
    child.on('close', (code) => resolve(code ?? 1));
  });
}
