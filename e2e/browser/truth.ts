import { expect } from '@playwright/test';
import type { TestWorkload } from '../src/harness/test-workload.ts';

/** The old data is back and the app is up with its policy. */
export async function expectAsBefore(app: TestWorkload): Promise<void> {
  expect(app.generations()).toEqual(['live']);
  expect(app.leftovers()).toEqual([]);
  expect((await app.running()).HostConfig.RestartPolicy.Name).toBe('unless-stopped');
}
