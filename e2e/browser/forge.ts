import fs from 'node:fs';
import path from 'node:path';
import AxeBuilder from '@axe-core/playwright';
import { test as base, expect, type Page } from '@playwright/test';
import type { Operation, Workload } from '@tiny-forge/contracts/domain';
import { checkout } from '../src/harness/environment.ts';
import { PASSWORD, Stack } from '../src/harness/stack.ts';
import { eventually } from '../src/harness/waiting.ts';

/** Long enough to press a button, short enough to wait for what happens when nobody does. */
export const WAIT_SECONDS = 20;

/** The real product with its demo, for all tests of a worker. */
export class Forge {
  readonly stack: Stack;
  readonly demo: Workload;
  readonly port: number;

  /** @param port where the browser goes, when not to the server itself */
  constructor(stack: Stack, demo: Workload, port = stack.port) {
    this.stack = stack;
    this.demo = demo;
    this.port = port;
  }

  url(place = '/'): string {
    return `http://127.0.0.1:${this.port}${place}`;
  }

  get demoUrl(): string {
    const published = this.demo.status.instances[0]?.ports.find((port) => port.published !== null)?.published;
    if (published == null) throw new Error('the demo publishes no port');
    return `http://127.0.0.1:${published}/`;
  }

  async signIn(page: Page, place = '/workloads'): Promise<void> {
    await page.goto(this.url('/login'));
    await page.getByLabel(/^(User|Имя|Пользователь)/).fill('admin');
    await page.locator('input[name=password]').fill(PASSWORD);
    await page.getByTestId('sign-in-submit').click();
    await expect(page).not.toHaveURL(/login/);
    if (!page.url().endsWith(place)) await page.goto(this.url(place));
  }

  operationIn(page: Page): string {
    return /operations\/([0-9a-f-]{36})/.exec(page.url())?.[1] ?? '';
  }

  until(operationId: string, what?: string, isSo?: (operation: Operation) => boolean): Promise<Operation> {
    return this.stack.until(operationId, what, isSo, 90_000);
  }
}

async function startForge(): Promise<Forge> {
  const stack = await Stack.start({
    env: { TINY_FORGE_DEMO: '1', TINY_FORGE_OPERATOR_WAIT_SECONDS: String(WAIT_SECONDS) },
  });
  // "It takes a free port and runs within 60 s of the first readiness."
  const demo = await eventually(
    'the demo runs',
    async () => {
      const list = await stack.api.get<{ items: Workload[] }>('/api/workloads');
      return list.body.items.find((each) => each.status.state === 'running' && each.operationId === undefined) ?? null;
    },
    { timeoutMs: 60_000 },
  );
  for (const { imageId } of demo.status.instances) stack.images.push(imageId);
  return new Forge(stack, demo);
}

export const test = base.extend<object, { forge: Forge }>({
  forge: [
    async ({}, use) => {
      const forge = await startForge();
      try {
        await use(forge);
      } finally {
        await forge.stack.destroy();
      }
    },
    { scope: 'worker', timeout: 150_000 },
  ],
});

export { expect };

/** UX1: axe finds nothing. */
export async function expectAccessible(page: Page): Promise<void> {
  const { violations } = await new AxeBuilder({ page }).analyze();
  const found = violations.map((each) => `${each.id}: ${each.nodes.map((node) => node.target.join(' ')).join(' | ')}`);
  expect(found, page.url()).toEqual([]);
}

/** UX2: nothing scrolls sideways. */
export async function expectNoSidewaysScroll(page: Page): Promise<void> {
  const width = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
  expect(width[0], page.url()).toBeLessThanOrEqual(width[1] ?? 0);
}

/** A picture for the README. Pictures are part of the repository and change only when asked. */
export async function picture(page: Page, name: string): Promise<void> {
  if (process.env['UPDATE_SCREENSHOTS'] !== '1') return;
  const folder = path.join(checkout, 'docs', 'images');
  fs.mkdirSync(folder, { recursive: true });
  await page.screenshot({ path: path.join(folder, `${name}.png`), animations: 'disabled', scale: 'css' });
}
