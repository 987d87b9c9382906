import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import type { Page } from '@playwright/test';
import type { Snapshot } from '@tiny-forge/contracts/domain';
import { archiveOf } from '../src/harness/archives.ts';
import { generationsIn } from '../src/harness/generations.ts';
import { TestWorkload } from '../src/harness/test-workload.ts';
import { handmadeTar, importFiles } from '../src/harness/uploads.ts';
import { expect, expectAccessible, expectNoSidewaysScroll, test, type Forge } from './forge.ts';
import { confirm, openDialog } from './restore-page.ts';

const NOT_UTF8 = Buffer.from([0x62, 0x61, 0x64, 0xff]);
const CONTENT = randomBytes(300_000);
const ONE_VOLUME = { volumes: [{ scope: 'stage', source: 'data', target: '/data' }] };

let app: TestWorkload;
let snapshotId: string;

async function madeApp(forge: Forge): Promise<void> {
  app = await TestWorkload.create(forge.stack);
  app.write('snap');
  const live = app.directories[0] ?? '';
  const inner = path.join(live, 'deep', 'er');
  fs.writeFileSync(path.join(inner, 'report.bin'), CONTENT);
  fs.writeFileSync(Buffer.concat([Buffer.from(`${inner}/`), NOT_UTF8]), 'bytes');
  fs.writeFileSync(path.join(inner, 'in\u202evoice\u001b[31m.exe'), 'x');
  fs.writeFileSync(path.join(inner, 'n'.repeat(250)), 'x');
  fs.symlinkSync('/etc/passwd', path.join(inner, 'link'));
  fs.mkdirSync(path.join(live, 'many'));
  for (let i = 0; i < 230; i++) fs.writeFileSync(path.join(live, 'many', `f${i}`), '');
  await app.deploy();
  snapshotId = await app.snapshot();
}

async function snapshotOf(page: Page): Promise<Snapshot[]> {
  await expect(page.getByTestId('operation-page')).toHaveAttribute('data-state', 'SUCCEEDED', { timeout: 60_000 });
  return (await app.snapshots()).filter(({ kind }) => kind === 'imported');
}

