import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Operation, OperationState } from '@tiny-forge/contracts/domain';
import { DockerDaemon } from './harness/docker-daemon.ts';
import { freePort, isRoot } from './harness/environment.ts';
import { generationsIn } from './harness/generations.ts';
import { openJournals } from './harness/journal-files.ts';
import { Prober } from './harness/prober.ts';
import { Random } from './harness/random.ts';
import { Stack } from './harness/stack.ts';
import { TemporalServer } from './harness/temporal-server.ts';
import { TestWorkload } from './harness/test-workload.ts';
import { eventually, sleep } from './harness/waiting.ts';

const ROUNDS = Number(process.env['CHAOS_ROUNDS'] ?? 3);
const SEED = Number(process.env['CHAOS_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const VOLUMES = ['data', 'shared', 'files'];

type Victim = 'server' | 'temporal' | 'docker';

interface Blow {
  readonly victim: Victim;
  /** After the restore was accepted, in some rounds after it was submitted, ms. */
  readonly at: number;
  /** How long it stays away, ms. */
  readonly away: number;
}

const numbersIn = (ledger: string): number[] => ledger.split('\n').slice(1).filter(Boolean).map(Number);

// A Docker daemon of our own needs root; with a shared one nobody may kill it.
(isRoot ? describe : describe.skip)(
  `chaos: ${ROUNDS} restores in a row while server, Temporal and Docker are killed at random moments, seed ${SEED}`,
  () => {
    const random = new Random(SEED);
    const tally: Record<string, number> = {};
    let daemon: DockerDaemon;
    let temporal: TemporalServer;
    let stack: Stack;
    let app: TestWorkload;
    let prober: Prober;
    let snapshotId: string;

    beforeAll(async () => {
      daemon = await DockerDaemon.start();
      temporal = await TemporalServer.start();
      stack = await Stack.start({ temporal, dockerHost: daemon.host, engineSocket: daemon.socketPath });
      const published = await freePort();
      app = await TestWorkload.create(stack, { ports: [{ container: 8080, published }] });
      prober = new Prober(published);
      begin('snap');
      await app.deploy();
      prober.start();
      await eventually('some numbers', () => prober.acks.length > 20);
      await prober.stop();
      snapshotId = await app.snapshot();
    }, 180_000);

    afterAll(async () => {
      console.log(`seed ${SEED}: ${JSON.stringify(tally)}`);
      note(`seed ${SEED}, ${ROUNDS} rounds: ${JSON.stringify(tally)}, ${prober.acks.length} writes acknowledged`);
      await prober.stop();
      await daemon.up();
      await stack.destroy();
      await temporal.destroy();
      await daemon.destroy();
    }, 120_000);

    /** All files of all volumes are of one generation now, with an empty ledger. Nobody writes meanwhile. */
    function begin(generation: string): void {
      app.write(generation, { files: 6, bytesPerFile: 20_000 });
      for (const directory of app.directories) {
        fs.writeFileSync(path.join(directory, 'ledger'), `${generation}\n`, { mode: 0o666 });
      }
    }

    const ledgersOnDisk = (): string[] =>
      app.directories.map((directory) => fs.readFileSync(path.join(directory, 'ledger'), 'utf8'));

    async function ledgersIn(snapshot: string): Promise<string[]> {
      const found = (await app.snapshots()).find((each) => each.id === snapshot);
      expect(found).toMatchObject({ kind: 'pre-restore', state: 'READY' });
      const file = path.join(stack.dataDir, 'snapshots', app.id, `${snapshot}.tar.zst`);
      return [0, 1, 2].map((volume) =>
        execFileSync('tar', ['--zstd', '-xOf', file, `${volume}/ledger`], { encoding: 'utf8' }),
      );
    }

    /** What was acknowledged on this generation is there, once; whatever else is there was at least sent after `from`. */
    function expectLedger(ledger: string, generation: string, from: number, base: readonly number[] = []): void {
      expect(ledger.split('\n')[0]).toBe(generation);
      const numbers = numbersIn(ledger);
      expect(new Set(numbers).size).toBe(numbers.length);
      expect(numbers.slice(0, base.length)).toEqual(base);
      const written = new Set(numbers);
      const acknowledged = prober.acks
        .filter((ack) => ack.number >= from && ack.generation === generation)
        .map((ack) => ack.number);
      expect(acknowledged.filter((number) => !written.has(number))).toEqual([]);
      const foreign = numbers.slice(base.length).filter((number) => number < from || number >= prober.next);
      expect(foreign).toEqual([]);
    }

    const planBlows = (): Blow[] =>
      Array.from({ length: random.between(1, 3) }, () => ({
        victim: random.pick<Victim>(['server', 'server', 'temporal', 'docker']),
        at: random.between(0, 4_000),
        away: random.between(200, 3_000),
      })).sort((a, b) => a.at - b.at);

    async function strike({ victim, away }: Blow): Promise<void> {
      if (victim === 'server') {
        await stack.kill();
        await sleep(away);
        stack.launch();
      } else if (victim === 'temporal') {
        await temporal.kill();
        await sleep(away);
        await temporal.up();
      } else {
        await (away % 2 === 0 ? daemon.kill() : daemon.down());
        await sleep(away);
        await daemon.up();
      }
    }

    /** The operation that came of it; null: nothing did. */
    async function submitUnder(blows: readonly Blow[]): Promise<string | null> {
      const known = stack.query<{ id: string }>(`select id from operations where kind = 'restore'`).map(({ id }) => id);
      const answer = app.restore(snapshotId).catch(() => null);
      if (random.next() < 0.85) await answer;
      const started = performance.now();
      // One after the other, each at its time or as soon as the one before is over.
      for (const blow of blows) {
        await sleep(Math.max(0, blow.at - (performance.now() - started)));
        await strike(blow);
      }
      await stack.ready(90_000);
      await answer;
      const rows = stack.query<{ id: string }>(`select id from operations where kind = 'restore'`);
      return rows.find(({ id }) => !known.includes(id))?.id ?? null;
    }

    async function round(number: number): Promise<void> {
      const generation = `round-${number}`;
      begin(generation);
      const from = prober.next;
      // Set by hand, as people do; Docker then starts it behind our back whenever it starts.
      const before = await app.running();
      await stack.docker.call('POST', `/containers/${before.Id}/update`, { RestartPolicy: { Name: 'always' } });
      prober.start();
      await sleep(random.between(100, 600));

      const operationId = await submitUnder(planBlows());
      const operation = operationId === null ? null : await stack.until(operationId, undefined, undefined, 180_000);
      await eventually('the app answers', () => prober.read('data'), { timeoutMs: 60_000 });
      await prober.stop();

      const state: OperationState | 'NOTHING' = operation?.state ?? 'NOTHING';
      tally[state] = (tally[state] ?? 0) + 1;
      if (state === 'SUCCEEDED') await expectRestored(operation as Operation, generation, from);
      else {
        expect(['ROLLED_BACK', 'FAILED', 'CANCELLED', 'NOTHING']).toContain(state);
        expect(app.directories.map(generationsIn)).toEqual(app.directories.map(() => [generation]));
        for (const ledger of ledgersOnDisk()) expectLedger(ledger, generation, from);
      }
      const container = await app.running();
      expect(['unless-stopped', 'always']).toContain(container.HostConfig.RestartPolicy.Name);
      for (const [at, volume] of VOLUMES.entries()) expect(await prober.read(volume)).toBe(ledgersOnDisk()[at]);
      await eventually(
        'nothing of ours is left',
        () => app.leftovers().length === 0 && openJournals(stack.dataDir).length === 0,
      );
    }

    async function expectRestored(operation: Operation, generation: string, from: number): Promise<void> {
      for (const ledger of await ledgersIn(operation.undo?.snapshotId ?? '')) expectLedger(ledger, generation, from);
      expect(app.directories.map(generationsIn)).toEqual(app.directories.map(() => ['snap']));
      for (const ledger of ledgersOnDisk()) expectLedger(ledger, 'snap', from, numbersIn(await baseLedger()));
    }

    let base: string | null = null;
    async function baseLedger(): Promise<string> {
      const file = path.join(stack.dataDir, 'snapshots', app.id, `${snapshotId}.tar.zst`);
      return (base ??= execFileSync('tar', ['--zstd', '-xOf', file, '0/ledger'], { encoding: 'utf8' }));
    }

    it(
      'each ends; what was acknowledged is kept; the data is of exactly one generation; one app runs',
      async () => {
        for (let number = 1; number <= ROUNDS; number++) {
          await round(number).catch((error: unknown) => {
            const last = stack.log().slice(-3_000);
            throw new Error(`round ${number} of seed ${SEED}: ${String(error)}\nthe server's log ends:\n${last}`, {
              cause: error,
            });
          });
        }
        expect(Object.values(tally).reduce((sum, count) => sum + count, 0)).toBe(ROUNDS);
        if (ROUNDS >= 10) expect(tally['SUCCEEDED'] ?? 0).toBeGreaterThan(0);
      },
      ROUNDS * 300_000,
    );
  },
);

/** For the table of `npm run prove`. */
function note(text: string): void {
  const file = process.env['PROOF_NOTES'];
  if (file !== undefined) fs.appendFileSync(file, `${text}\n`);
}
