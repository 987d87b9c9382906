import { execFile } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { DockerDaemon } from './harness/docker-daemon.ts';
import { checkout, childEnvironment, isRoot, nodeBinary } from './harness/environment.ts';
import { generationsIn } from './harness/generations.ts';
import { openJournals } from './harness/journal-files.ts';
import { Stack } from './harness/stack.ts';
import { TemporalServer } from './harness/temporal-server.ts';
import { TestWorkload } from './harness/test-workload.ts';
import { eventually } from './harness/waiting.ts';

const UNIT = fs.readFileSync(path.join(checkout, 'docs', 'tiny-forge-sweep.service'), 'utf8');

interface Ended {
  readonly code: number;
  readonly output: string;
}

/** What the shipped unit runs, on the data folder of the stack. */
function runUnit(stack: Stack): Promise<Ended> {
  const [, , entry = '', ...args] = /^ExecStart=(.*)$/m.exec(UNIT)?.[0].replace('ExecStart=', '= ').split(' ') ?? [];
  const script = path.join(checkout, path.relative('/opt/tiny-forge', entry));
  const env = childEnvironment({ TINY_FORGE_DATA: stack.dataDir, DOCKER_HOST: `unix://${stack.docker.socketPath}` });
  return new Promise((resolve) => {
    execFile(nodeBinary, [script, ...args], { env }, (error, stdout, stderr) =>
      resolve({ code: Number(error?.code ?? 0), output: stdout + stderr }),
    );
  });
}

// A Docker daemon of our own needs root; with a shared one nobody may restart it.
(isRoot ? describe : describe.skip)(
  'a boot with a half-swapped restore and an app that Docker starts by itself',
  () => {
    let daemon: DockerDaemon;
    let temporal: TemporalServer;

    beforeAll(async () => {
      daemon = await DockerDaemon.start();
      temporal = await TemporalServer.start();
    }, 120_000);
    afterAll(async () => {
      await temporal.destroy();
      await daemon.destroy();
    }, 60_000);

    /** The server died after two of six renames: one volume is new, the others are old, none is missing; somebody set the policy `always` by hand; then the machine went down. */
    async function halfSwapped(): Promise<{ stack: Stack; app: TestWorkload; operationId: string }> {
      const stack = await Stack.start({ temporal, dockerHost: daemon.host, engineSocket: daemon.socketPath });
      const { app, snapshotId } = await TestWorkload.withSnapshot(stack);
      await stack.restart({ kill: { call: ['rename'], path: `\\.restore-|/(data|shared|files)$`, nth: 2 } });
      const { operationId } = (await app.restore(snapshotId)).body;
      await eventually('the kill', () => stack.server.exit, { timeoutMs: 45_000 });
      expect(openJournals(stack.dataDir)[0]?.records.at(-1)).toBe('COMMIT');
      expect(app.generations().length).toBeGreaterThan(1);
      for (const { Id } of await app.instances())
        await stack.docker.call('POST', `/containers/${Id}/update`, { RestartPolicy: { Name: 'always' } });
      await daemon.down();
      return { stack, app, operationId };
    }

    const bootsOf = async (stack: Stack, id: string): Promise<string[]> => {
      const log = await stack.docker.log(id);
      return [...log.matchAll(/BOOT (.*)$/gm)].map((match) => (match[1] ?? '').trim());
    };

    it('with the shipped unit before Docker: the app never starts on mixed data', async () => {
      const { stack, app, operationId } = await halfSwapped();
      try {
        const { code, output } = await runUnit(stack);
        expect({ code, output }).toEqual({
          code: 0,
          output: expect.stringMatching(/all volumes have the snapshot's data/),
        });
        expect(app.generations()).toEqual(['snap']);
        expect(await runUnit(stack)).toEqual({ code: 0, output: 'no directory is in motion\n' });

        await daemon.up();
        const [old] = await app.instances();
        const oldId = old?.Id ?? '';
        await eventually('Docker starts it by itself', async () => (await stack.docker.inspect(oldId)).State.Running);
        await eventually('it says what it saw', async () => (await bootsOf(stack, oldId)).length > 1);
        expect((await bootsOf(stack, oldId)).at(-1)).toBe('snap');
        await stack.up();
        // An instance that runs already, though nobody of ours started it, gives way to the restore's own.
        expect((await stack.until(operationId)).state).toBe('SUCCEEDED');
        expect(app.generations()).toEqual(['snap']);
        expect((await app.running()).Id).not.toBe(oldId);
      } finally {
        await daemon.up();
        await stack.destroy();
      }
    });

    it('without it: what Docker started on mixed data is stopped before anything moves', async () => {
      const { stack, app, operationId } = await halfSwapped();
      try {
        await daemon.up();
        const [old] = await app.instances();
        const oldId = old?.Id ?? '';
        await eventually('Docker starts it by itself', async () => (await stack.docker.inspect(oldId)).State.Running);
        const renamedBefore = app.parents.map((parent) => fs.statSync(parent, { bigint: true }).mtimeNs);
        const watch = await stack.docker.watch();
        await stack.up();
        expect((await stack.until(operationId)).state).toBe('SUCCEEDED');
        watch.stop();
        const died = watch.events.find(({ Action, Actor }) => Action === 'die' && Actor.ID === oldId);
        expect(died).toBeDefined();
        // Times of events are whole nanoseconds in a number that has lost the last two or three digits.
        const diedAt = BigInt(died?.timeNano ?? 0) - 1_000n;
        for (const [at, parent] of app.parents.entries()) {
          const { mtimeNs } = fs.statSync(parent, { bigint: true });
          if (mtimeNs !== renamedBefore[at]) expect(mtimeNs).toBeGreaterThan(diedAt);
        }
        expect(app.directories.map((directory) => generationsIn(directory))).toEqual(
          app.directories.map(() => ['snap']),
        );
        expect((await app.running()).Id).not.toBe(oldId);
      } finally {
        await daemon.up();
        await stack.destroy();
      }
    });
  },
);
