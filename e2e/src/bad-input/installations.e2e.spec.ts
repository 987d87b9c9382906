import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Stack } from '../harness/stack.ts';
import { TemporalServer } from '../harness/temporal-server.ts';
import { TestWorkload } from '../harness/test-workload.ts';
import { expectRestored, expectUntouched } from '../harness/untouched.ts';

describe('bad input: servers beside each other', () => {
  let temporal: TemporalServer;
  let one: Stack;
  let two: Stack;

  beforeAll(async () => {
    temporal = await TemporalServer.start();
    [one, two] = await Promise.all([Stack.start({ temporal }), Stack.start({ temporal })]);
  });
  afterAll(async () => {
    await one.destroy();
    await two.destroy();
    await temporal.destroy();
  });

  it('two servers on one data directory: the second ends with DATA_DIR_IN_USE, naming the first, and changes nothing', async () => {
    const { app } = await TestWorkload.withSnapshot(one);
    const intruder = await Stack.make({ beside: one });
    try {
      await expectUntouched(app, async () => {
        const process = intruder.launch();
        const exit = await process.exited;
        expect(exit.code).not.toBe(0);
        expect(process.log()).toContain('DATA_DIR_IN_USE');
        expect(process.log()).toContain(String(one.server.pid));
      });
      expect((await one.ready()).status).toBe('ok');
    } finally {
      await intruder.destroy();
    }
  });

  it('two installations on one Temporal: each does its own work only', async () => {
    const [mine, theirs] = await Promise.all([TestWorkload.withSnapshot(one), TestWorkload.withSnapshot(two)]);
    const answers = await Promise.all([mine.app.restore(mine.snapshotId), theirs.app.restore(theirs.snapshotId)]);
    await mine.app.done(answers[0], 'SUCCEEDED');
    await theirs.app.done(answers[1], 'SUCCEEDED');
    await expectRestored(mine.app);
    await expectRestored(theirs.app);
    expect(one.installation).not.toBe(two.installation);
    const idsOf = (stack: Stack): string[] =>
      stack.query<{ id: string }>('select id from operations').map((row) => row.id);
    expect(idsOf(one).filter((id) => idsOf(two).includes(id))).toEqual([]);
    for (const container of await two.containers()) {
      expect(container.Mounts.every((mount) => !mount.Source?.startsWith(one.folder))).toBe(true);
    }
  });

  it('one installation stopped: its work waits for it and the other does not touch it', async () => {
    const { app, snapshotId } = await TestWorkload.withSnapshot(one);
    const { app: neighbour } = await TestWorkload.withSnapshot(two);
    const answer = await app.restore(snapshotId);
    await one.kill();
    await neighbour.snapshot();
    const [row] = one.query<{ ended_at: string | null }>(
      'select ended_at from operations where id = ?',
      answer.body.operationId,
    );
    expect(row).toEqual({ ended_at: null });
    await one.up();
    await app.done(answer, 'SUCCEEDED');
    await expectRestored(app);
    expect(neighbour.generations()).toEqual(['live']);
  });
});
