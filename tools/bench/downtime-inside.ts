import { spawn } from 'node:child_process';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { checkout } from '../bootstrap.mjs';
import type { DockerdRecord } from '../src/dockerd.ts';
import { stopProcess } from '../src/process-identity.ts';
import { terminal } from '../src/terminal.ts';
import { startTestDocker } from '../src/test-docker.ts';
import { formatDowntimes, isWithinAims, type Downtime } from './downtime-table.ts';

/**
 * The part that runs in the room: Docker, then the product with a prober beside it. Resolves with the exit code.
 * @param args the room's folder where a daemon of our own is wanted, then rounds and sizes
 */
export async function measureDowntime(args: readonly string[]): Promise<number> {
  const [first = '', ...rest] = args;
  const folder = path.isAbsolute(first) ? first : null;
  let docker: DockerdRecord | null = null;
  try {
    if (folder !== null) {
      docker = await startTestDocker(folder);
      process.env['DOCKER_HOST'] = `unix://${docker.socket}`;
    }
    const sizes = await run(folder === null ? args : rest);
    terminal.print(`\n${formatDowntimes(sizes)}\n`);
    return isWithinAims(sizes) ? 0 : 1;
  } finally {
    if (docker !== null) await stopProcess(docker, 'SIGTERM', 20_000);
  }
}

async function run(args: readonly string[]): Promise<Downtime[]> {
  const program = path.join(checkout, 'e2e', 'bench', 'downtime.ts');
  const child = spawn(process.execPath, ['--conditions=tiny-forge-source', program, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const sizes: Downtime[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    const size = JSON.parse(line) as Downtime;
    sizes.push(size);
    terminal.say('measured', `${size.mib} MiB`);
  }
  const code = await new Promise((resolve) =>
    child.exitCode === null ? child.on('close', resolve) : resolve(child.exitCode),
  );
  if (code !== 0) throw new Error(`the measurement ended with ${String(code)}`);
  return sizes;
}
