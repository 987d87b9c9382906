import { isEnded } from '@tiny-forge/contracts/domain';
import { PASSWORD } from '../src/harness/stack.ts';
import { TestWorkload } from '../src/harness/test-workload.ts';
import { sleep } from '../src/harness/waiting.ts';
import { expect, Forge, test } from './forge.ts';
import { deaf, nowOf, settledNow, submitRestore } from './restore-page.ts';
import { Wire } from './wire.ts';

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
        const told = { app: operation.situation.app, data: operation.situation.data };
        // The stream may be a moment behind the answer just read, or ahead of it.
        const before = await settledNow(page, told);
        await page.reload();
        await expect(page.getByTestId('now')).toBeVisible();
        const after = await nowOf(page);
        const now = await forge.stack.operation(operationId);
        // Where nothing moved on between the looks, all three must agree.
        if (now.revision === operation.revision) {
          expect(before, running).toEqual(told);
          expect(after, running).toEqual(told);
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

  test('UX18 the network cut for 60 s heals without a reload', async ({ forge, page }) => {
    test.setTimeout(240_000);
    const wire = await Wire.to(forge.stack.port);
    // Cookies know no ports: the session is good on this way too.
    const far = new Forge(forge.stack, forge.demo, wire.port);
    const { app, snapshotId } = await TestWorkload.withSnapshot(forge.stack, deaf(6));
    const operationId = await submitRestore(far, page, app, snapshotId);
    await page.evaluate(() => Object.assign(window, { notReloaded: true }));
    wire.cut();
    await sleep(60_000);
    await expect(page.getByTestId('connection')).toHaveAttribute('data-state', 'stale');
    await expect(page.getByTestId('operation-page')).not.toHaveAttribute('data-state', 'SUCCEEDED');
    wire.mend();
    const operation = await forge.until(operationId);
    await expect(page.getByTestId('operation-page')).toHaveAttribute('data-state', operation.state, {
      timeout: 20_000,
    });
    expect(await page.evaluate(() => 'notReloaded' in window)).toBe(true);
    await wire.close();
  });

  test('a start whose scripts are cut off tries again, and says so', async ({ forge, page }) => {
    let left = 2;
    await page.route('**/_app/immutable/**/*.js', (route) => (left > 0 ? route.abort('failed') : route.continue()));
    page.on('load', () => (left -= 1));
    await page.goto(forge.url('/workloads'));
    await expect(page.getByTestId('load-failed')).toHaveText(/trying again/);
    await expect(page.getByTestId('workloads')).toBeVisible();
    await expect(page.getByTestId('load-failed')).toHaveCount(0);
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
