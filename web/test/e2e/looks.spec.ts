import { accessible, fits, go, login, test } from './page';

// Every screen, light and dark, wide and narrow: it settles, it fits, and axe
// finds nothing serious.
const places = ['', 'pools', 'leases', 'machines', 'networks', 'agents', 'about', 'pools/+create'];

for (const scheme of ['light', 'dark'] as const) {
  for (const width of [1280, 320]) {
    test(`every screen, ${scheme}, ${width} px`, async ({ page }) => {
      test.setTimeout(120_000);
      await page.emulateMedia({ colorScheme: scheme });
      await page.setViewportSize({ width, height: 860 });
      await page.goto('./');
      await page.locator('#vmdhcp-token, #vmdhcp-main').waitFor();
      await accessible(page);
      await fits(page);
      await login(page);

      const visit = async (place: string) => {
        await go(page, place);
        await accessible(page);
        await fits(page);
      };
      for (const place of places) await visit(place);

      await go(page, 'pools');
      const pool = (await page.locator('td[data-label="Name"] a').first().getAttribute('href'))!.replace('#/', '');
      for (const tab of ['', '?tab=leases&gaps=1', '?tab=agents', '?tab=conditions', '?tab=yaml', '/edit']) await visit(pool + tab);
      await go(page, pool);
      await page.getByRole('button', { name: 'Reserve', exact: true }).click();
      await accessible(page);
      await page.keyboard.press('Escape');

      await go(page, 'machines');
      await visit((await page.locator('td[data-label="Name"] a').first().getAttribute('href'))!.replace('#/', ''));
      await go(page, 'leases');
      await page.locator('.vmdhcp-leases .vmdhcp-link').first().click();
      await page.getByRole('dialog').getByText('What happened').waitFor();
      await accessible(page);
      await fits(page);
    });
  }
}
