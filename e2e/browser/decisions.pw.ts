import fs from 'node:fs';
import path from 'node:path';
import { TestWorkload } from '../src/harness/test-workload.ts';
import { expect, expectAccessible, expectNoSidewaysScroll, picture, test, WAIT_SECONDS, type Forge } from './forge.ts';
import { submitRestore } from './restore-page.ts';
import { expectAsBefore } from './truth.ts';

/** A snapshot of data on which the app does not become healthy. */
async function unwell(forge: Forge): Promise<{ app: TestWorkload; snapshotId: string }> {
  const app = await TestWorkload.create(forge.stack, {
    health: { type: 'http', port: 8080, path: '/cgi-bin/health', timeoutSeconds: 2, intervalSeconds: 1 },
  });
  app.write('snap');
  await app.deploy();
  fs.writeFileSync(path.join(app.directories[0] ?? '', 'unhealthy'), 'snap\n');
  const snapshotId = await app.snapshot();
  app.write('live');
  return { app, snapshotId };
}

test.describe('a failed step waits for a person', () => {
  let app: TestWorkload;
  let snapshotId: string;
  let operationId: string;

  test.beforeEach(async ({ forge, page }) => {
    ({ app, snapshotId } = await unwell(forge));
    await forge.signIn(page);
    operationId = await submitRestore(forge, page, app, snapshotId);
    await expect(page.getByTestId('operation-page')).toHaveAttribute('data-state', 'WAITING', { timeout: 60_000 });
  });

  test('UX20 the countdown goes back by itself; UX21 reason, down time, old data, app up', async ({ forge, page }) => {
    await expect(page.getByTestId('countdown')).toBeVisible();
    await expect(page.getByTestId('operation-error')).toHaveAttribute('data-code', 'APP_UNHEALTHY');
    await expectAccessible(page);
    await picture(page, 'waiting');
    await page.setViewportSize({ width: 320, height: 640 });
    await expectNoSidewaysScroll(page);
    await expect(page.getByTestId('operation-page')).toHaveAttribute('data-state', 'ROLLED_BACK', {
      timeout: (WAIT_SECONDS + 40) * 1_000,
    });
    await expect(page.getByTestId('result')).toContainText('Not restored; all is as before.');
    await expect(page.getByTestId('operation-error')).toHaveAttribute('data-code', 'APP_UNHEALTHY');
    await expect(page.getByTestId('operation-page')).toContainText(/down/i);
    await expect(page.getByTestId('now')).toHaveAttribute('data-app', 'running');
    await expect(page.getByTestId('now')).toHaveAttribute('data-data', 'current');
    await expectAccessible(page);
    expect((await forge.until(operationId)).state).toBe('ROLLED_BACK');
    await expectAsBefore(app);
  });

  test('UX20 Go back now goes back at once', async ({ forge, page }) => {
    await page.getByTestId('abort').click();
    await expect(page.getByTestId('operation-page')).toHaveAttribute('data-state', 'ROLLED_BACK', { timeout: 30_000 });
    await forge.until(operationId);
    await expectAsBefore(app);
  });

  test('UX20 Try step again succeeds once the cause is gone', async ({ forge, page }) => {
    fs.rmSync(path.join(app.directories[0] ?? '', 'unhealthy'));
    await page.getByTestId('retry-step').click();
    await expect(page.getByTestId('operation-page')).toHaveAttribute('data-state', 'SUCCEEDED', { timeout: 60_000 });
    await forge.until(operationId);
    expect(app.generations()).toEqual(['snap']);
  });
});
