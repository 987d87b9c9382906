import { TestWorkload } from '../src/harness/test-workload.ts';
import { sleep } from '../src/harness/waiting.ts';
import { expect, test } from './forge.ts';
import { confirm, deaf, openDialog, restoresOf, submitRestore } from './restore-page.ts';

test.describe('one yes is one restore', () => {
  let app: TestWorkload;
  let snapshotId: string;

  test.beforeEach(async ({ forge, page }) => {
    ({ app, snapshotId } = await TestWorkload.withSnapshot(forge.stack, deaf(2)));
    await forge.signIn(page);
  });

  test('UX11 a double click is one operation', async ({ forge, page }) => {
    await openDialog(forge, page, app, snapshotId);
    await confirm(page);
    await page.getByTestId('restore-submit').dblclick();
    await expect(page).toHaveURL(/\/operations\//);
    await forge.until(forge.operationIn(page));
    expect(await restoresOf(app)).toBe(1);
  });

  test('UX11 Enter twice is one operation', async ({ forge, page }) => {
    await openDialog(forge, page, app, snapshotId);
    await confirm(page);
    await page.getByTestId('confirm-word').focus();
    await page.keyboard.press('Enter');
    await page.keyboard.press('Enter');
    await expect(page).toHaveURL(/\/operations\//);
    await forge.until(forge.operationIn(page));
    expect(await restoresOf(app)).toBe(1);
  });

  test('UX11 an answer that is lost and a second press are one operation', async ({ forge, page }) => {
    await openDialog(forge, page, app, snapshotId);
    await confirm(page);
    let lost = 0;
    await page.route('**/restore', async (route) => {
      if (route.request().method() !== 'POST' || lost > 0) return route.fallback();
      lost += 1;
      // The server hears it; the page never learns.
      await route.fetch();
      return route.abort('connectionreset');
    });
    await page.getByTestId('restore-submit').click();
    await expect(page.getByTestId('restore-dialog').getByTestId('error')).toBeVisible();
    expect(lost).toBe(1);
    await page.getByTestId('restore-submit').click();
    await expect(page).toHaveURL(/\/operations\//);
    await forge.until(forge.operationIn(page));
    expect(await restoresOf(app)).toBe(1);
  });

  test('UX12 a second tab is refused with a link to the running one', async ({ forge, page }) => {
    const second = await page.context().newPage();
    await openDialog(forge, second, app, snapshotId);
    await confirm(second);
    const operationId = await submitRestore(forge, page, app, snapshotId);
    await second.getByTestId('restore-submit').click();
    const error = second.getByTestId('restore-dialog').getByTestId('error');
    await expect(error).toHaveAttribute('data-code', 'OPERATION_IN_PROGRESS');
    await error.getByRole('link').click();
    await expect(second).toHaveURL(new RegExp(operationId));
    await forge.until(operationId);
    expect(await restoresOf(app)).toBe(1);
  });

  test('UX13 a config edited meanwhile: 412, the change is marked, the word is cleared', async ({ forge, page }) => {
    await openDialog(forge, page, app, snapshotId);
    await confirm(page);
    const workload = (await forge.stack.api.get<{ volumes: { target: string }[] }>(app.path)).body;
    const volumes = workload.volumes.filter((volume) => volume.target !== '/shared');
    const patched = await forge.stack.api.patch(app.path, {
      volumes: volumes.map((volume) => {
        const { scope, source, target } = volume as { scope: string; source: string; target: string };
        return { scope, source, target };
      }),
    });
    expect(patched.status).toBe(200);
    await page.getByTestId('restore-submit').click();
    await expect(page.getByTestId('restore-dialog').getByTestId('error').first()).toHaveAttribute(
      'data-code',
      /PLAN_CHANGED|RESTORE_BLOCKED/,
    );
    await expect(page.locator('.changed').first()).toBeVisible();
    await expect(page.getByTestId('restore-submit')).toBeDisabled();
    expect(await restoresOf(app)).toBe(0);
  });

  test('UX14 Back after the submit leads to the app, Forward submits nothing', async ({ forge, page }) => {
    await page.goto(forge.url(`/workloads/${app.id}`));
    await page.getByTestId('snapshots').getByTestId('restore').first().click();
    await expect(page.getByTestId('plan')).toBeVisible();
    await confirm(page);
    await page.getByTestId('restore-submit').click();
    await expect(page).toHaveURL(/\/operations\//);
    const operationId = forge.operationIn(page);
    await page.goBack();
    await expect(page).toHaveURL(new RegExp(`/workloads/${app.id}$`));
    await page.goForward();
    await expect(page).toHaveURL(new RegExp(operationId));
    await forge.until(operationId);
    await sleep(1_000);
    expect(await restoresOf(app)).toBe(1);
  });
});
