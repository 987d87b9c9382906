import crypto from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { freePort } from '../src/harness/environment.ts';
import { Stack } from '../src/harness/stack.ts';
import { TestWorkload, type Accepted } from '../src/harness/test-workload.ts';
import { eventually, sleep } from '../src/harness/waiting.ts';

const MIB = 1024 ** 2;
const [roundsText = '3', ...sizesText] = process.argv.slice(2);
const rounds = Number(roundsText);
const sizesMib = sizesText.map(Number);

// Run by `npm run bench -- downtime`, which provides Docker and Temporal: rounds, then sizes in MiB. One JSON line a size.
/** Asks the app every few milliseconds whether it answers. */
class Watch {
  readonly #port: number;
  #stopped = false;
  #lastGood = performance.now();
  /** ms between the last good answer before a silence and the first one after it. */
  #longest = 0;
  readonly #done: Promise<void>;

  constructor(port: number) {
    this.#port = port;
    this.#done = this.#run();
  }

  async stop(): Promise<number> {
    this.#stopped = true;
    await this.#done;
    return this.#longest;
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      if (await answers(this.#port)) {
        const now = performance.now();
        this.#longest = Math.max(this.#longest, now - this.#lastGood);
        this.#lastGood = now;
      }
      await sleep(5);
    }
  }
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const options = { host: '127.0.0.1', port, path: '/cgi-bin/health', agent: false, timeout: 500 };
    const request = http.get(options, (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode === 200));
      response.on('error', () => resolve(false));
    });
    request.on('timeout', () => request.destroy());
    request.on('error', () => resolve(false));
  });
}

async function downtimeOf(port: number, work: () => Promise<unknown>): Promise<number> {
  await eventually('the app answers', () => answers(port));
  const watch = new Watch(port);
  await sleep(200);
  await work();
  await eventually('the app answers again', () => answers(port));
  await sleep(200);
  return watch.stop();
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? 0;
}

function fill(folder: string, mib: number): void {
  const chunk = Buffer.alloc(MIB);
  const file = fs.openSync(path.join(folder, 'data.bin'), 'w');
  for (let written = 0; written < mib; written++) fs.writeSync(file, crypto.randomFillSync(chunk));
  fs.closeSync(file);
}

const stack = await Stack.start();
try {
  for (const mib of sizesMib) {
    const published = await freePort();
    const app = await TestWorkload.create(stack, {
      ports: [{ container: 8080, published }],
      volumes: [{ scope: 'stage', source: 'data', target: '/data' }],
    });
    app.write('snap', { files: 3 });
    fill(app.directories[0] ?? '', mib);
    await app.deploy();
    const snapshotId = await app.snapshot();
    const rival: number[] = [];
    const ours: number[] = [];
    for (let round = 0; round < rounds; round++) {
      const container = await app.running();
      rival.push(
        await downtimeOf(published, async () => {
          await stack.docker.call('POST', `/containers/${container.Id}/stop?t=10`);
          await stack.docker.call('POST', `/containers/${container.Id}/start`);
        }),
      );
      const restore = async (): Promise<unknown> => app.done(await app.restore(snapshotId), 'SUCCEEDED', 600_000);
      ours.push(await downtimeOf(published, restore));
    }
    process.stdout.write(`${JSON.stringify({ mib, rivalMs: median(rival), oursMs: median(ours), rival, ours })}\n`);
    const headers = { 'x-confirm-delete': app.id };
    await app.done(await stack.api.delete<Accepted>(`${app.path}?data=delete`, { headers }), 'SUCCEEDED');
  }
} finally {
  await stack.destroy();
}
process.exit(0);
