import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { NodeFsPort } from './ports/node-fs-port.ts';
import type { FrozenPlan } from './restore-engine.ts';
import { fsWithout } from './testing/failing-fs-port.ts';
import { jsonArchive } from './testing/json-archive-port.ts';
import { quietContext } from './testing/restore-house.ts';
import { run, Scene, signal } from './testing/scene.ts';

const scene = new Scene();
const journals = (): string => path.join(scene.house.dataDir, 'journal');
const open = async (): Promise<string[]> => (await readdir(journals())).filter((name) => name.endsWith('.journal'));
/** As after a start of the server. */
const fresh = () => scene.house.engine({ archive: jsonArchive(new NodeFsPort()) });

/** A restore of a running app up to SAFE. */
async function safe(): Promise<{ readonly plan: FrozenPlan; readonly app: string }> {
  await scene.house.write('old');
  const app = await scene.house.startInstance({ policy: 'always' });
  const snapshot = await scene.capture();
  await scene.house.write('newer');
  return { plan: await scene.house.upToSafe(scene.engine, snapshot), app };
}

/** COMMIT is durable and the live directory of the first volume is away: killed between its two renames. */
async function halfSwapped(plan: FrozenPlan): Promise<void> {
  await scene.stuckAtCommit(plan, 1);
  expect(await scene.house.generations()).toEqual(['absent', 'newer']);
}

const stateOf = async (app: string) => {
  const detail = await scene.test.docker.inspectContainer(app);
  return { state: detail?.state, policy: detail?.restartPolicy };
};

/** The guide's own lines, in a shell, as a person would run them. */
async function obey(commands: readonly { readonly command: string }[]): Promise<void> {
  for (const { command } of commands.filter((one) => /^(mv|sync) /.test(one.command))) await run('sh', ['-c', command]);
}

