import { accessible, expect, go, login, standIn, test } from './page';

test.beforeEach(async ({ page }) => standIn(page, 'reset'));

test('nobody is shown anything before the log-in, and the token is not kept', async ({ page }) => {
  await login(page, '#/leases');
  expect(await page.evaluate(() => JSON.stringify({ ...localStorage, ...sessionStorage }) + document.cookie)).not.toContain('token');
  await page.reload();
  await expect(page.getByLabel('Token or kubeconfig')).toBeVisible();
});

test('what cannot be a token is refused with a way out', async ({ page }) => {
  await page.goto('./');
  const box = page.getByLabel('Token or kubeconfig');
  await box.fill('users:\n- name: me\n  user:\n    client-certificate-data: QUJD\n');
  await page.getByRole('button', { name: 'Log in' }).click();
  await expect(page.getByRole('alert')).toContainText('A page cannot use one');
  await box.fill('wrong-token');
  await page.getByRole('button', { name: 'Log in' }).click();
  await expect(page.getByRole('alert')).toContainText('Kubernetes does not know this token');
  await accessible(page);
});

test('the aggregated path needs no log-in @stand-in', async ({ page }) => {
  await page.goto('/apis/api.freehold.net/v1/ui/#/pools');
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('DHCP pools');
  await expect(page.getByRole('button', { name: 'Log out' })).toHaveCount(0);
  await expect(page.getByRole('link', { name: 'vm-net' })).toBeVisible();
});

test('the Service proxy says why nothing is shown, and the way in @stand-in', async ({ page }) => {
  await page.goto('/api/v1/namespaces/freehold/services/https:manager:443/proxy/');
  await expect(page.getByText('This way in does not tell who you are')).toBeVisible();
  await expect(page.getByRole('link')).toHaveAttribute('href', '/apis/api.freehold.net/v1/ui/');
  await accessible(page);
});

test('a token that ends brings back the log-in @stand-in', async ({ page }) => {
  await login(page, '#/pools');
  await standIn(page, 'control', { failing: 401 });
  await page.getByLabel('Search pools').fill('x');
  await expect(page.getByText('You are logged out')).toBeVisible();
});

test('who may only look is told so @stand-in', async ({ page }) => {
  await login(page, '#/pools/default/vm-net', 'viewer-token');
  await expect(page.getByText('You may look at this pool but not change it.')).toBeVisible();
  for (const name of ['Pause', 'Reserve']) await expect(page.getByRole('button', { name, exact: true })).toBeDisabled();
  await page.getByRole('gridcell', { name: '192.168.48.11, free' }).click();
  await expect(page.locator('.vmdhcp-map-said')).toContainText('You may not reserve');
  await accessible(page);
  await go(page, 'leases?lease=default/vm-net.192.168.48.12');
  await expect(page.getByRole('dialog')).toContainText('You may only look at this lease.');
  await accessible(page);
});

test('an empty cluster says what to do @stand-in', async ({ page }) => {
  await standIn(page, 'reset', { empty: true });
  await login(page);
  for (const [place, text] of [['', 'Nothing is managed yet'], ['pools', 'No pools yet'], ['leases', 'No leases yet'], ['machines', 'No machine on a managed network'], ['networks', 'No VM networks'], ['agents', 'No agents'], ['nowhere', 'There is no such page']] as const) {
    await go(page, place);
    await expect(page.getByText(text)).toBeVisible();
    await accessible(page);
  }
});

test('what takes long says that it loads @stand-in', async ({ page }) => {
  await login(page);
  await standIn(page, 'control', { slow: 1500 });
  await page.evaluate(() => (location.hash = '#/pools'));
  await expect(page.locator('.vmdhcp-skeleton').first()).toBeVisible();
  await accessible(page);
  await expect(page.getByRole('link', { name: 'vm-net' })).toBeVisible();
});

test('what fails says so, keeps what was read and comes back @stand-in', async ({ page }) => {
  await login(page, '#/pools');
  await standIn(page, 'control', { failing: 503 });
  await go(page, 'agents');
  await expect(page.getByText('The server answered 503')).toBeVisible();
  await expect(page.getByText('This page asks again by itself')).toBeVisible();
  await accessible(page);
  await standIn(page, 'control', { failing: 0 });
  await expect(page.getByRole('cell', { name: 'node-a' }).first()).toBeVisible({ timeout: 10_000 });
});

test('what is missing is named @stand-in', async ({ page }) => {
  await standIn(page, 'control', { gaps: true });
  await login(page, '#/leases');
  await expect(page.getByText('Something is missing here: agent on node-b did not answer')).toBeVisible();
  await accessible(page);
});

test('a lease that is gone is told to be gone @stand-in', async ({ page }) => {
  await login(page, '#/leases?lease=default/vm-net.192.168.48.99');
  await expect(page.getByRole('dialog')).toContainText('there is no lease');
});

test('without a stream of events the page asks by itself @stand-in', async ({ page }) => {
  await standIn(page, 'control', { streams: false });
  await login(page, '#/pools');
  await expect(page.getByRole('button', { name: /Every 10 s/ })).toBeVisible({ timeout: 10_000 });
  await standIn(page, 'killAgent');
  await expect(page.getByRole('row', { name: /vm-net/ })).toContainText('Degraded', { timeout: 15_000 });
});

test('the theme is the system’s until another is chosen', async ({ page }) => {
  await page.emulateMedia({ colorScheme: 'dark' });
  await login(page);
  await expect(page.locator('body')).toHaveClass(/theme-dark/);
  await page.getByRole('button', { name: /^Theme/ }).click();
  await expect(page.locator('body')).toHaveClass(/theme-light/);
  await page.reload();
  await expect(page.locator('body')).toHaveClass(/theme-light/);
});

test('everything is reached by keyboard, and a new view takes the focus', async ({ page }) => {
  await login(page);
  await page.keyboard.press('Tab');
  await expect(page.locator(':focus')).toHaveText('Skip to the content');
  const nav = page.getByRole('navigation', { name: 'Main' });
  await nav.getByRole('link', { name: 'Leases' }).focus();
  await page.keyboard.press('Enter');
  await expect(page.locator('h1')).toHaveText('Leases');
  await expect(page.locator('h1')).toBeFocused();
  await expect(nav.locator('[aria-current="page"]')).toHaveText('Leases');
});
