import type { Page } from '@playwright/test';
import { PASSWORD } from '../src/harness/stack.ts';
import { TestWorkload } from '../src/harness/test-workload.ts';
import { expect, test } from './forge.ts';

interface Focus {
  readonly here: boolean;
  readonly seen: boolean;
}

/** Tabs until the element has the focus; the focus must be seen on every stop of the way. */
async function tabTo(page: Page, selector: string): Promise<void> {
  for (let press = 0; press < 80; press++) {
    await page.keyboard.press('Tab');
    const { here, seen } = await focusOf(page, selector);
    expect(seen, `focus is seen on the way to ${selector}`).toBe(true);
    if (here) return;
  }
  throw new Error(`the keyboard does not reach ${selector}`);
}

async function focusOf(page: Page, selector: string): Promise<Focus> {
  try {
    return await page.evaluate((wanted) => {
      const element = document.activeElement;
      if (element === null || element === document.body) return { here: false, seen: true };
      const style = getComputedStyle(element);
      const seen = (style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0) || style.boxShadow !== 'none';
      return { here: element.matches(wanted), seen: seen || element.tagName === 'DIALOG' };
    }, selector);
  } catch (error) {
    // Docker made an interface, Chromium cut what was loading, and the page loaded itself again: the way begins at its top.
    if (!String(error).includes('Execution context was destroyed')) throw error;
    await page.waitForFunction(() => document.documentElement.dataset['started'] !== undefined);
    return { here: false, seen: true };
  }
}

test('UX3 the tour by keyboard alone, focus seen', async ({ forge, page }) => {
  const { app } = await TestWorkload.withSnapshot(forge.stack);
  const name = (await forge.stack.api.get<{ name: string }>(app.path)).body.name;
  await page.goto(forge.url('/login'));
  await tabTo(page, 'input[name=username]');
  await page.keyboard.press('Control+A');
  await page.keyboard.type('admin');
  await tabTo(page, 'input[name=password]');
  await page.keyboard.type(PASSWORD);
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(/\/workloads/);
  await expect(page.locator(`a[href="/workloads/${app.id}"]`).first()).toBeVisible();
  await tabTo(page, `a[href="/workloads/${app.id}"]`);
  await page.keyboard.press('Enter');
  await expect(page.getByTestId('workload-page')).toBeVisible();
  await tabTo(page, '[data-testid=snapshot-note]');
  await page.keyboard.type('by keyboard');
  await page.keyboard.press('Enter');
  await expect(
    page.getByTestId('snapshots').getByRole('row').filter({ hasText: 'by keyboard' }).getByTestId('restore'),
  ).toBeEnabled();
  await tabTo(page, '[data-testid=restore]');
  await page.keyboard.press('Enter');
  await expect(page.getByTestId('plan')).toBeVisible();
  await tabTo(page, '[data-testid=confirm-word]');
  await page.keyboard.type(name);
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(/\/operations\//);
  await expect(page.getByTestId('operation-page')).toHaveAttribute('data-state', 'SUCCEEDED', { timeout: 60_000 });
});