describe('a corrupt journal', () => {
  it('waits for a person, touches nothing, and lets nobody have its directories', async () => {
    const { plan, app } = await safe();
    await halfSwapped(plan);
    const name = await scene.damageJournal('QUIESCED');
    const before = await scene.picture();
    const engine = fresh();
    expect(await engine.sweep(signal)).toMatchObject({ swappedForward: [], swappedBack: [], corrupt: [{}] });
    expect(await engine.openTransactions()).toMatchObject([
      { operationId: plan.operationId, record: 'OPERATOR', done: false, plan: { txId: plan.txId } },
    ]);
    expect(await engine.heldBy(plan.workloadId)).toBe(plan.operationId);
    await expect(engine.assertMayStart('another', [scene.at('data')], 'other')).rejects.toMatchObject({
      code: 'VOLUME_IN_USE',
    });
    for (const step of [
      () => engine.swap(plan, quietContext()),
      () => engine.finish(plan, [], quietContext()),
      () => engine.swapBack(plan, signal),
      () => engine.dropStaging(plan, signal),
    ])
      await expect(step()).rejects.toMatchObject({ code: 'TX_CORRUPT' });
    const guide = await engine.needsOperator(plan, { code: 'UNDO_FAILED', detail: 'x' });
    expect(guide.volumes.map(({ live, other }) => [live, other])).toEqual([
      ['absent', 'old'],
      ['old', 'new'],
    ]);
    expect(await scene.picture()).toBe(before);
    expect(await open()).toEqual([name]);
    expect(await stateOf(app)).toEqual({ state: 'exited', policy: 'no' });
  });

  it('ends as all old when what its guide says was run, and stays for whoever wants to know', async () => {
    const { plan, app } = await safe();
    await halfSwapped(plan);
    const name = await scene.damageJournal('QUIESCED');
    const engine = fresh();
    const { verdict, guide } = await engine.examine(plan.operationId);
    expect(verdict).toBe('unclear');
    await obey(guide.commands);
    expect((await engine.examine(plan.operationId)).verdict).toBe('all-old');
    await engine.acceptVerdict(plan.operationId, 'all-old', 'test');
    // What could be read and what was accepted are one file now; a start at this point goes on from there.
    expect(await open()).toEqual([name.replace(/0\.journal$/, '1.journal')]);
    expect(await fresh().status(plan.operationId)).toMatchObject({ record: 'ROLLED_BACK' });
    await scene.house.undo(fresh(), plan);
    expect(await scene.house.generations()).toEqual(['newer', 'newer']);
    expect(await scene.house.leftovers()).toEqual([]);
    expect(await stateOf(app)).toEqual({ state: 'running', policy: 'always' });
    expect(await open()).toEqual([]);
    expect(await readdir(path.join(journals(), 'closed'))).toContain(name);
    expect(await engine.heldBy(plan.workloadId)).toBeNull();
  });

  it('that lost COMMIT never goes forward: nothing would say which trees are the old ones', async () => {
    const { plan } = await safe();
    await scene.engine.swap(plan, quietContext());
    await scene.damageJournal('SAFE');
    const engine = fresh();
    expect(await scene.house.generations()).toEqual(['old', 'old']);
    const { verdict, guide } = await engine.examine(plan.operationId);
    expect(verdict).toBe('unclear');
    await obey(guide.commands);
    expect(await scene.house.generations()).toEqual(['newer', 'newer']);
    expect((await engine.examine(plan.operationId)).verdict).toBe('all-old');
  });

  it('that still has COMMIT goes forward where all trees are new', async () => {
    const { plan } = await safe();
    await scene.engine.swap(plan, quietContext());
    const finishing = scene.house.engine({
      archive: jsonArchive(new NodeFsPort()),
      fs: fsWithout('rename'),
    });
    // DONE is written, the old trees cannot be put away: the journal stays open.
    expect((await finishing.finish(plan, [], quietContext())).warnings.length).toBeGreaterThan(0);
    await scene.damageJournal('SWAPPED');
    const engine = fresh();
    expect((await engine.examine(plan.operationId)).verdict).toBe('all-new');
    await engine.acceptVerdict(plan.operationId, 'all-new', 'test');
    expect(await engine.status(plan.operationId)).toMatchObject({ record: 'SWAPPED' });
    expect((await engine.finish(plan, [], quietContext())).warnings).toEqual([]);
    expect(await scene.house.generations()).toEqual(['old', 'old']);
    expect(await scene.house.leftovers()).toEqual([]);
    expect(await open()).toEqual([]);
  });

  it('taken as it is keeps every tree that nothing records', async () => {
    const { plan } = await safe();
    await scene.engine.swap(plan, quietContext());
    await scene.damageJournal('SAFE');
    const engine = fresh();
    await engine.acceptVerdict(plan.operationId, 'all-old', 'test');
    await scene.house.undo(engine, plan);
    expect(await scene.house.generations()).toEqual(['old', 'old']);
    const left = await scene.house.leftovers();
    expect(left).toEqual(['data', 'files'].map((name) => `.${name}.restore-${plan.txId}.old`));
    for (const name of left) expect(await readFile(path.join(scene.at(name), 'token'), 'utf8')).toBe('newer');
    expect(await engine.heldBy(plan.workloadId)).toBeNull();
  });

  it('of which nothing can be read is put away when it is taken as it is', async () => {
    const { plan } = await safe();
    const name = await scene.damageJournal('BEGIN');
    const engine = fresh();
    expect(await engine.openTransactions()).toMatchObject([
      { operationId: plan.operationId, record: 'OPERATOR', plan: null, snapshotId: null },
    ]);
    const { verdict, guide } = await engine.examine(plan.operationId);
    expect(verdict).toBe('unclear');
    const [keep, find] = guide.commands.map(({ command }) => command) as [string, string];
    await run('sh', ['-c', keep]);
    expect(existsSync(path.join(journals(), `${name}.damaged`))).toBe(true);
    const { stdout } = await run('sh', ['-c', find.replace('find / -xdev', `find ${scene.house.volumes} -xdev`)]);
    expect(stdout.trim().split('\n')).toHaveLength(2);
    await engine.acceptVerdict(plan.operationId, 'all-old', 'test');
    await engine.acceptVerdict(plan.operationId, 'all-old', 'test').catch((error: { code: string }) => {
      expect(error.code).toBe('NOT_FOUND');
    });
    expect(await engine.status(plan.operationId)).toBeNull();
    expect(await engine.openTransactions()).toEqual([]);
    expect(await engine.heldBy(plan.workloadId)).toBeNull();
    expect(await readdir(path.join(journals(), 'closed'))).toEqual([name]);
    expect(await scene.house.generations()).toEqual(['newer', 'newer']);
  });

  it('killed before its successor is whole: corrupt as before, and nothing else', async () => {
    const { plan } = await safe();
    await halfSwapped(plan);
    const name = await scene.damageJournal('QUIESCED');
    const fs = fsWithout('rename');
    const dying = scene.house.engine({ archive: jsonArchive(fs), fs });
    await expect(dying.acceptVerdict(plan.operationId, 'all-old', 'test')).rejects.toMatchObject({ code: 'IO_ERROR' });
    const engine = fresh();
    await engine.sweep(signal);
    expect(await open()).toEqual([name]);
    expect(await engine.status(plan.operationId)).toMatchObject({ record: 'OPERATOR' });
  });

  it('with a stranger in the live directory says so', async () => {
    const { plan } = await safe();
    await halfSwapped(plan);
    await scene.damageJournal('QUIESCED');
    await mkdir(scene.at('data'));
    const engine = fresh();
    const { verdict, guide } = await engine.examine(plan.operationId);
    expect(verdict).toBe('unclear');
    expect(guide.volumes[0]).toMatchObject({ live: 'unknown', other: 'old' });
    await rename(scene.at('data'), scene.at('aside'));
    await obey((await engine.examine(plan.operationId)).guide.commands);
    expect((await engine.examine(plan.operationId)).verdict).toBe('all-old');
  });
});
