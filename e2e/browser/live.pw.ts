import { isEnded } from '@tiny-forge/contracts/domain';
import { PASSWORD } from '../src/harness/stack.ts';
import { TestWorkload } from '../src/harness/test-workload.ts';
import { sleep } from '../src/harness/waiting.ts';
import { expect, test } from './forge.ts';
import { deaf, nowOf, submitRestore } from './restore-page.ts';

test.describe('what is shown is the truth', () => {
  test.beforeEach(async ({ forge, page }) => {
    await forge.signIn(page);
  });

  test('UX15 a reload in each step and state shows the same NOW', async ({ forge, page }) => {
    const { app, snapshotId } = await TestWorkload.withSnapshot(forge.stack, deaf(8));
    const operationId = await submitRestore(forge, page, app, snapshotId);
    const seen = new Set<string>();
    for (;;) {
      const operation = await forge.stack.operation(operationId);
      const running = operation.steps.find((step) => step.state === 'RUNNING')?.name ?? operation.state;
      if (!seen.has(running)) {
        const before = await nowOf(page);
        await page.reload();
        await expect(page.getByTestId('now')).toBeVisible();
        const after = await nowOf(page);
        const now = await forge.stack.operation(operationId);
        // Where nothing moved on between the looks, all three must agree.
        if (now.revision === operation.revision) {
          expect(after, running).toEqual(before);
          expect(after, running).toEqual({ app: now.situation.app, data: now.situation.data });
          seen.add(running);
        }
      }
      if (isEnded(operation.state) && seen.has(operation.state)) break;
    }
    expect([...seen]).toEqual(expect.arrayContaining(['stop', 'SUCCEEDED']));
  });

  test('UX16 a browser clock that is an hour off tells right durations', async ({ forge, browser }) => {
    const context = await browser.newContext();
    const page = await context.newPage();
    await page.clock.install({ time: Date.now() + 3_600_000 });
    await forge.signIn(page);
    const { app, snapshotId } = await TestWorkload.withSnapshot(forge.stack, deaf(8));
    const operationId = await submitRestore(forge, page, app, snapshotId);
    await forge.until(operationId, 'stops the app', (operation) => operation.steps[2]?.state === 'RUNNING');
    await expect(page.locator('[data-step=stop]')).toHaveAttribute('data-state', 'RUNNING');
    const text = await page.locator('[data-step=stop] .facts').innerText();
    const seconds = Number(/([\d.]+)\s*s/.exec(text)?.[1]);
    expect(text).not.toMatch(/min|h/);
    expect(seconds).toBeLessThan(12);
    await forge.until(operationId);
    await context.close();
  });

  test('UX17 the server killed in a restore: stale within 25 s, reconnected, the truth', async ({ forge, page }) => {
    const { app, snapshotId } = await TestWorkload.withSnapshot(forge.stack, deaf(4));
    const operationId = await submitRestore(forge, page, app, snapshotId);
    await expect(page.locator('[data-step=stop]')).toHaveAttribute('data-state', 'RUNNING');
    await forge.stack.kill();
    await expect(page.getByTestId('connection')).toHaveAttribute('data-state', 'stale', { timeout: 27_000 });
    const buttons = page.getByTestId('operation-page').locator('button[data-testid]');
    for (let i = 0; i < (await buttons.count()); i++) await expect(buttons.nth(i)).toBeDisabled();
    await forge.stack.up();
    await expect(page.getByTestId('connection')).toHaveAttribute('data-state', 'restarted', { timeout: 30_000 });
    const operation = await forge.until(operationId);
    await expect(page.getByTestId('operation-page')).toHaveAttribute('data-state', operation.state);
    expect(await nowOf(page)).toEqual({ app: operation.situation.app, data: operation.situation.data });
  });

  test('UX18 the network cut for 60 s heals without a reload', async ({ forge, page, context }) => {
    test.setTimeout(180_000);
    const { app, snapshotId } = await TestWorkload.withSnapshot(forge.stack, deaf(4));
    const operationId = await submitRestore(forge, page, app, snapshotId);
    await page.evaluate(() => Object.assign(window, { notReloaded: true }));
    await context.setOffline(true);
    await sleep(60_000);
    await expect(page.getByTestId('connection')).toHaveAttribute('data-state', 'stale');
    await context.setOffline(false);
    const operation = await forge.until(operationId);
    await expect(page.getByTestId('operation-page')).toHaveAttribute('data-state', operation.state, {
      timeout: 20_000,
    });
    expect(await page.evaluate(() => 'notReloaded' in window)).toBe(true);
  });

  test('UX19 the session revoked in the middle of a restore: sign in over the page, same place', async ({
    forge,
    page,
    context,
  }) => {
    const { app, snapshotId } = await TestWorkload.withSnapshot(forge.stack, deaf(4));
    const operationId = await submitRestore(forge, page, app, snapshotId);
    const cookies = await context.cookies();
    const revoked = await page.evaluate(async () => {
      const me = (await (await fetch('/api/auth/me')).json()) as { csrfToken: string };
      return (await fetch('/api/auth/logout', { method: 'POST', headers: { 'x-csrf-token': me.csrfToken } })).status;
    });
    expect(revoked).toBeLessThan(300);
    expect(cookies.length).toBeGreaterThan(0);
    const signIn = page.getByTestId('sign-in');
    await expect(signIn).toBeVisible({ timeout: 60_000 });
    await expect(page.getByTestId('operation-page')).toBeAttached();
    await page.locator('input[name=password]').fill(PASSWORD);
    await page.getByTestId('sign-in-submit').click();
    await expect(signIn).toBeHidden();
    expect(forge.operationIn(page)).toBe(operationId);
    const operation = await forge.until(operationId);
    expect(operation.state).toBe('SUCCEEDED');
    await expect(page.getByTestId('operation-page')).toHaveAttribute('data-state', 'SUCCEEDED');
  });
});
