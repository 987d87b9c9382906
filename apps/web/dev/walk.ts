import { spawn } from 'node:child_process';
import path from 'node:path';
import { chromium, type Page } from '@playwright/test';

/** The ways through the app that only a browser knows, against the mock server: focus, Back, lost connection, session end, keys. */
const server = spawn(
  process.execPath,
  ['--conditions=tiny-forge-source', path.join(import.meta.dirname, 'mock-server.ts')],
  {
    stdio: ['ignore', 'pipe', 'inherit'],
  },
);
const base = await new Promise<string>((resolve) =>
  server.stdout.once('data', (data: Buffer) => resolve(data.toString().trim())),
);
const browser = await chromium.launch({
  executablePath: '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-dev-shm-usage'],
});
const guestbook = '/workloads/00000000-0000-4000-8000-000000000001';
let failed = 0;
const check = (what: string, is: boolean, more = '') => {
  if (!is) failed += 1;
  console.log(`${is ? 'ok  ' : 'FAIL'} ${what} ${more}`);
};
const focus = (page: Page) =>
  page.evaluate(
    () => `${document.activeElement?.tagName ?? ''} ${(document.activeElement?.textContent ?? '').trim().slice(0, 40)}`,
  );
const mock = (what: string) => fetch(`${base}/mock/${what}`, { method: 'POST' });

try {
  const page = await (await browser.newContext({ viewport: { width: 1280, height: 860 } })).newPage();
  page.setDefaultTimeout(90_000);
  page.on('console', (message) => {
    if (message.type() === 'error' && !/Failed to load resource|net::ERR/.test(message.text()))
      check('console', false, message.text());
  });
  page.on('pageerror', (error) => check('page error', false, error.message));

  await page.goto(`${base}${guestbook}`);
  await page.waitForURL(/login\?next=/);
  check('signed out: to the sign-in, the address kept', true);
  await page.getByLabel('Password').fill('wrong');
  await page.getByTestId('sign-in-submit').click();
  await page.getByText('User name or password is wrong.').waitFor();
  await page.getByLabel('Password').fill('right');
  await page.keyboard.press('Enter');
  await page.waitForURL(new RegExp(guestbook));
  await page.getByTestId('restore').first().waitFor();
  check('signed in: back where one wanted to be', true);

  // The dialog
  const opener = page.getByTestId('restore').first();
  await opener.focus();
  await page.keyboard.press('Enter');
  await page.getByTestId('plan').waitFor();
  check('dialog has an address', page.url().endsWith('/restore'));
  check('focus on the heading of the dialog', /^H1 Restore guestbook/.test(await focus(page)), await focus(page));
  await page.keyboard.press('Tab');
  for (let i = 0; i < 12; i += 1) {
    const inside = await page.evaluate(
      () => document.activeElement?.closest('dialog') !== null || document.activeElement === document.body,
    );
    if (!inside) check('focus stays in the dialog', false, await focus(page));
    await page.keyboard.press('Tab');
  }
  await page.keyboard.press('Escape');
  await page.waitForURL((url) => !url.pathname.endsWith('/restore'));
  await page.waitForTimeout(200);
  check('Esc closes, focus back on the opener', /^A Restore/.test(await focus(page)), await focus(page));

  // Restore, Back, Forward
  await opener.click();
  await page.getByTestId('plan').waitFor();
  await page.getByRole('checkbox').check();
  await page.getByTestId('confirm-word').fill(' Guestbook ');
  await page.keyboard.press('Enter');
  await page.waitForURL(/\/operations\//);
  const operation = page.url();
  await page.getByTestId('operation-page').waitFor();
  await page.goBack();
  await page.getByTestId('workload-page').waitFor();
  check('UX14 Back after submit leads to the app', page.url().endsWith(guestbook), page.url());
  await page.goForward();
  check('UX14 Forward shows the operation, submits nothing', page.url() === operation);
  await page.getByTestId('downtime').waitFor({ timeout: 90_000 });
  check('down since is shown', true, (await page.getByTestId('downtime').textContent())?.replace(/\s+/g, ' '));
  check('tab title', /Restor(e|ing) guestbook/.test(await page.title()), await page.title());
  await page.reload();
  await page.getByTestId('now').waitFor();
  check('UX15 reload shows NOW', true, (await page.getByTestId('now').textContent())?.replace(/\s+/g, ' '));

  // Session end in the middle
  await mock('expire');
  await page.getByText('Session ended; nothing was interrupted. Sign in.').waitFor({ timeout: 90_000 });
  check('UX19 session end: sign-in over the page, same address', page.url() === operation);
  await page.keyboard.press('Escape');
  await page.keyboard.press('Escape');
  await page.waitForTimeout(200);
  check('it stays', await page.getByTestId('sign-in').isVisible());
  await page.getByLabel('Password').fill('right');
  await page.getByTestId('sign-in-submit').click();
  await page.getByTestId('sign-in').waitFor({ state: 'detached' });
  check('UX19 signed in again, same place', page.url() === operation);
  await page.locator('[data-testid=outcome]', { hasText: 'Restored.' }).waitFor({ timeout: 90_000 });
  check('the restore went on and ended', true, (await page.getByTestId('result').textContent()) ?? '');

  // Restart of the server
  await page.goto(`${base}/workloads`);
  await page.getByTestId('workloads').waitFor();
  await page.waitForTimeout(500);
  await mock('starting');
  await page.locator('[data-testid=connection][data-state=starting]').waitFor({ timeout: 90_000 });
  check('restart: says that recovery comes first', true);
  await page.reload();
  await page.getByTestId('starting').getByText('recovery of interrupted restores').waitFor();
  check('reload while starting: waits', true);
  await mock('ready');
  await page.getByTestId('workloads').waitFor({ timeout: 90_000 });
  check('and goes on by itself', true);
  await mock('starting');
  await page.locator('[data-testid=connection][data-state=starting]').waitFor({ timeout: 90_000 });
  await mock('ready');
  await page.locator('[data-testid=connection][data-state=restarted]').waitFor({ timeout: 90_000 });
  check('reconnected; the server had restarted', true);

  // Keys
  await page.locator('body').click({ position: { x: 700, y: 5 } });
  await page.keyboard.press('g');
  await page.keyboard.press('o');
  await page.waitForURL(/\/operations/);
  await page.keyboard.press('g');
  await page.keyboard.press('s');
  await page.waitForURL(/\/system/);
  await page.keyboard.press('?');
  await page.getByRole('dialog').waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  await page.keyboard.press('g');
  await page.keyboard.press('w');
  await page.waitForURL(/\/workloads/);
  await page.getByTestId('workloads').waitFor();
  await page.keyboard.press('/');
  check('keys', /^INPUT/.test(await focus(page)), await focus(page));

  // Silence
  await mock('mute');
  await page.goto(operation.replace(/[^/]+$/, '00000000-0000-4000-8000-000000000011'));
  await page.getByTestId('retry-step').waitFor();
  await page.context().setOffline(true);
  await page.locator('[data-testid=connection][data-state=stale]').waitFor({ timeout: 120_000 });
  check('UX17 stale within 25 s, buttons off', await page.getByTestId('retry-step').isDisabled());
} finally {
  await browser.close();
  server.kill();
}
console.log(failed === 0 ? 'all ways open' : `${String(failed)} failed`);
process.exitCode = failed === 0 ? 0 : 1;
