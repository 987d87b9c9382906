import { randomUUID } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { testDocker, type TestDocker } from '@tiny-forge/docker/testing';
import type { RestoreEngine } from './restore-engine.ts';
import { fakePlugins } from './testing/fake-plugins.ts';
import { quietContext, RestoreHouse } from './testing/restore-house.ts';

let test: TestDocker;
let image: string;
let house: RestoreHouse;
let engine: RestoreEngine;
const signal = new AbortController().signal;

beforeAll(async () => {
  test = testDocker();
  image = (await test.image()).tag;
});
afterAll(() => test.cleanUp());
beforeEach(async () => {
  house = await RestoreHouse.build(test.docker, { installation: test.installation, image, plugins: fakePlugins });
  engine = house.engine();
});
afterEach(async () => {
  await house.removeContainers();
  await house.remove();
});

const openJournals = async (): Promise<string[]> =>
  (await readdir(path.join(house.dataDir, 'journal'))).filter((name) => name.endsWith('.journal'));

describe('a restore', () => {
  it('of a running app puts both volumes back and keeps nothing of its own', async () => {
    await house.write('old');
    const container = await house.startInstance();
    const snapshot = await house.capture();
    expect((await test.docker.inspectContainer(container))?.state).toBe('running');
    await house.write('newer');

    const planned = await engine.plan(house.input(snapshot), signal);
    expect(planned.blockers).toEqual([]);
    const plan = await engine.preflight(
      { ...house.input(snapshot), operationId: randomUUID(), confirmedPlanHash: planned.planHash },
      quietContext(),
    );
    expect(
      (
        await test.docker.listContainers({
          'io.tiny-forge.role': 'holder',
          'io.tiny-forge.operation': plan.operationId,
        })
      )[0]?.state,
    ).toBe('created');
    await engine.extract(plan, quietContext());
    expect((await test.docker.inspectContainer(container))?.state).toBe('running');
    const stopped = await engine.stop(plan, quietContext());
    expect(stopped.before).toBe('running-healthy');
    expect(await test.docker.inspectContainer(container)).toMatchObject({ state: 'exited', restartPolicy: 'no' });
    const safety = await house.capture({ kind: 'pre-restore', quiesce: 'stop', links: 'widest' });
    expect(safety.entries).toBeGreaterThan(0);
    await engine.recordSafe(plan, house.source(safety).id);
    await engine.swap(plan, quietContext());
    expect(await house.generations()).toEqual(['old', 'old']);

    expect(await engine.assertMayRedeploy(plan, signal)).toEqual({ before: 'running-healthy' });
    await engine.assertMayStart(
      plan.workloadId,
      plan.targets.map((target) => target.hostPath),
      plan.operationId,
    );
    await expect(engine.assertMayStart('other', [plan.targets[0]!.hostPath], 'other-op')).rejects.toMatchObject({
      code: 'VOLUME_IN_USE',
    });
    await test.docker.removeContainer(container, { force: true });
    const instance = await house.startInstance({ operation: plan.operationId, policy: 'no' });
    expect(await engine.finish(plan, [instance], quietContext())).toEqual({ warnings: [] });

    expect(await test.docker.inspectContainer(instance)).toMatchObject({
      state: 'running',
      restartPolicy: 'unless-stopped',
    });
    expect(await house.leftovers()).toEqual([]);
    expect(await openJournals()).toEqual([]);
    expect(
      await test.docker.listContainers({ 'io.tiny-forge.role': 'holder', 'io.tiny-forge.operation': plan.operationId }),
    ).toEqual([]);
    // Every step again: nothing more happens.
    await engine.extract(plan, quietContext());
    await engine.stop(plan, quietContext());
    await engine.swap(plan, quietContext());
    await engine.finish(plan, [instance], quietContext());
    expect(await house.generations()).toEqual(['old', 'old']);
  });

  it('undone after the swap brings the newer data and the old container back', async () => {
    await house.write('old');
    const container = await house.startInstance({ policy: 'always' });
    const snapshot = await house.capture();
    await house.write('newer');
    const plan = await house.upToSafe(engine, snapshot);
    await engine.swap(plan, quietContext());
    await house.startInstance({ operation: plan.operationId, policy: 'no' });
    await house.undo(engine, plan);
    expect(await house.generations()).toEqual(['newer', 'newer']);
    expect(await test.docker.inspectContainer(container)).toMatchObject({ state: 'running', restartPolicy: 'always' });
    expect(await house.leftovers()).toEqual([]);
    expect(await openJournals()).toEqual([]);
    await expect(engine.swap(plan, quietContext())).rejects.toMatchObject({ code: 'TX_STATE' });
    await house.undo(engine, plan);
  });
});
