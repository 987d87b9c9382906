import type { Page } from '@playwright/test';
import { TestWorkload } from '../src/harness/test-workload.ts';
import { expect, expectAccessible, expectNoSidewaysScroll, test, type Forge } from './forge.ts';

interface Place {
  readonly name: string;
  readonly path: string;
  /** What is there when the page is. */
  readonly sign: string;
}

let places: Place[] = [];

async function findPlaces(forge: Forge): Promise<Place[]> {
  const { app, snapshotId } = await TestWorkload.withSnapshot(forge.stack);
  const restored = await app.done(await app.restore(snapshotId), 'SUCCEEDED');
  const removed = await forge.stack.api.patch(app.path, { volumes: [] });
  expect(removed.status).toBe(200);
  const failed = await forge.stack.api.post<{ operationId: string }>(
    `${app.path}/snapshots/${snapshotId}/restore`,
    undefined,
    {
      headers: { 'x-confirm-restore': snapshotId },
    },
  );
  // The demo is the tour's: its snapshots are counted there.
  const { app: other, snapshotId: kept } = await TestWorkload.withSnapshot(forge.stack);
  return [
    { name: 'workloads', path: '/workloads', sign: '[data-testid=workloads]' },
    { name: 'new workload', path: '/workloads/new', sign: 'form' },
    { name: 'edit workload', path: `/workloads/${app.id}/edit`, sign: 'form' },
    { name: 'workload', path: `/workloads/${forge.demo.id}`, sign: '[data-testid=workload-page]' },
    {
      name: 'snapshot',
      path: `/workloads/${other.id}/snapshots/${kept}`,
      // With the files in it, which come later.
      sign: '[data-testid=entries] tbody tr',
    },
    {
      name: 'restore',
      path: `/workloads/${other.id}/snapshots/${kept}/restore`,
      sign: '[data-testid=plan]',
    },
    {
      name: 'restore with a blocker',
      path: `/workloads/${app.id}/snapshots/${snapshotId}/restore`,
      sign: '[data-testid=blockers]',
    },
    { name: 'operations', path: '/operations', sign: '[data-testid=operations]' },
    { name: 'restored', path: `/operations/${restored.id}`, sign: '[data-testid=operation-page]' },
    ...(failed.status === 202
      ? [{ name: 'failed', path: `/operations/${failed.body.operationId}`, sign: '[data-testid=operation-page]' }]
      : []),
    { name: 'system', path: '/system', sign: 'h1' },
    { name: 'account', path: '/account', sign: 'h1' },
    { name: 'nothing here', path: '/no-such-page', sign: 'h1' },
  ];
}

async function open(forge: Forge, page: Page, place: Place): Promise<void> {
  await page.goto(forge.url(place.path));
  await expect(page.locator(place.sign).first(), place.name).toBeVisible();
  // Not the moment before the first answer.
  await expect(page.locator('h1').first(), place.name).toBeVisible();
}

