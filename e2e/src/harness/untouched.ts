import { expect } from '@jest/globals';
import { generationsIn, treeDigest } from './generations.ts';
import type { TestWorkload } from './test-workload.ts';

/** Events of a container that an app which is left alone does not have. */
export const STOPPING: ReadonlySet<string> = new Set(['die', 'stop', 'kill', 'pause', 'restart', 'destroy']);

async function look(app: TestWorkload): Promise<unknown> {
  const container = await app.running();
  return {
    id: container.Id,
    startedAt: container.State.StartedAt,
    policy: container.HostConfig.RestartPolicy.Name,
    trees: app.directories.map((directory) => treeDigest(directory)),
    generations: app.directories.map((directory) => generationsIn(directory)),
    leftovers: app.leftovers(),
  };
}

/**
 * Runs `body` and proves that the app never noticed: the very same container, never stopped nor paused in between, the same
 * files, and nothing of ours left beside them.
 */
export async function expectUntouched<T>(app: TestWorkload, body: () => Promise<T>): Promise<T> {
  const before = await look(app);
  const { Id } = await app.running();
  const watch = await app.stack.docker.watch();
  try {
    const result = await body();
    expect(await look(app)).toEqual(before);
    expect(watch.events.filter((event) => event.Actor.ID === Id && STOPPING.has(event.Action))).toEqual([]);
    return result;
  } finally {
    watch.stop();
  }
}

/** The old data is back and the app is up, as before: what every undone restore ends with. */
export async function expectAsBefore(app: TestWorkload): Promise<void> {
  expect(app.generations()).toEqual(['live']);
  expect(app.leftovers()).toEqual([]);
  const container = await app.running();
  expect(container.HostConfig.RestartPolicy.Name).toBe('unless-stopped');
}

/** The new data is live and exactly one container serves it. */
export async function expectRestored(app: TestWorkload): Promise<void> {
  expect(app.generations()).toEqual(['snap']);
  expect(app.leftovers()).toEqual([]);
  const container = await app.running();
  expect(container.HostConfig.RestartPolicy.Name).toBe('unless-stopped');
}
