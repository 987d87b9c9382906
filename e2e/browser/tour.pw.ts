import type { Page } from '@playwright/test';
import type { Snapshot } from '@tiny-forge/contracts/domain';
import { PASSWORD } from '../src/harness/stack.ts';
import { expect, picture, test, type Forge } from './forge.ts';

const NAME = 'A visitor';
const ENTRY = 'I read the README and came to see whether it is true.';

async function guestbook(page: Page, forge: Forge): Promise<Page> {
  const app = await page.context().newPage();
  await app.goto(forge.demoUrl);
  return app;
}

test.describe('the tour of the README', () => {
  test('open, snapshot, wreck, restore, see the entries again', async ({ page, forge }) => {
    await page.goto(forge.url('/'));
    await page.locator('input[name=username]').fill('admin');
    await page.locator('input[name=password]').fill(PASSWORD);
    await picture(page, 'tour-1-sign-in');
    await page.getByTestId('sign-in-submit').click();
    await expect(page).toHaveURL(/\/workloads$/);
    await expect(page.getByTestId('demo-card')).toBeVisible();
    await expect(page.getByTestId('workloads')).toContainText('guestbook');
    await picture(page, 'tour-2-workloads');

    const app = await guestbook(page, forge);
    await expect(app.locator('body')).toContainText(/guestbook/i);
    const before = await app.locator('article').count();
    expect(before).toBeGreaterThan(0);
    await app.getByLabel('Your name').fill(NAME);
    await app.getByLabel(/leave here/).fill(ENTRY);
    await app.getByRole('button', { name: 'Sign the guestbook' }).click();
    await expect(app.locator('article')).toHaveCount(before + 1);
    await expect(app.locator('body')).toContainText(ENTRY);
    await picture(app, 'tour-3-guestbook');

    await page.getByTestId('demo-card').getByRole('link', { name: 'Go to guestbook' }).click();
    await expect(page.getByTestId('workload-page')).toBeVisible();
    await expect(page.getByTestId('now')).toHaveAttribute('data-app', 'running');
    await page.getByTestId('snapshot-note').fill('before the accident');
    await page.getByTestId('take-snapshot').click();
    const snapshot = page.getByTestId('snapshots').getByRole('row').filter({ hasText: 'before the accident' });
    await expect(snapshot.getByTestId('restore')).toBeEnabled();
    await picture(page, 'tour-4-snapshot');

    await app.getByRole('button', { name: 'Wreck the data' }).click();
    await expect(app.locator('article')).toHaveCount(0);
    await picture(app, 'tour-5-wrecked');

    await snapshot.getByTestId('restore').click();
    await expect(page.getByTestId('restore-dialog')).toBeVisible();
    await expect(page.getByTestId('plan')).toBeVisible();
    await expect(page.getByTestId('restore-submit')).toBeDisabled();
    await page.getByTestId('confirm-word').fill('guestbook');
    await picture(page, 'tour-6-plan');
    await page.getByTestId('restore-submit').click();
    await expect(page).toHaveURL(/\/operations\//);
    await expect(page.getByTestId('steps')).toBeVisible();
    await picture(page, 'tour-7-restoring');
    await expect(page.getByTestId('operation-page')).toHaveAttribute('data-state', 'SUCCEEDED', { timeout: 60_000 });
    await expect(page.getByTestId('now')).toHaveAttribute('data-app', 'running');
    await picture(page, 'tour-8-restored');

    await app.reload();
    await expect(app.locator('article')).toHaveCount(before + 1);
    await expect(app.locator('body')).toContainText(ENTRY);
    await picture(app, 'tour-9-entries-again');

    // Back leads to the app, not to the dialog; the card on the first page is ticked by what really ran.
    await page.goBack();
    await expect(page.getByTestId('workload-page')).toBeVisible();
    await page.goto(forge.url('/workloads'));
    for (const step of ['open', 'snapshot', 'wreck', 'restore']) {
      await expect(page.locator(`[data-step=${step}]`)).toHaveAttribute('data-done', 'true');
    }
    const { items } = (await forge.stack.api.get<{ items: Snapshot[] }>(`/api/workloads/${forge.demo.id}/snapshots`))
      .body;
    expect(items.map((each) => each.kind).sort()).toEqual(['manual', 'pre-restore']);
  });
});
