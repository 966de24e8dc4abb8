import { expect, go, login, standIn, test } from './page';

test.beforeEach(async ({ page }) => standIn(page, 'reset'));

test('a free address of the map is reserved, by mouse @stand-in', async ({ page }) => {
  await login(page, '#/pools/default/vm-net');
  await page.getByRole('gridcell', { name: '192.168.48.11, free. Reserve' }).click();
  const dialog = page.getByRole('dialog');
  await expect(dialog.getByLabel('Address', { exact: true })).toHaveValue('192.168.48.11');
  await dialog.getByLabel('A MAC address').check();
  await dialog.getByLabel(/^MAC/).fill('no mac');
  await expect(dialog).toContainText('is no MAC address');
  await dialog.getByLabel(/^MAC/).fill('52-54-00-AA-BB-CC');
  await expect(dialog).toContainText('Read as 52:54:00:aa:bb:cc');
  await expect(dialog).toContainText('192.168.48.11 would be kept for 52:54:00:aa:bb:cc.');
  await dialog.getByLabel('Comment').fill('the scanner');
  await dialog.getByRole('button', { name: 'Reserve' }).click();
  await expect(page.getByRole('gridcell', { name: '192.168.48.11, reserved, the scanner' })).toBeVisible();
  await expect(page.locator('.vmdhcp-toast')).toContainText('192.168.48.11 is reserved');
});

test('the map is one stop of the keyboard and moves by arrows @stand-in', async ({ page }) => {
  await login(page, '#/pools/default/vm-net');
  const grid = page.getByRole('grid');
  await expect(grid.locator('[tabindex="0"]')).toHaveCount(1);
  await page.getByRole('tab', { name: 'Addresses' }).focus();
  await page.keyboard.press('Tab');
  await expect(page.locator(':focus')).toHaveAttribute('aria-label', /^192.168.48.0,/);
  for (let i = 0; i < 10; i++) await page.keyboard.press('ArrowRight');
  await expect(page.locator(':focus')).toHaveAttribute('aria-label', '192.168.48.10, leased, web-1');
  await page.keyboard.press('Enter');
  const drawer = page.getByRole('dialog');
  await expect(drawer).toContainText('default/web-1');
  await page.keyboard.press('Escape');
  await expect(drawer).toHaveCount(0);
  await expect(page.locator(':focus')).toHaveAttribute('aria-label', '192.168.48.10, leased, web-1');
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('dialog')).toContainText('Reserve an address of vm-net');
  await page.keyboard.press('Escape');
  await page.keyboard.press('Control+End');
  await expect(page.locator(':focus')).toHaveAttribute('aria-label', '192.168.48.255, outside of the range');
  await page.keyboard.press('Enter');
  await expect(page.locator('.vmdhcp-map-said')).toContainText('outside of the range that is given out');
});

test('a large pool is drawn in blocks that open @stand-in', async ({ page }) => {
  await login(page, '#/pools/default/campus');
  await expect(page.getByRole('gridcell')).toHaveCount(1024);
  await page.getByRole('gridcell', { name: /^10.64.1.0\/26, 64 leased/ }).click();
  await expect(page.getByRole('gridcell')).toHaveCount(64);
  await expect(page).toHaveURL(/block=10.64.1.0%2F26/);
  await page.getByRole('button', { name: /All of 10.64.0.0/ }).click();
  await expect(page.getByRole('gridcell')).toHaveCount(1024);
});

test('a pool is paused after a word of warning, and resumed @stand-in', async ({ page }) => {
  await login(page, '#/pools/default/vm-net');
  await page.getByRole('button', { name: 'Pause', exact: true }).click();
  await expect(page.getByRole('dialog')).toContainText('guests cannot renew');
  await page.getByRole('button', { name: 'Pause the pool' }).click();
  await expect(page.locator('.vmdhcp-head .vmdhcp-badge')).toHaveText('Paused');
  await page.getByRole('button', { name: 'Resume' }).click();
  await expect(page.locator('.vmdhcp-head .vmdhcp-badge')).toHaveText('Ready');
});

test('an edit says whom it touches before it is made @stand-in', async ({ page }) => {
  await login(page, '#/pools/default/vm-net/edit');
  await expect(page.getByLabel(/^Prefix/)).toBeDisabled();
  await page.getByLabel('First address').fill('192.168.48.50');
  const preview = page.getByRole('complementary', { name: 'Preview' });
  await expect(preview).toContainText('20 leases would be touched');
  await expect(preview).toContainText('192.168.48.10 → 192.168.48.50');
  await page.getByRole('textbox', { name: 'Router' }).fill('10.0.0.1');
  await expect(page.locator('.vmdhcp-field-bad')).toContainText('is outside of 192.168.48.0/24');
  await expect(page.getByRole('button', { name: 'Save the changes' })).toBeDisabled();
  await page.getByRole('textbox', { name: 'Router' }).fill('192.168.48.1');
  await page.getByRole('button', { name: 'Save the changes' }).click();
  await expect(page.locator('.vmdhcp-facts')).toContainText('192.168.48.50 – 192.168.48.250');
});

test('a pool is created from its network @stand-in', async ({ page }) => {
  await login(page, '#/networks');
  await page.getByRole('row', { name: /lab/ }).getByRole('link', { name: 'Create pool' }).click();
  await expect(page.getByLabel(/^Prefix/)).toHaveValue('192.168.90.0/24');
  const preview = page.getByRole('complementary', { name: 'Preview' });
  await expect(preview).toContainText('252 addresses');
  await expect(preview.getByRole('table')).toContainText('192.168.90.1');
  await expect(page.getByLabel('Server address')).toHaveAttribute('placeholder', '192.168.90.2');
  await page.getByRole('button', { name: 'Create the pool' }).click();
  await expect(page.locator('h1')).toHaveText('lab');
  await go(page, 'networks');
  await expect(page.getByRole('row', { name: /lab/ })).toContainText('Managed');
});

test('a machine without an address is explained, with the cause and the way out @stand-in', async ({ page }) => {
  await login(page, '#/machines?state=Waiting');
  await page.getByRole('link', { name: 'runner-10' }).click();
  const cause = page.locator('.vmdhcp-step-cause');
  await expect(cause).toHaveCount(1);
  await expect(cause).toContainText('this is the cause');
  await expect(cause).toContainText('grow the range of the pool');
});

test('an agent that dies is seen within two seconds @stand-in', async ({ page }) => {
  await login(page);
  await expect(page.getByRole('button', { name: /Live/ })).toBeVisible();
  await standIn(page, 'killAgent');
  await expect(page.locator('.vmdhcp-attention')).toContainText('Pool vm-net', { timeout: 2000 });
  await expect(page.locator('.vmdhcp-tiles')).toContainText('6 of 8', { timeout: 2000 });
});