test.describe('the data of a snapshot', () => {
  test.beforeAll(async ({ forge }) => {
    await madeApp(forge);
  });

  const place = (query = ''): string => `/workloads/${app.id}/snapshots/${snapshotId}${query}`;
  const folder = (page: Page, name: string) => page.getByTestId('folder').filter({ hasText: new RegExp(`^${name}$`) });
  const row = (page: Page, name: RegExp) => page.getByTestId('entries').getByRole('row').filter({ hasText: name });

  test('is walked folder by folder; the address, reload and Back know where one is', async ({ page, forge }) => {
    await forge.signIn(page, place());
    await expect(page.getByTestId('entries')).toContainText('token');
    await folder(page, 'deep').click();
    await expect(page).toHaveURL(/\?volume=0&path=deep$/);
    await folder(page, 'er').click();
    await expect(page).toHaveURL(/\?volume=0&path=deep\/er$/);
    await expect(row(page, /report\.bin/)).toContainText('293 KiB');
    await page.reload();
    await expect(row(page, /report\.bin/)).toBeVisible();
    await page.goBack();
    await expect(folder(page, 'er')).toBeVisible();
    await page.getByTestId('crumbs').getByRole('link', { name: '/data' }).click();
    await folder(page, 'many').click();
    await expect(page.getByTestId('entries').getByRole('row')).toHaveCount(201);
    await page.getByTestId('more-entries').click();
    await expect(page.getByTestId('entries').getByRole('row')).toHaveCount(231);
    await page.getByRole('link', { name: '/files' }).click();
    await expect(page).toHaveURL(/\?volume=2$/);
    await expect(page.getByTestId('entries')).toContainText('token');
  });

  test('shows names that would mislead as they are, links as links, and holds its layout', async ({ page, forge }) => {
    await page.setViewportSize({ width: 320, height: 640 });
    await forge.signIn(page, place('?volume=0&path=deep/er'));
    const table = page.getByTestId('entries');
    await expect(table).toContainText('bad\\xff');
    await expect(table).toContainText('in\\u{202e}voice\\u{1b}[31m.exe');
    expect(await table.innerText()).not.toMatch(/[\u202e\u001b]/);
    await expect(row(page, /passwd/)).toContainText('leads to /etc/passwd; not followed');
    await expect(row(page, /passwd/).getByTestId('download')).toHaveCount(0);
    await expectNoSidewaysScroll(page);
  });

  test('one file and the whole archive come down as they are', async ({ page, forge }) => {
    await forge.signIn(page, place('?volume=0&path=deep/er'));
    const [one] = await Promise.all([
      page.waitForEvent('download'),
      row(page, /report\.bin/)
        .getByTestId('download')
        .click(),
    ]);
    expect(one.suggestedFilename()).toBe('report.bin');
    expect(fs.readFileSync(await one.path()).equals(CONTENT)).toBe(true);
    const [bytes] = await Promise.all([
      page.waitForEvent('download'),
      row(page, /bad/).getByTestId('download').click(),
    ]);
    expect(fs.readFileSync(await bytes.path(), 'utf8')).toBe('bytes');
    const [archive] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('link', { name: 'Download the archive' }).click(),
    ]);
    const file = archiveOf(forge.stack.dataDir, snapshotId);
    expect(fs.readFileSync(await archive.path()).equals(fs.readFileSync(file))).toBe(true);
  });

  test('by keyboard: into a folder, up, and to a download; the focus is never lost', async ({ page, forge }) => {
    await forge.signIn(page, place());
    await expect(folder(page, 'deep')).toBeVisible();
    await folder(page, 'deep').focus();
    await page.keyboard.press('Enter');
    await expect(page).toHaveURL(/path=deep$/);
    await expect(page.locator('h3:focus')).toHaveText(/deep/);
    await page.keyboard.press('Tab');
    await expect(page.getByTestId('folder-up')).toBeFocused();
    await page.keyboard.press('Tab');
    await expect(folder(page, 'er')).toBeFocused();
    await page.keyboard.press('Shift+Tab');
    await page.keyboard.press('Enter');
    await expect(page).toHaveURL(/\?volume=0$/);
    await expect(page.locator('h3:focus')).toHaveCount(1);
  });

  test('an archive downloaded is uploaded again, imported and restored from the page', async ({
    page,
    forge,
  }, info) => {
    const upload = info.outputPath('backup.tar.zst');
    fs.copyFileSync(archiveOf(forge.stack.dataDir, snapshotId), upload);
    app.write('live');
    await forge.signIn(page, `/workloads/${app.id}`);
    await page.getByTestId('import-open').click();
    await expect(page.getByTestId('import-submit')).toBeDisabled();
    await page.getByTestId('import-file').setInputFiles(upload);
    await expect(page.getByTestId('profile-tiny-forge')).toBeChecked();
    await page.getByTestId('import-links').check();
    await page.getByTestId('import-note').fill('from the other machine');
    await expectAccessible(page);
    await page.getByTestId('import-submit').click();
    await expect(page).toHaveURL(/\/operations\//);
    // A link to /etc/passwd leads out of its volume: all of it is refused.
    await expect(page.getByTestId('operation-page')).toHaveAttribute('data-state', 'FAILED', { timeout: 60_000 });
    await expect(page.getByTestId('operation-error')).toContainText('The archive was refused as a whole');
    await expect(page.getByTestId('operation-error')).toContainText('deep/er/link');
    await expectAccessible(page);

    const tar = info.outputPath('backup.tar');
    const [, , files = ''] = app.directories;
    const list = app.directories.map((_folder, index) => ({
      index,
      ...VOLUMES[index],
      source: index === 2 ? files : VOLUMES[index]?.source,
    }));
    const folderOf = info.outputPath('tree');
    for (const { index } of list) {
      fs.mkdirSync(path.join(folderOf, String(index)), { recursive: true });
      fs.writeFileSync(path.join(folderOf, String(index), 'token'), 'imported\n');
    }
    fs.writeFileSync(path.join(folderOf, 'manifest.json'), JSON.stringify(list));
    execFileSync('tar', ['-cf', tar, '-C', folderOf, 'manifest.json', '0', '1', '2']);
    await page.goto(forge.url(`/workloads/${app.id}`));
    await page.getByTestId('import-open').click();
    await page.getByTestId('import-file').setInputFiles(tar);
    await expect(page.getByTestId('profile-tar')).toBeChecked();
    await page.getByTestId('import-submit').click();
    await expect(page).toHaveURL(/\/operations\//);
    const [snapshot] = await snapshotOf(page);
    await page.getByRole('link', { name: 'Open', exact: true }).click();
    await expect(page.getByTestId('snapshot-page')).toContainText('imported');
    await openDialog(forge, page, app, snapshot?.id ?? '');
    await confirm(page);
    await page.getByTestId('restore-submit').click();
    await expect(page.getByTestId('operation-page')).toHaveAttribute('data-state', 'SUCCEEDED', { timeout: 60_000 });
    expect(app.directories.map((directory) => generationsIn(directory))).toEqual(Array(3).fill(['imported']));
  });

  test('an upload shows its way, can be cancelled, and leaves nothing', async ({ page, forge }, info) => {
    const large = info.outputPath('large.tar');
    fs.writeFileSync(large, randomBytes(64 * 1024 * 1024));
    await forge.signIn(page, `/workloads/${app.id}`);
    const network = await page.context().newCDPSession(page);
    await network.send('Network.enable');
    const slow = { offline: false, latency: 0, downloadThroughput: -1, uploadThroughput: 2 * 1024 * 1024 };
    await network.send('Network.emulateNetworkConditions', slow);
    await page.getByTestId('import-open').click();
    await page.getByTestId('import-file').setInputFiles(large);
    await page.getByTestId('import-submit').click();
    await expect(page.getByTestId('progress')).toBeVisible();
    await expect(page.getByTestId('progress')).toContainText(/of 64\sMiB/);
    await page.keyboard.press('Escape');
    await expect(page.getByTestId('upload-cancel')).toBeVisible();
    await page.getByTestId('upload-cancel').click();
    await expect(page.getByTestId('upload-cancelled')).toBeVisible();
    await expect.poll(() => importFiles(forge.stack.dataDir)).toEqual([]);
    expect(forge.stack.query(`select id from operations where kind = 'import' and ended_at is null`)).toEqual([]);
    await network.send('Network.emulateNetworkConditions', { ...slow, uploadThroughput: -1 });
  });

  test('a refusal of the server stands in the dialog, and what was chosen stays', async ({ page, forge }, info) => {
    const own = await TestWorkload.create(forge.stack, ONE_VOLUME);
    const tar = info.outputPath('small.tar');
    fs.writeFileSync(tar, handmadeTar([{ name: 'a', body: 'x' }]));
    await forge.signIn(page, `/workloads/${own.id}`);
    await page.route('**/snapshots/import*', (route) =>
      route.fulfill({
        status: 413,
        contentType: 'application/problem+json',
        body: JSON.stringify({ code: 'UPLOAD_TOO_LARGE', params: { need: 2048, free: 1024 } }),
      }),
    );
    await page.getByTestId('import-open').click();
    await page.getByTestId('import-file').setInputFiles(tar);
    await page.getByTestId('import-submit').click();
    await expect(page.getByTestId('error')).toHaveAttribute('data-code', 'UPLOAD_TOO_LARGE');
    await expect(page.getByTestId('import-chosen')).toContainText('small.tar');
    await page.unroute('**/snapshots/import*');
    await page.getByTestId('import-submit').click();
    await expect(page.getByTestId('operation-page')).toHaveAttribute('data-state', 'SUCCEEDED', { timeout: 60_000 });
  });
});

const VOLUMES = [
  { target: '/data', scope: 'stage', source: 'data' },
  { target: '/shared', scope: 'project', source: 'shared' },
  { target: '/files', scope: 'absolute', source: '' },
];
