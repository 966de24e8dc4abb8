import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { expect, test as plain, type Page } from '@playwright/test';

export const token = process.env['TOKEN'] ?? 'admin-token';
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** A page that must have no error of its own, whatever is done with it. */
export const test = plain.extend({
  page: async ({ page }, use) => {
    const errors: string[] = [];
    page.on('pageerror', (error) => errors.push(error.message));
    page.on('console', (message) => {
      // Refused requests are told by the browser, too, and are part of some tests.
      if (message.type() === 'error' && !/Failed to load resource|net::ERR/.test(message.text())) errors.push(message.text());
    });
    await use(page);
    expect(errors).toEqual([]);
  },
});

export { expect };

/** Tells the stand-in what to do with its world. */
export async function standIn(page: Page, doing: string, body: object = {}): Promise<void> {
  const answer = await page.request.post(`/mock/${doing}`, { data: body });
  expect(answer.ok()).toBe(true);
}

export async function login(page: Page, place = '', as = token): Promise<void> {
  await page.goto(`./${place}`);
  // Where the way to the page says who is calling, there is no log-in.
  await page.locator('#vmdhcp-token, #vmdhcp-main').waitFor();
  if (await page.locator('#vmdhcp-token').count()) {
    await page.getByLabel('Token or kubeconfig').fill(as);
    await page.getByRole('button', { name: 'Log in' }).click();
  }
  await expect(page.locator('#vmdhcp-main')).toBeVisible();
  await settled(page);
}

/** Goes to a place inside, which keeps the log-in. */
export async function go(page: Page, place: string): Promise<void> {
  await page.evaluate((to) => (location.hash = to), `#/${place}`);
  await settled(page);
}

export async function settled(page: Page): Promise<void> {
  await expect(page.locator('h1')).toBeVisible();
  await expect(page.locator('.vmdhcp-loading')).toHaveCount(0);
}

/** No finding of axe that is serious or critical. There is no list of exceptions. */
export async function accessible(page: Page): Promise<void> {
  await page.evaluate(axe);
  const found = await page.evaluate(async () => {
    const { violations } = await (window as unknown as { axe: { run(options: object): Promise<{ violations: { id: string; impact: string; nodes: { target: string[]; failureSummary: string }[] }[] }> } }).axe.run({
      runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
    });

    return violations.filter((one) => one.impact === 'serious' || one.impact === 'critical').map((one) => `${one.id}: ${one.nodes.slice(0, 3).map((node) => `${node.target.join(' ')} ${node.failureSummary}`).join('; ')}`);
  });
  expect(found).toEqual([]);
}

/** The page itself does not scroll sideways. */
export async function fits(page: Page): Promise<void> {
  const [inner, outer] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
  expect(inner).toBeLessThanOrEqual(outer!);
}
