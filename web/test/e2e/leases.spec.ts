import { expect, go, login, standIn, test } from './page';

test.beforeEach(async ({ page }) => standIn(page, 'reset'));

const rows = '.vmdhcp-leases tbody .vmdhcp-row';

test('one box finds addresses, MAC addresses in any spelling and machines @stand-in', async ({ page }) => {
  await login(page, '#/leases');
  await expect(page.locator('.vmdhcp-summary')).toContainText('655 leases');
  const box = page.getByLabel('Search leases');
  for (const [text, address] of [['192.168.48.20', '192.168.48.20'], ['52-54-00-00-00-01', '192.168.48.12'], ['5254.0000.0002', '192.168.48.14'], ['db-3', '172.19.150.4'], ['printer', '192.168.48.200']] as const) {
    await box.fill(text);
    await expect(page.locator('.vmdhcp-summary')).toContainText('found');
    await expect(page.locator(rows).first()).toContainText(address);
  }
  await box.fill('nobody has this');
  await expect(page.getByText('Nothing is found')).toBeVisible();
  await page.getByRole('button', { name: 'Clear the search' }).first().click();
  await expect(page.locator('.vmdhcp-summary')).toContainText('655 leases');
});

test('what is looked for stands in the address of the page @stand-in', async ({ page }) => {
  await login(page, '#/leases?q=web&state=Conflict&sort=-mac');
  await expect(page.locator('.vmdhcp-summary')).toContainText('1 lease found');
  await expect(page.getByLabel('Search leases')).toHaveValue('web');
  await page.getByLabel('State', { exact: true }).selectOption('');
  await expect(page).toHaveURL(/q=web&sort=-mac$/);
  await expect(page.locator('th[aria-sort="descending"]')).toContainText('MAC');
  await page.getByRole('button', { name: 'Address' }).first().click();
  await expect(page).toHaveURL(/#\/leases\?q=web$/);
});

test('addresses are in the order of numbers and turn round @stand-in', async ({ page }) => {
  await login(page, '#/leases?network=default/vm-net');
  const first = page.locator(`${rows} .vmdhcp-link`).first();
  await expect(first).toHaveText('192.168.48.10');
  await page.getByRole('button', { name: 'Address' }).first().click();
  await expect(first).toHaveText('192.168.48.201');
});

test('free addresses stand between the leases of one pool, and only there @stand-in', async ({ page }) => {
  await login(page, '#/leases');
  await expect(page.getByLabel('Free addresses')).toBeDisabled();
  await page.getByLabel('Pool', { exact: true }).selectOption('default/vm-net');
  await page.getByLabel('Free addresses').check();
  await expect(page.locator('.vmdhcp-gap').first()).toContainText('192.168.48.11 1 free');
  await page.getByLabel('Search leases').fill('web');
  await expect(page.locator('.vmdhcp-gap')).toHaveCount(0);
});

test('only the rows that are seen are drawn, and the rest is read on the way @stand-in', async ({ page }) => {
  await standIn(page, 'reset', { leases: 5000 });
  await login(page, '#/leases');
  await expect(page.locator('.vmdhcp-summary')).toContainText('200 read');
  await expect(async () => {
    await page.locator('.vmdhcp-scroller').evaluate((element) => element.scrollTo(0, element.scrollHeight));
    await expect(page.locator(rows).last()).toContainText('192.168.48.201', { timeout: 500 });
  }).toPass();
  expect(await page.locator(rows).count()).toBeLessThan(60);
});

test('a change is shown as it happens, and waits while the list is paused @stand-in', async ({ page }) => {
  await login(page, '#/leases?q=192.168.48.10');
  const row = page.locator(rows).first();
  await expect(page.getByRole('button', { name: /Live/ })).toBeVisible();
  await standIn(page, 'touchLease', { hostname: 'renamed' });
  await expect(row).toContainText('renamed', { timeout: 2000 });
  await page.getByRole('button', { name: /Live/ }).click();
  await standIn(page, 'touchLease', { hostname: 'again' });
  await expect(page.getByRole('button', { name: /Paused, 1 changed/ })).toBeVisible();
  await expect(row).toContainText('renamed');
  await page.getByRole('button', { name: /Paused/ }).click();
  await expect(row).toContainText('again');
});

test('what is filtered is what is saved', async ({ page }) => {
  await login(page, '#/leases');
  const total = Number((await page.locator('.vmdhcp-summary b').innerText()).replace(',', ''));
  const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'CSV' }).click()]);
  expect(file.suggestedFilename()).toMatch(/^leases-\d{4}-\d\d-\d\d\.csv$/);
  const text = (await (await import('node:fs/promises')).readFile((await file.path())!, 'utf8')).trim();
  expect(text.split('\n').length).toBe(total + 1);
});

test('the drawer tells the lease, makes it fixed and releases it @stand-in', async ({ page }) => {
  await login(page, '#/leases?q=192.168.48.12');
  await page.getByRole('button', { name: 'Open 192.168.48.12', exact: true }).click();
  const drawer = page.getByRole('dialog');
  await expect(page).toHaveURL(/lease=default%2Fvm-net.192.168.48.12/);
  for (const text of ['default/web-2', '52:54:00:00:00:01', 'DHCPREQUEST', 'What was on the network before']) await expect(drawer).toContainText(text);
  await drawer.getByRole('button', { name: 'Make fixed' }).click();
  await expect(drawer).toContainText('Fixed: the machine asks for this address');
  await drawer.getByRole('button', { name: 'Release…' }).click();
  await expect(drawer).toContainText('keeps using 192.168.48.12 until its lease ends');
  await drawer.getByRole('button', { name: 'Keep it' }).click();
  await drawer.getByRole('button', { name: 'Release…' }).click();
  await drawer.getByRole('button', { name: 'Release 192.168.48.12' }).click();
  await expect(drawer).toHaveCount(0);
  await expect(page.locator('.vmdhcp-toast').last()).toContainText('192.168.48.12 is released');
  await expect(page.getByText('Nothing is found')).toBeVisible();
});

test('what the agents did not tell is not made up @stand-in', async ({ page }) => {
  await login(page, '#/leases?q=192.168.48.26');
  const row = page.locator(rows).first();
  await expect(row).toContainText('not known');
  await expect(row.getByText('not known')).toHaveAttribute('title', /did not answer/);
  await go(page, 'leases?lease=default/vm-net.192.168.48.26');
  await expect(page.getByRole('dialog')).toContainText('Not known. The agent on node-b did not answer when it was asked.');
});
