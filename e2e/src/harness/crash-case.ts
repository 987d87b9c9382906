import fs from 'node:fs';
import { expect } from '@jest/globals';
import { LABELS, isEnded, workflowIds, type Operation } from '@tiny-forge/contracts/domain';
import { BootWatch } from './boot-watch.ts';
import { DockerProxy } from './docker-proxy.ts';
import { dockerSocket } from './environment.ts';
import { generationsIn, treeDigest } from './generations.ts';
import { closedJournals, openJournals } from './journal-files.ts';
import type { KillPoint } from './kill-point.ts';
import { Stack } from './stack.ts';
import type { TemporalServer } from './temporal-server.ts';
import { TestWorkload } from './test-workload.ts';
import { eventually, sleep } from './waiting.ts';

/** At which point of a restore the server dies: at a file-system call of its own, or while it waits for an answer of Docker. */
export type CrashPoint =
  | KillPoint
  | {
      readonly docker: readonly [method: string, path: RegExp];
      readonly nth?: number;
      readonly when?: 'before' | 'after';
    };

export interface CrashCase {
  readonly step: string;
  readonly at: string;
  readonly point: CrashPoint;
}

/** Everything that a start may not change once a restore has ended. */
async function stateOf(app: TestWorkload, operationId: string): Promise<unknown> {
  const { stack } = app;
  return {
    trees: app.directories.map((directory) => (fs.existsSync(directory) ? treeDigest(directory) : 'ABSENT')),
    inodes: app.directories.map((directory) => (fs.existsSync(directory) ? fs.statSync(directory).ino : null)),
    beside: app.parents.map((parent) => fs.readdirSync(parent).sort()),
    journals: { open: openJournals(stack.dataDir), closed: closedJournals(stack.dataDir) },
    rows: stack.query('select id, kind, state, seq, revision, ended_at, view from operations order by created_at, id'),
    snapshots: stack.query('select id, state, kind from snapshots order by created_at, id'),
    containers: (await app.instances()).map((each) => [
      each.Id,
      each.State.StartedAt,
      each.State.Status,
      each.HostConfig.RestartPolicy.Name,
    ]),
    operation: (await stack.operation(operationId)).state,
  };
}

/** Runs one restore in which the server dies at the point, starts it again, and proves all that "Done when" of the issue asks. */
export async function crashAndRecover(
  { point }: CrashCase,
  options: {
    temporal: TemporalServer;
    engine?: string;
    /** What else happens while the server is down. */
    between?: (stack: Stack) => Promise<void>;
    bytesPerFile?: number;
  },
): Promise<Operation> {
  const proxy = 'docker' in point ? new DockerProxy(options.engine ?? dockerSocket()) : null;
  await proxy?.up();
  const dockerHost = proxy?.host ?? (options.engine === undefined ? undefined : `unix://${options.engine}`);
  const stack = await Stack.make({
    temporal: options.temporal,
    ...(dockerHost === undefined ? {} : { dockerHost }),
    ...(options.engine === undefined ? {} : { engineSocket: options.engine }),
  });
  stack.cleanup.add('proxy', () => proxy?.destroy());
  try {
    await stack.up();
    const { app, snapshotId } = await TestWorkload.withSnapshot(
      stack,
      {},
      { bytesPerFile: options.bytesPerFile ?? 2_000 },
    );
    if (!('docker' in point)) await stack.restart({ kill: point });
    const boots = await BootWatch.start(stack.docker, (labels) => labels[LABELS.workload] === app.id);
    stack.cleanup.add('boot watch', () => boots.stop());
    if (proxy !== null && 'docker' in point) armProxy(proxy, point, stack);

    const accepted = await app.restore(snapshotId);
    expect({ status: accepted.status, text: accepted.text }).toMatchObject({ status: 202 });
    const { operationId } = accepted.body;
    const exit = await eventually('the kill switch', () => stack.server.exit, { timeoutMs: 120_000, intervalMs: 10 });
    expect(exit.signal).toBe('SIGKILL');
    await options.between?.(stack);

    const started = performance.now();
    await stack.up();
    const operation = await stack.until(operationId, undefined, undefined, 60_000 - (performance.now() - started));
    await expectSettled(app, operation);
    for (const boot of boots.boots()) expect(['snap', 'live']).toContain(boot);

    const before = await stateOf(app, operationId);
    await stack.restart();
    await sleep(2_000);
    expect(await stateOf(app, operationId)).toEqual(before);
    return operation;
  } finally {
    await stack.destroy();
  }
}

function armProxy(proxy: DockerProxy, point: Extract<CrashPoint, { docker: unknown }>, stack: Stack): void {
  const [method, path] = point.docker;
  let seen = 0;
  const die = async (): Promise<void> => {
    seen += 1;
    if (seen === (point.nth ?? 1)) await stack.kill();
  };
  proxy.on(method, path, point.when === 'before' ? { before: die } : { after: die }, Infinity);
}

/** Row, Temporal and journal agree; one generation everywhere; one container with its policy; nothing left beside. */
async function expectSettled(app: TestWorkload, operation: Operation): Promise<void> {
  const { stack } = app;
  expect(isEnded(operation.state)).toBe(true);
  const expected = operation.state === 'SUCCEEDED' ? 'snap' : 'live';
  expect(app.directories.map((directory) => generationsIn(directory))).toEqual(app.directories.map(() => [expected]));
  const container = await app.running();
  expect(container.HostConfig.RestartPolicy.Name).toBe('unless-stopped');
  expect(container.Image).toBe(app.imageId);
  const all = await stack.containers(app.id);
  expect(all.map((each) => each.Labels[LABELS.role])).toEqual(['instance']);
  await eventually('nothing of ours is left beside the volumes', () => app.leftovers().length === 0, {
    timeoutMs: 10_000,
  });
  expect(openJournals(stack.dataDir)).toEqual([]);
  const [row] = stack.query<{ state: string; ended_at: string | null }>(
    'select state, ended_at from operations where id = ?',
    operation.id,
  );
  expect(row?.state).toBe(operation.state);
  expect(row?.ended_at).not.toBeNull();
  // The row ends in the workflow's last activity; its last task follows.
  const workflow = workflowIds.operation(stack.installation, operation.id);
  await eventually(
    'Temporal calls the operation closed',
    async () => [null, 'COMPLETED'].includes(await stack.temporal.statusOf(workflow)),
    { timeoutMs: 10_000 },
  );
}
