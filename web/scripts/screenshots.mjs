// Writes a picture of each screen, light and dark, from a running dashboard.
//   BASE_URL   where it is, such as https://127.0.0.1:8443/
//   TOKEN      a bearer token, unless the way to it already says who is calling
//   OUT        the folder, default docs/screenshots
//   WIDTH      of the window, default 1280
//   POOL, VM   as namespace/name; default the first pool, the first machine that
//              waits or else the first
import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { chromium } from '@playwright/test';

const base = process.env.BASE_URL;
if (!base) throw new Error('set BASE_URL to where the dashboard is served');

const out = process.env.OUT ?? fileURLToPath(new URL('../../docs/screenshots', import.meta.url));
const width = Number(process.env.WIDTH ?? 1280);
mkdirSync(out, { recursive: true });

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});

async function shoot(scheme) {
  const context = await browser.newContext({ colorScheme: scheme, viewport: { width, height: 860 }, ignoreHTTPSErrors: true, reducedMotion: 'reduce' });
  const page = await context.newPage();
  page.on('pageerror', (error) => console.error(`page: ${error.message}`));
  await page.goto(base);
  await page.locator('h1').first().waitFor();
  const suffix = scheme === 'dark' ? '-dark' : '';
  const save = (name) => page.screenshot({ path: `${out}/${name}${suffix}.png` });
  const settled = () => page.waitForFunction(() => !document.querySelector('.vmdhcp-loading'), undefined, { timeout: 15_000 });

  if (await page.locator('#vmdhcp-token').count()) {
    await save('login');
    await page.locator('#vmdhcp-token').fill(process.env.TOKEN ?? '');
    await page.getByRole('button', { name: 'Log in' }).click();
  }
  await page.getByRole('heading', { name: 'Overview', level: 1 }).waitFor();

  async function view(name, hash, then) {
    await page.evaluate((to) => (location.hash = to), hash);
    await page.waitForTimeout(300);
    await settled();
    await page.mouse.move(0, 0);
    if (then) await then();
    await page.waitForTimeout(200);
    await save(name);
  }

  await view('overview', '#/');
  await view('pools', '#/pools');
  const pool = process.env.POOL ?? (await page.locator('tbody tr td[data-label="Name"] a').first().getAttribute('href')).split('/').slice(-2).join('/');
  await view('pool', `#/pools/${pool}`);
  await view('pool-leases', `#/pools/${pool}?tab=leases&gaps=1`);
  await view('pool-edit', `#/pools/${pool}/edit`);
  await view('reserve', `#/pools/${pool}`, async () => {
    const button = page.getByRole('button', { name: 'Reserve', exact: true });
    if (await button.isEnabled()) await button.click();
  });
  await page.keyboard.press('Escape');
  await view('leases', '#/leases');
  await view('lease', '#/leases', async () => {
    await page.locator('.vmdhcp-leases .vmdhcp-link').first().click();
    await settled();
  });
  await page.keyboard.press('Escape');
  await view('machines', '#/machines');
  let vm = process.env.VM;
  if (!vm) {
    const waiting = page.locator('tr', { hasText: 'Waiting' }).locator('td[data-label="Name"] a');
    const link = (await waiting.count()) ? waiting.first() : page.locator('td[data-label="Name"] a').first();
    vm = (await link.count()) ? (await link.getAttribute('href')).split('/').slice(-2).join('/') : '';
  }
  if (vm) await view('machine', `#/machines/${vm}`);
  await view('networks', '#/networks');
  await view('create-pool', '#/pools/+create', async () => {
    const select = page.locator('#vmdhcp-network');
    const value = await select.locator('option').last().getAttribute('value');
    if (!value) return;
    await select.selectOption(value);
    await page.waitForTimeout(900);
  });
  await view('agents', '#/agents');
  await view('diagnostics', '#/about');
  await context.close();
}

await shoot('light');
await shoot('dark');
await browser.close();
