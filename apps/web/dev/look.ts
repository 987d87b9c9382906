import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { AxeBuilder } from '@axe-core/playwright';
import { chromium } from '@playwright/test';

/** Pictures of pages, and what axe says of them: `node dev/look.ts <out dir> [name filter]`. For looking, not for gating. */
const out = process.argv[2] ?? '/tmp/look';
const only = process.argv[3];
fs.mkdirSync(out, { recursive: true });
const id = (n: number) => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;

const pages: Record<string, string> = {
  workloads: '/workloads',
  workload: `/workloads/${id(1)}`,
  restore: `/workloads/${id(1)}/snapshots/${id(101)}/restore`,
  blocked: `/workloads/${id(1)}/snapshots/${id(103)}/restore`,
  import: `/workloads/${id(1)}?look=import`,
  files: `/workloads/${id(1)}/snapshots/${id(101)}?volume=0&path=uploads/2026`,
  snapshot: `/workloads/${id(1)}/snapshots/${id(103)}`,
  'op-needs': `/operations/${id(10)}`,
  'op-waiting': `/operations/${id(11)}`,
  'op-rolled': `/operations/${id(12)}`,
  'op-failed': `/operations/${id(13)}`,
  'op-done': `/operations/${id(14)}`,
  operations: '/operations',
  system: '/system',
  account: '/account',
  new: '/workloads/new',
  edit: `/workloads/${id(1)}/edit`,
  examples: '/dev/examples',
};
const looks = [
  { width: 1280, theme: 'light', language: 'en' },
  { width: 320, theme: 'dark', language: 'ru' },
  ...(process.env['LOOK_ALL'] === '1'
    ? ([
        { width: 1280, theme: 'dark', language: 'ru' },
        { width: 768, theme: 'light', language: 'ru' },
        { width: 768, theme: 'dark', language: 'en' },
        { width: 320, theme: 'light', language: 'en' },
      ] as const)
    : []),
] as const;

const server = spawn(
  process.execPath,
  ['--conditions=tiny-forge-source', path.join(import.meta.dirname, 'mock-server.ts')],
  {
    env: { ...process.env, MOCK_SIGNED_IN: '1' },
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
let bad = 0;
try {
  for (const look of looks) {
    const context = await browser.newContext({
      viewport: { width: look.width, height: look.width < 700 ? 720 : 860 },
      timezoneId: 'Europe/Berlin',
    });
    await context.addInitScript((saved) => localStorage.setItem('tiny-forge.preferences', JSON.stringify(saved)), {
      language: look.language,
      theme: look.theme,
    });
    const page = await context.newPage();
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') console.log(`  console: ${message.text()}`);
    });
    page.on('pageerror', (error) => console.log(`  page error: ${error.message}`));
    for (const [name, target] of Object.entries(pages)) {
      if (only !== undefined && !new RegExp(only).test(name)) continue;
      await page.goto(base + target);
      await page.waitForTimeout(700);
      if (name === 'import') await page.getByTestId('import-open').click();
      const label = `${name}-${String(look.width)}-${look.theme}-${look.language}`;
      await page.screenshot({
        path: path.join(out, `${label}.png`),
        fullPage: !['restore', 'blocked', 'import'].includes(name),
      });
      const wide = await page.evaluate(
        () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
      );
      const axe = await new AxeBuilder({ page }).analyze();
      const found = axe.violations.map(
        (v) =>
          `${v.id} ${v.nodes
            .map((n) => n.target.join(' '))
            .slice(0, 3)
            .join(' | ')}`,
      );
      if (wide > 0) found.push(`sideways scroll ${String(wide)} px`);
      if (look.language === 'ru') {
        const text = await page.evaluate(() => document.body.innerText);
        if (process.env['LOOK_WORDS'] === '1')
          console.log(label, [...new Set(text.match(/[A-Za-z][A-Za-z-]+/g) ?? [])].join(' '));
      }
      if (found.length > 0) {
        bad += found.length;
        console.log(label, found.join('\n   '));
      }
    }
    await context.close();
  }
} finally {
  await browser.close();
  server.kill();
}
console.log(bad === 0 ? 'nothing found' : `${String(bad)} findings`);
