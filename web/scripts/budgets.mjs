// Fails when what the browser has to load first grows beyond its budget. Sizes are
// those of gzip, in kB of 1000 bytes.
import { readdirSync, readFileSync, existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

const dist = fileURLToPath(new URL('../dist/', import.meta.url));
const files = (folder) => (existsSync(dist + folder) ? readdirSync(dist + folder, { recursive: true }).map((name) => `${folder}/${name}`) : []);
const zipped = (names) => names.reduce((sum, name) => sum + gzipSync(readFileSync(dist + name), { level: 9 }).length, 0) / 1000;
const raw = (names) => names.reduce((sum, name) => sum + readFileSync(dist + name).length, 0) / 1000;

const app = files('app');
if (!app.includes('app/index.html')) throw new Error('the page is not built; run scripts/web page');

const budgets = [
  ['page, JavaScript', zipped(app.filter((name) => name.endsWith('.js'))), 130],
  ['page, CSS', zipped(app.filter((name) => name.endsWith('.css'))), 20],
  ['page, fonts', raw(app.filter((name) => /\.woff2?$/.test(name))), 110],
];
const extension = files('plugin').filter((name) => name.endsWith('.js'));
if (extension.length > 0) budgets.push(['extension', zipped(extension), 110]);

let over = false;
for (const [what, size, budget] of budgets) {
  console.log(`${what.padEnd(18)} ${size.toFixed(1).padStart(6)} kB of ${budget} kB${size > budget ? '  too large' : ''}`);
  over ||= size > budget;
}
process.exit(over ? 1 : 0);
