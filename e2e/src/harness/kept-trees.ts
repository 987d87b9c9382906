import fs from 'node:fs';
import { expect } from '@jest/globals';
import type { Operation, Problem } from '@tiny-forge/contracts/domain';
import { DAY_MS } from './clock-ahead.ts';
import { treeDigest } from './generations.ts';
import type { Answer } from './http-client.ts';
import type { Accepted, TestWorkload } from './test-workload.ts';

export interface LiveTrees {
  readonly inodes: readonly number[];
  readonly digests: readonly string[];
}

/** @param unread names of files that cannot be read */
export function lookAtTrees(folders: readonly string[], unread: ReadonlySet<string> = new Set()): LiveTrees {
  return {
    inodes: folders.map((folder) => fs.statSync(folder).ino),
    digests: folders.map((folder) => treeDigest(folder, unread)),
  };
}

/** The operation names the very directories that were live before, whole, and nothing else of ours lies beside the volumes. @returns their paths */
export function expectKept(
  app: TestWorkload,
  operation: Operation,
  before: LiveTrees,
  { safetyDays = 7, unread = new Set<string>() }: { safetyDays?: number; unread?: ReadonlySet<string> } = {},
): string[] {
  const kept = operation.kept;
  if (kept === undefined) throw new Error(`nothing kept: ${JSON.stringify(operation)}`);
  const finish = operation.steps.find((step) => step.name === 'finish');
  const ended = Date.parse(finish?.endedAt ?? operation.endedAt ?? '');
  expect(Math.abs(Date.parse(kept.until) - safetyDays * DAY_MS - ended)).toBeLessThan(60_000);
  expect(kept.trees.map(({ livePath }) => livePath)).toEqual(app.directories);
  const paths = kept.trees.map(({ path }) => path);
  expect(lookAtTrees(paths, unread)).toEqual(before);
  expect(app.leftovers().sort()).toEqual([...paths].sort());
  expect(operation.undo).toBeUndefined();
  expect(operation.actions).not.toContain('undo');
  return paths;
}

export const undo = (
  app: TestWorkload,
  operationId: string,
  headers: Record<string, string> = {},
): Promise<Answer<Accepted & Problem>> =>
  app.stack.api.post<Accepted & Problem>(`/api/operations/${operationId}/undo`, undefined, {
    headers,
    timeoutMs: 60_000,
  });
