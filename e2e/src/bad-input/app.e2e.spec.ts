import fs from 'node:fs';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { LABELS, type Operation, type Problem } from '@tiny-forge/contracts/domain';
import { DockerProxy } from '../harness/docker-proxy.ts';
import { dockerSocket } from '../harness/environment.ts';
import type { Answer } from '../harness/http-client.ts';
import { Stack } from '../harness/stack.ts';
import { TestWorkload, type Accepted } from '../harness/test-workload.ts';
import { expectAsBefore, expectRestored } from '../harness/untouched.ts';

const stepOf = (operation: Operation, name: string) => operation.steps.find((step) => step.name === name);

describe('bad input: an app that does not do what it should', () => {
  let docker: DockerProxy;
  let stack: Stack;

  beforeAll(async () => {
    docker = new DockerProxy(dockerSocket());
    await docker.up();
    stack = await Stack.start({ dockerHost: docker.host });
  });
  afterAll(async () => {
    await stack.destroy();
    await docker.destroy();
  });
  afterEach(() => docker.clear());

  it('a container that is deaf to SIGTERM: stopped after its time-out, restored', async () => {
    const { app, snapshotId } = await TestWorkload.withSnapshot(stack, {
      env: { IGNORE_TERM: '1' },
      stopTimeoutSeconds: 1,
    });
    await app.done(await app.restore(snapshotId), 'SUCCEEDED');
    await expectRestored(app);
  });

  it('a container that refuses to stop: STOP_TIMEOUT, nothing swapped, the app as before', async () => {
    const { app, snapshotId } = await TestWorkload.withSnapshot(stack, { stopTimeoutSeconds: 1 });
    const { Id } = await app.running();
    // What the engine says of a container whose process cannot be killed.
    const body = { message: 'cannot stop container: tried to kill container, but did not receive an exit event' };
    docker.on('POST', /^\/containers\/[^/]+\/(stop|kill)/, { before: () => ({ status: 500, body }) }, Infinity);
    const answer = await app.restore(snapshotId);
    const operation = await app.done(answer, 'ROLLED_BACK', 90_000);
    expect(operation.error?.code).toBe('STOP_TIMEOUT');
    expect(stepOf(operation, 'swap')?.state).toBe('PENDING');
    expect((await app.running()).Id).toBe(Id);
    await expectAsBefore(app);
  });

  it('image gone before: the restore is refused before any effect', async () => {
    const { app, snapshotId } = await TestWorkload.withSnapshot(stack);
    for (const instance of await app.instances()) await stack.docker.remove(instance.Id);
    await stack.docker.removeImage(app.imageId);
    const answer = (await app.restore(snapshotId)) as Answer<Accepted & Problem>;
    if (answer.status === 422) expect(answer.body.blockers?.map((blocker) => blocker.code)).toContain('IMAGE_MISSING');
    else {
      const operation = await app.done(answer, 'FAILED');
      expect(JSON.stringify(operation.error)).toContain('IMAGE_MISSING');
      expect(stepOf(operation, 'stop')?.state).toBe('PENDING');
    }
    expect(app.generations()).toEqual(['live']);
    expect(app.leftovers()).toEqual([]);
  });

  it('image gone between stop and start, its holder too: the old data is back and the app is up', async () => {
    const { app, snapshotId } = await TestWorkload.withSnapshot(stack);
    docker.on('POST', /^\/containers\/[^/]+\/stop/, {
      after: async () => {
        for (const container of await stack.containers(app.id)) {
          if (container.Labels[LABELS.role] === 'holder') await stack.docker.remove(container.Id);
        }
        await stack.docker.removeImage(app.imageId);
        await stack.docker.removeImage(app.image);
      },
    });
    const operation = await stack.until((await app.restore(snapshotId)).body.operationId, undefined, undefined, 90_000);
    if (operation.state === 'SUCCEEDED') await expectRestored(app);
    else {
      expect(operation.state).toBe('ROLLED_BACK');
      expect(operation.error?.code).toBe('IMAGE_MISSING');
      await expectAsBefore(app);
    }
  });

  it('an app that does not become healthy on the restored data: old data is back, app is up again', async () => {
    const app = await TestWorkload.create(stack);
    app.write('snap');
    await app.deploy();
    fs.writeFileSync(path.join(app.directories[0] ?? '', 'unhealthy'), 'snap\n');
    const snapshotId = await app.snapshot();
    app.write('live');
    const answer = await app.restore(snapshotId);
    const operation = await app.done(answer, 'ROLLED_BACK', 90_000);
    expect(operation.error?.code).toBe('APP_UNHEALTHY');
    expect(operation.situation).toMatchObject({ app: 'running', data: 'current' });
    expect(operation.downtime?.to).not.toBeNull();
    await expectAsBefore(app);
    expect(fs.existsSync(path.join(app.directories[0] ?? '', 'unhealthy'))).toBe(false);
  });

  it('a foreign container started on the data between stop and swap: nothing is swapped, the app is as before', async () => {
    const { app, snapshotId } = await TestWorkload.withSnapshot(stack);
    let foreign = '';
    docker.on('POST', /^\/containers\/[^/]+\/stop/, {
      after: async () => {
        foreign = await stack.docker.runForeign(app.image, [{ source: app.directories[2] ?? '', target: '/files' }]);
      },
    });
    const operation = await app.done(await app.restore(snapshotId), 'ROLLED_BACK', 90_000);
    expect(operation.error?.code).toBe('CONTAINER_APPEARED');
    await expectAsBefore(app);
    expect((await stack.docker.inspect(foreign)).State.Running).toBe(true);
    await stack.docker.remove(foreign);
  });

  it('the app itself started behind our back between stop and swap: the data is of one generation, one instance runs', async () => {
    const { app, snapshotId } = await TestWorkload.withSnapshot(stack);
    const { Id } = await app.running();
    docker.on('POST', /^\/containers\/[^/]+\/stop/, {
      after: () => stack.docker.call('POST', `/containers/${Id}/start`),
    });
    const operation = await stack.until((await app.restore(snapshotId)).body.operationId, undefined, undefined, 90_000);
    expect(['SUCCEEDED', 'ROLLED_BACK']).toContain(operation.state);
    if (operation.state === 'SUCCEEDED') await expectRestored(app);
    else await expectAsBefore(app);
  });
});
