import fs from 'node:fs';
import path from 'node:path';
import { isRoot } from '../src/harness/environment.ts';
import { treeDigest } from '../src/harness/generations.ts';
import { LoopDisk } from '../src/harness/loop-disk.ts';
import { TestWorkload } from '../src/harness/test-workload.ts';
import { expect, expectAccessible, expectNoSidewaysScroll, test } from './forge.ts';
import { confirm, openDialog, submitRestore } from './restore-page.ts';

const digests = (app: TestWorkload): string[] => app.directories.map((directory) => treeDigest(directory));

test('the data of before comes back by one button, and by the same button goes again', async ({ forge, page }) => {
  test.setTimeout(240_000);
  const { app, snapshotId } = await TestWorkload.withSnapshot(forge.stack);
  const live = digests(app);
  await forge.signIn(page);
  const first = await submitRestore(forge, page, app, snapshotId);
  await expect(page.getByTestId('operation-page')).toHaveAttribute('data-state', 'SUCCEEDED', { timeout: 60_000 });
  const snap = digests(app);

  for (const [undone, expected] of [
    [first, live],
    [null, snap],
  ] as const) {
    const before = undone ?? forge.operationIn(page);
    await page.getByTestId('undo').click();
    await expect(page.getByText(/The app stops again for a moment/)).toBeVisible();
    await expectAccessible(page);
    await page.getByTestId('dialog-submit').dblclick();
    await expect(page).not.toHaveURL(new RegExp(before));
    const id = forge.operationIn(page);
    await expect(page.getByTestId('operation-page')).toHaveAttribute('data-state', 'SUCCEEDED', { timeout: 60_000 });
    await expect(page.getByRole('link', { name: 'Undoes an earlier restore' })).toHaveAttribute('href', `/operations/${before}`); // prettier-ignore
    expect(await forge.until(id)).toMatchObject({ kind: 'undo-restore', undoOf: before });
    expect(digests(app)).toEqual(expected);
  }
  const undoings = forge.stack.query(
    `select id from operations where kind = 'undo-restore' and workload_id = ?`,
    app.id,
  );
  expect(undoings).toHaveLength(2);
});

test('the old folders are kept instead of a safety snapshot: chosen in the dialog, told on the page', async ({
  forge,
  page,
}) => {
  const { app, snapshotId } = await TestWorkload.withSnapshot(forge.stack);
  const live = digests(app);
  await forge.signIn(page);
  await openDialog(forge, page, app, snapshotId);
  await expect(page.getByTestId('loss')).toContainText('a safety snapshot keeps it');
  await page.getByLabel('The old folders themselves are kept').check();
  await expect(page.locator('[data-code=KEEPS_OLD_TREE]')).toBeVisible();
  await expect(page.getByTestId('loss')).toContainText('the old folders stay on the host');
  await expect(page.getByTestId('restore-submit')).toBeDisabled();
  await expectAccessible(page);
  await page.setViewportSize({ width: 320, height: 640 });
  await expectNoSidewaysScroll(page);
  await page.setViewportSize({ width: 1280, height: 860 });
  await confirm(page);
  await page.getByTestId('restore-submit').click();
  await expect(page.getByTestId('operation-page')).toHaveAttribute('data-state', 'SUCCEEDED', { timeout: 60_000 });
  const operation = await forge.until(forge.operationIn(page));
  const kept = page.getByTestId('kept-trees');
  await expect(kept).toContainText('There is no safety snapshot.');
  for (const tree of operation.kept?.trees ?? []) await expect(kept).toContainText(tree.path);
  await expect(page.getByTestId('undo')).toHaveCount(0);
  await expectAccessible(page);
  await page.setViewportSize({ width: 320, height: 640 });
  await expectNoSidewaysScroll(page);
  expect((operation.kept?.trees ?? []).map((tree) => treeDigest(tree.path))).toEqual(live);
  expect(app.generations()).toEqual(['snap']);
});

test('data that cannot be copied: the page that waits offers the way through', async ({ forge, page }) => {
  test.skip(!isRoot, 'needs a file system of its own');
  const disk = LoopDisk.make(4 * 1024, path.join(forge.stack.root, 'disk'));
  try {
    const broken = disk.plantUnreadableFile('broken.bin');
    const files = path.join(disk.mountPoint, 'files');
    const { app, snapshotId } = await TestWorkload.withSnapshot(forge.stack, {
      volumes: [{ scope: 'absolute', source: files, target: '/data' }],
      // Nothing is read ahead of such an archive: else the restore would end before the app is stopped.
      codec: 'gzip',
    });
    fs.renameSync(broken, path.join(files, 'broken.bin'));
    await forge.signIn(page);
    await submitRestore(forge, page, app, snapshotId);
    await expect(page.getByTestId('keep-old-tree')).toBeVisible({ timeout: 60_000 });
    await page.getByTestId('keep-old-tree').click();
    await expect(page.getByText(/No button brings them back/)).toBeVisible();
    await expectAccessible(page);
    await page.getByTestId('dialog-submit').click();
    await expect(page.getByTestId('operation-page')).toHaveAttribute('data-state', 'SUCCEEDED', { timeout: 60_000 });
    const operation = await forge.until(forge.operationIn(page));
    const [tree] = operation.kept?.trees ?? [];
    await expect(page.getByTestId('kept-trees')).toContainText(tree?.path ?? 'no tree');
    expect(fs.readdirSync(tree?.path ?? '')).toContain('broken.bin');
    expect(app.generations()).toEqual(['snap']);
    for (const container of await forge.stack.containers(app.id)) await forge.stack.docker.remove(container.Id);
  } finally {
    disk.destroy();
  }
});
