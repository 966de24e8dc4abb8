// Fetches what the extension's host is made of, for the test of the contract with
// it: @rancher/shell alone would bring more than a hundred packages that are not
// needed to load an extension. Kept below node_modules, so that it is fetched once.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const cache = fileURLToPath(new URL('../node_modules/.cache/hosts/', import.meta.url));
const wanted = JSON.parse(readFileSync(new URL('../test/contract/packages.json', import.meta.url), 'utf8'));

mkdirSync(cache, { recursive: true });
for (const [spec, integrity] of Object.entries(wanted)) {
  const folder = cache + spec.replace('/', '-');
  if (existsSync(folder)) continue;

  const made = mkdtempSync(cache + '.fetching-');
  try {
    const [packed] = JSON.parse(execFileSync('npm', ['pack', spec, '--json', '--silent', '--pack-destination', made], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] }));
    const archive = join(made, packed.filename.replace('@', '').replace('/', '-'));
    const digest = `sha512-${createHash('sha512').update(readFileSync(archive)).digest('base64')}`;
    if (digest !== integrity) throw new Error(`${spec}: the package has ${digest}, test/contract/packages.json wants ${integrity}; look into why before you change either`);

    execFileSync('tar', ['-xzf', archive, '-C', made]);
    renameSync(join(made, 'package'), folder);
  } finally {
    rmSync(made, { recursive: true, force: true });
  }
}
