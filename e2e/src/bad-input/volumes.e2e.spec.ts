import fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Operation, Problem, Workload } from '@tiny-forge/contracts/domain';
import { writeGeneration } from '../harness/generations.ts';
import type { Answer } from '../harness/http-client.ts';
import { Stack } from '../harness/stack.ts';
import { TestWorkload, type Accepted } from '../harness/test-workload.ts';
import { expectUntouched } from '../harness/untouched.ts';

describe('bad input: volumes', () => {
  let stack: Stack;

  beforeAll(async () => {
    stack = await Stack.make();
    // The root above our own data directory is allowed on purpose: I13 must hold by itself.
    await stack.up({ env: { TINY_FORGE_ALLOWED_ROOTS: `${stack.root}:${path.dirname(stack.folder)}` } });
  });
  afterAll(() => stack.destroy());

  /** Refused at submit with these blockers, or failed in `preflight` with one of them; the app never noticed. */
  async function blocked(app: TestWorkload, snapshotId: string, code: string): Promise<void> {
    await expectUntouched(app, async () => {
      const answer = (await app.restore(snapshotId)) as Answer<Accepted & Problem>;
      if (answer.status === 422) {
        expect(answer.body.code).toBe('RESTORE_BLOCKED');
        expect(answer.body.blockers?.map((blocker) => blocker.code)).toContain(code);
        return;
      }
      const operation: Operation = await app.done(answer, 'FAILED');
      expect(operation.steps[0]?.state).toBe('FAILED');
      expect(JSON.stringify(operation.error)).toContain(code);
    });
    const plan = await app.plan(snapshotId);
    expect(plan.body.blockers.map((blocker) => blocker.code)).toContain(code);
  }

  it('a volume removed from the config since the snapshot is a blocker', async () => {
    const { app, snapshotId } = await TestWorkload.withSnapshot(stack);
    const workload = (await stack.api.get<Workload>(app.path)).body;
    const kept = workload.volumes.filter((volume) => volume.target !== '/files');
    const volumes = kept.map(({ scope, source, target }) => ({ scope, source, target }));
    expect((await stack.api.patch(app.path, { volumes })).status).toBe(200);
    await blocked(app, snapshotId, 'VOLUME_NOT_IN_CONFIG');
  });

  it('a volume that has another target now is a blocker', async () => {
    const { app, snapshotId } = await TestWorkload.withSnapshot(stack);
    const workload = (await stack.api.get<Workload>(app.path)).body;
    const volumes = workload.volumes.map(({ scope, source, target }) => ({
      scope,
      source,
      target: target === '/files' ? '/elsewhere' : target,
    }));
    expect((await stack.api.patch(app.path, { volumes })).status).toBe(200);
    await blocked(app, snapshotId, 'VOLUME_NOT_IN_CONFIG');
  });

  it('a directory replaced by a symlink since the workload was saved is a blocker', async () => {
    const { app, snapshotId } = await TestWorkload.withSnapshot(stack);
    const live = app.directories[2] ?? '';
    const elsewhere = path.join(stack.folder, 'elsewhere');
    fs.renameSync(live, elsewhere);
    fs.symlinkSync(elsewhere, live);
    await blocked(app, snapshotId, 'VOLUME_PATH_UNSAFE');
    expect(fs.readFileSync(path.join(elsewhere, 'token'), 'utf8')).toBe('live\n');
  });

  describe('a path of scope absolute', () => {
    const save = (sources: readonly string[]): Promise<Answer<Problem>> =>
      stack.api.post<Problem>('/api/workloads', {
        name: 'never',
        project: 'e2e',
        stage: 'test',
        source: { type: 'image', image: 'none:1' },
        volumes: sources.map((source, i) => ({ scope: 'absolute', source, target: `/v${i}` })),
      });
    const inRoot = (name: string): string => {
      const folder = path.join(stack.root, name);
      writeGeneration(folder, 'x', { files: 1 });
      return folder;
    };
    /** Refused for one of these reasons; `VALIDATION_FAILED` names the field: such a text is no path we would look at. */
    async function refused(sources: readonly string[], codes: readonly string[]): Promise<void> {
      const answer = await save(sources);
      expect({ status: answer.status, text: answer.text }).toMatchObject({ status: 422 });
      const said = [answer.body.code, ...(answer.body.issues ?? []).map((issue) => issue.message)].join(' ');
      expect(codes.some((code) => said.includes(code)) ? codes : said).toEqual(codes);
      const list = await stack.api.get<{ items: Workload[] }>('/api/workloads');
      expect(list.body.items.map((each) => each.name)).not.toContain('never');
    }

    it('outside the allow-list is refused', async () => {
      await refused(['/etc'], ['VOLUME_OUTSIDE_ROOTS']);
      await refused(['/'], ['VALIDATION_FAILED']);
      await refused([`${path.dirname(stack.folder)}-sibling/x`], ['VOLUME_OUTSIDE_ROOTS']);
    });

    it('through a symlink is refused, wherever it leads', async () => {
      const real = inRoot('real');
      fs.symlinkSync(path.dirname(real), path.join(stack.root, 'inside'));
      fs.symlinkSync('/etc', path.join(stack.root, 'outside'));
      await refused([path.join(stack.root, 'inside', 'real')], ['VOLUME_PATH_UNSAFE']);
      await refused([path.join(stack.root, 'outside')], ['VOLUME_PATH_UNSAFE', 'VOLUME_OUTSIDE_ROOTS']);
    });

    it('with `..`, `.` or doubled slashes is refused', async () => {
      inRoot('dots');
      for (const source of ['dots/../../../etc', 'x/../dots', './dots', '/dots', 'dots/']) {
        await refused([`${stack.root}/${source}`], ['VALIDATION_FAILED']);
      }
    });

    it('at, in or around our own data directory is refused', async () => {
      await refused([stack.dataDir], ['VOLUME_FORBIDDEN']);
      fs.mkdirSync(path.join(stack.dataDir, 'snapshots', 'x'), { recursive: true });
      await refused([path.join(stack.dataDir, 'snapshots', 'x')], ['VOLUME_FORBIDDEN']);
      await refused([stack.folder], ['VOLUME_FORBIDDEN']);
    });

    it('overlapping another volume is refused', async () => {
      const outer = inRoot('outer');
      fs.mkdirSync(path.join(outer, 'inner'));
      await refused([outer, path.join(outer, 'inner')], ['VOLUME_OVERLAP']);
      await refused([outer, outer], ['VOLUME_OVERLAP']);
    });
  });
});
