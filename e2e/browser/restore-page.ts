import type { Page } from '@playwright/test';
import { expect, type Forge } from './forge.ts';
import { TestWorkload } from '../src/harness/test-workload.ts';

/** Deaf to SIGTERM: its restores stay in `stop` for so many seconds. */
export const deaf = (seconds: number): Record<string, unknown> => ({
  env: { IGNORE_TERM: '1' },
  stopTimeoutSeconds: seconds,
});

/** Opens the restore dialog of a snapshot by its address and waits for the plan. */
export async function openDialog(forge: Forge, page: Page, app: TestWorkload, snapshotId: string): Promise<void> {
  await page.goto(forge.url(`/workloads/${app.id}/snapshots/${snapshotId}/restore`));
  await expect(page.getByTestId('plan')).toBeVisible();
}

/** Types the word that the page asks for and ticks what it wants read. */
export async function confirm(page: Page): Promise<void> {
  const warnings = page.getByTestId('warnings').getByRole('checkbox');
  for (let i = 0; i < (await warnings.count()); i++) await warnings.nth(i).check();
  const word = await page.locator('.confirm label bdi').innerText();
  await page.getByTestId('confirm-word').fill(word);
  await expect(page.getByTestId('restore-submit')).toBeEnabled();
}

/** A restore begun from the page; resolves on the operation's page with its id. */
export async function submitRestore(forge: Forge, page: Page, app: TestWorkload, snapshotId: string): Promise<string> {
  await openDialog(forge, page, app, snapshotId);
  await confirm(page);
  await page.getByTestId('restore-submit').click();
  await expect(page).toHaveURL(/\/operations\//);
  await expect(page.getByTestId('operation-page')).toBeVisible();
  return forge.operationIn(page);
}

export async function restoresOf(app: TestWorkload): Promise<number> {
  return app.stack.query(`select id from operations where kind = 'restore' and workload_id = ?`, app.id).length;
}

/** What the page says once it says `expected`, or after 5 s. */
export async function settledNow(
  page: Page,
  expected: { app: string; data: string },
): Promise<{ app: string | null; data: string | null }> {
  const now = page.getByTestId('now');
  const said = now.and(page.locator(`[data-app="${expected.app}"][data-data="${expected.data}"]`));
  await said.waitFor({ timeout: 5_000 }).catch(() => undefined);
  return nowOf(page);
}

/** What the page says of the state of the app and the data. */
export async function nowOf(page: Page): Promise<{ app: string | null; data: string | null }> {
  const now = page.getByTestId('now');
  return { app: await now.getAttribute('data-app'), data: await now.getAttribute('data-data') };
}
