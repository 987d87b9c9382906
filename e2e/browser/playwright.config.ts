import { defineConfig } from '@playwright/test';
import { required } from '../src/harness/environment.ts';

// One browser, one stack, one test at a time: two cores are shared with a real server, Temporal and containers.
export default defineConfig({
  testDir: '.',
  testMatch: '**/*.pw.ts',
  outputDir: '../test-results',
  workers: 1,
  fullyParallel: false,
  timeout: 240_000,
  expect: { timeout: 30_000 },
  reporter: [['list'], ['./report.ts']],
  use: {
    launchOptions: {
      executablePath: required('CHROMIUM_PATH'),
      args: ['--no-sandbox', '--disable-dev-shm-usage'],
    },
    viewport: { width: 1280, height: 860 },
    locale: 'en-GB',
    timezoneId: 'Europe/Berlin',
    colorScheme: 'light',
    trace: 'retain-on-failure',
    screenshot: 'only-on-failure',
  },
});
