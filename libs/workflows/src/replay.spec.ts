import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { DefaultLogger, Runtime, Worker, type WorkflowBundleWithSourceMap } from '@temporalio/worker';
import { bundleWorkflows } from '../testing/bundle.ts';
import { renameActivity } from '../testing/mutation.ts';

const HISTORIES = fileURLToPath(new URL('../histories', import.meta.url));
const recorded = readdirSync(HISTORIES, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.json'));
const read = (file: string): unknown => JSON.parse(readFileSync(path.join(HISTORIES, file), 'utf8'));

let today: WorkflowBundleWithSourceMap;

beforeAll(async () => {
  Runtime.install({
    shutdownSignals: [],
    logger: new DefaultLogger('ERROR', () => undefined),
    telemetryOptions: { logging: { filter: 'off', forward: {} } },
  });
  today = await bundleWorkflows();
}, 60_000);

describe('I12: every recorded history replays with today’s code', () => {
  it('has histories of every path', () => {
    expect(recorded.length).toBeGreaterThanOrEqual(30);
  });

  it.each(recorded)('%s', async (file) => {
    await Worker.runReplayHistory({ workflowBundle: today }, read(file));
  });
});

describe('a change that old runs would not survive', () => {
  it.each([
    ['extract', 'restore-success'],
    ['swapBack', 'restore-fails-in-redeploy'],
    ['endUnbegun', 'lane-delete'],
  ])('renaming activity %s makes %s fail, naming it', async (activity, scenario) => {
    const mutated = await bundleWorkflows(renameActivity(activity, `${activity}Renamed`));
    const file = recorded.find((candidate) => candidate.endsWith(`${scenario}.json`)) ?? '';
    await expect(Worker.runReplayHistory({ workflowBundle: mutated }, read(file))).rejects.toMatchObject({
      name: 'DeterminismViolationError',
      message: expect.stringContaining(activity),
    });
  });
});
