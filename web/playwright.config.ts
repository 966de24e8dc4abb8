import { defineConfig } from '@playwright/test';

// Against the stand-in, which is started, or against BASE_URL with TOKEN. What
// needs the stand-in's hand in its world is left out there.
const base = process.env['BASE_URL'];
const flags = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];

export default defineConfig({
  testDir: 'test/e2e',
  // One world is shared by all of them.
  workers: 1,
  fullyParallel: false,
  forbidOnly: true,
  reporter: 'list',
  timeout: 30_000,
  grepInvert: base ? /@stand-in/ : undefined,
  use: {
    baseURL: base ?? 'http://127.0.0.1:5199/',
    ignoreHTTPSErrors: true,
    viewport: { width: 1280, height: 860 },
    launchOptions: { executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium', args: flags },
    trace: 'off',
  },
  webServer: base
    ? undefined
    : { command: 'npm run -s mock', url: 'http://127.0.0.1:5199/', reuseExistingServer: true, timeout: 60_000 },
});