test.describe('every page', () => {
  test.beforeAll(async ({ forge }) => {
    places = await findPlaces(forge);
  });

  for (const theme of ['light', 'dark'] as const) {
    test(`UX1 axe finds nothing, ${theme}`, async ({ page, forge }) => {
      await page.emulateMedia({ colorScheme: theme, reducedMotion: 'reduce' });
      await page.goto(forge.url('/login'));
      await expect(page.getByTestId('sign-in')).toBeVisible();
      await expectAccessible(page);
      await forge.signIn(page);
      for (const place of places) {
        await open(forge, page, place);
        await expectAccessible(page);
      }
    });
  }

  test('UX2 nothing scrolls sideways at 320 px, in both languages', async ({ page, forge }) => {
    await page.setViewportSize({ width: 320, height: 640 });
    await forge.signIn(page);
    for (const language of ['en', 'ru']) {
      await page.evaluate(
        (value) => localStorage.setItem('tiny-forge.preferences', JSON.stringify({ language: value })),
        language,
      );
      for (const place of places) {
        await open(forge, page, place);
        await expect(page.locator('html')).toHaveAttribute('lang', language);
        await expectNoSidewaysScroll(page);
      }
    }
  });

  test.describe('UX6 Russian and dark', () => {
    test.use({ locale: 'ru-RU', colorScheme: 'dark' });

    test('no English word is shown', async ({ page, forge }) => {
      await forge.signIn(page);
      for (const place of places) {
        await open(forge, page, place);
        await expect(page.locator('html')).toHaveAttribute('lang', 'ru');
        expect(await englishWords(page), place.name).toEqual([]);
      }
    });

    test('no light frame is painted', async ({ page, forge }) => {
      await forge.signIn(page);
      const session = await page.context().newCDPSession(page);
      const frames: string[] = [];
      session.on('Page.screencastFrame', ({ data, sessionId }) => {
        frames.push(data);
        void session.send('Page.screencastFrameAck', { sessionId });
      });
      await session.send('Page.startScreencast', {
        format: 'jpeg',
        quality: 40,
        maxWidth: 160,
        maxHeight: 120,
        everyNthFrame: 1,
      });
      for (const place of places.slice(0, 5)) await open(forge, page, place);
      await page.reload();
      await expect(page.locator('h1').first()).toBeVisible();
      await session.send('Page.stopScreencast');
      expect(frames.length).toBeGreaterThan(3);
      const brightest = await page.evaluate(async (images) => {
        const means: number[] = [];
        for (const image of images) {
          const bytes = Uint8Array.from(atob(image), (letter) => letter.charCodeAt(0));
          const bitmap = await createImageBitmap(new Blob([bytes], { type: 'image/jpeg' }));
          const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
          const context = canvas.getContext('2d');
          if (context === null) throw new Error('no canvas');
          context.drawImage(bitmap, 0, 0);
          const { data } = context.getImageData(0, 0, bitmap.width, bitmap.height);
          let sum = 0;
          for (let i = 0; i < data.length; i += 4) sum += (data[i] ?? 0) + (data[i + 1] ?? 0) + (data[i + 2] ?? 0);
          means.push(sum / (data.length / 4) / 3);
        }
        return Math.max(...means);
      }, frames);
      expect(brightest).toBeLessThan(110);
    });
  });

  test('nothing on the console but what the page asked for, no request to anybody else', async ({ page, forge }) => {
    const complaints: string[] = [];
    page.on('console', (message) => {
      if (message.type() === 'error') complaints.push(message.text());
    });
    page.on('pageerror', (error) => complaints.push(String(error)));
    page.on('request', (request) => {
      if (!request.url().startsWith(forge.url('')) && !request.url().startsWith('data:'))
        complaints.push(request.url());
    });
    await forge.signIn(page);
    for (const place of places.filter((each) => each.name !== 'nothing here')) await open(forge, page, place);
    expect(complaints.filter((text) => !/401|Failed to load resource/.test(text))).toEqual([]);
  });
});

/** Words of Latin letters that are no name, id, path, code or unit. */
async function englishWords(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const allowed =
      /^(Tiny|Forge|Temporal|Docker|Engine|UTC|CSRF|API|HTTP|http|https|SHA|ID|npm|run|admin|reset|password|English|RU|EN|Ctrl|C|Esc|g|w|o|s|SQLite|Node|UI|zstd|gzip|ok|tcp|udp|URL|IP)$/;
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const found = new Set<string>();
    for (let node = walker.nextNode(); node !== null; node = walker.nextNode()) {
      const parent = node.parentElement;
      if (
        parent === null ||
        parent.closest(
          'bdi, code, pre, script, style, option, [translate=no], [lang=en], noscript, #svelte-announcer',
        ) !== null
      )
        continue;
      if (parent.closest('[hidden]') !== null) continue;
      for (const word of (node.textContent ?? '').match(/[A-Za-z][A-Za-z'’-]{2,}/g) ?? [])
        if (!allowed.test(word)) found.add(`${word} in ${parent.outerHTML.slice(0, 200)}`);
    }
    // No element can stand in an attribute: a name is what stands in one elsewhere on the page.
    const names = [...document.querySelectorAll('bdi')].map((element) => element.textContent ?? '').filter(Boolean);
    const withoutNames = (value: string): string => names.reduce((rest, name) => rest.replaceAll(name, ' '), value);
    for (const element of document.querySelectorAll('[aria-label], [title], [placeholder]')) {
      for (const name of ['aria-label', 'title', 'placeholder']) {
        for (const word of withoutNames(element.getAttribute(name) ?? '').match(/[A-Za-z][A-Za-z'’-]{2,}/g) ?? [])
          if (!allowed.test(word)) found.add(`${name}: ${word}`);
      }
    }
    return [...found];
  });
}
