// Writes the types of the REST API from its OpenAPI document, or with --check
// fails when they are not those of the document.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import openapiTS, { astToString } from 'openapi-typescript';

const document = new URL('../../pkg/api/openapi/openapi.yaml', import.meta.url);
const target = fileURLToPath(new URL('../src/data/generated/api.ts', import.meta.url));
const head = '// Generated from pkg/api/openapi/openapi.yaml by `npm run generate`; do not edit.\n';

const content = head + astToString(await openapiTS(document));

if (!process.argv.includes('--check')) {
  writeFileSync(target, content);
} else if (readFileSync(target, 'utf8') !== content) {
  console.error('src/data/generated/api.ts is not of this openapi.yaml; run `npm run generate` in web/');
  process.exit(1);
}
