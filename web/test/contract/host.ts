import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, type BuildOptions, type Plugin, type Rolldown } from 'vite';

/**
 * The parts of Rancher's dashboard that load an extension, of a version of
 * @rancher/shell, as one script: its extension manager, what it hands to an
 * extension, its list of products and menus, and the step at the start that asks
 * for the extensions and checks whether they fit. These are the host's own files.
 * Whatever else they import is a stand-in that accepts everything and does nothing.
 */

const cache = fileURLToPath(new URL('../../node_modules/.cache/hosts/', import.meta.url));
const own = /^(core\/(?!.*\.vue)|store\/type-map|plugins\/plugin$|config\/(uiplugins|types|table-headers|query-params|product\/[\w-]+|labels-annotations)|utils\/(promise|array|object|string|sort|router)$)/;
const standIn = '\0stand-in:';

const entry = `
import * as manager from '@shell/core/extension-manager-impl';
export const createManager = manager.createExtensionManager ?? manager.initExtensionManager;
export { default as loadExtensions } from '@shell/plugins/plugin';
export * as typeMap from '@shell/store/type-map';
`;

function hostFiles(shell: string, rancher: string): Plugin {
  // Where the host would go wrong with nothing.
  const answers: Record<string, string> = {
    listProducts: '() => []',
    getVersionData: `() => ({ Version: ${JSON.stringify(rancher)} })`,
    getKubeVersionData: "() => ({ gitVersion: 'v1.34.3+rke2r1' })",
  };
  const names = new Map<string, Set<string>>();

  // What the files take from stand-ins, so that those have it.
  for (const folder of ['config', 'core', 'plugins', 'store', 'utils']) {
    for (const file of readdirSync(`${shell}/${folder}`, { recursive: true, encoding: 'utf8' })) {
      if (!/\.[jt]s$/.test(file) || !own.test(`${folder}/${file.replace(/\.[jt]s$/, '')}`)) continue;
      for (const [, clause, from] of readFileSync(`${shell}/${folder}/${file}`, 'utf8').matchAll(/import\s+([\w$*\s{},]+?)\s+from\s+['"]([^'"]+)['"]/g)) {
        const wanted = names.get(from!) ?? new Set<string>();
        names.set(from!, wanted);
        for (const name of /\{([^}]*)\}/.exec(clause!)?.[1]?.split(',') ?? []) wanted.add(name.trim().replace(/^type\s+/, '').split(/\s+as\s+/)[0]!);
      }
    }
  }

  return {
    name: 'host-files',
    enforce: 'pre',
    resolveId(from, importer) {
      if (!importer) return '\0entry.ts';
      if (from === 'vue') return { id: 'vue', external: true };
      if (from === 'semver') return `${cache}semver@7.7.1/index.js`;
      if (/^lodash(\/|$)/.test(from)) return `${from.replace('lodash', `${cache}lodash@4.17.21`)}${from === 'lodash' ? '/lodash' : ''}.js`;
      if (/\/(semver|lodash)@[^/]*\/[^@]*$/.test(importer)) return null;

      const path = from.startsWith('@shell/') ? from.slice('@shell/'.length) : from.startsWith('.') ? resolve(dirname(importer!), from).slice(shell.length + 1) : undefined;
      if (path !== undefined && own.test(path)) {
        for (const end of ['', '.ts', '.js', '/index.ts', '/index.js']) if (/\.[jt]s$/.test(path + end) && existsSync(`${shell}/${path}${end}`)) return `${shell}/${path}${end}`;
      }

      return standIn + from;
    },
    load(id) {
      if (id === '\0entry.ts') return entry;
      if (!id.startsWith(standIn)) return null;
      const wanted = [...(names.get(id.slice(standIn.length)) ?? [])].filter((name) => name && name !== 'default');

      return `
const nothing = () => new Proxy(function () {}, {
  get: (target, key) => (key === Symbol.toPrimitive ? () => 'stand-in' : key === Symbol.iterator ? function* () {} : key === 'then' ? undefined : key === 'prototype' ? target.prototype : nothing()),
  apply: () => undefined,
});
export default nothing();
${wanted.map((name) => `export const ${name} = ${answers[name] ?? 'nothing()'};`).join('\n')}`;
    },
  };
}

/** The script; it leaves createManager, loadExtensions and typeMap in window.Host. */
export async function hostScript(version: string, rancher: string): Promise<string> {
  const made = (await build({
    configFile: false,
    logLevel: 'silent',
    plugins: [hostFiles(`${cache}@rancher-shell@${version}`, rancher)],
    define: { 'process.env.NODE_ENV': 'window.process.env.NODE_ENV' },
    build: { write: false, minify: false, target: 'es2022', lib: { entry: 'entry', name: 'Host', formats: ['iife'] }, rolldownOptions: { output: { globals: { vue: 'Vue' } } } },
  })) as Rolldown.RolldownOutput[];

  return made[0]!.output[0].code;
}

/** The Vue of the oldest host, and the router that Rancher has. */
export function hostLibraries(): string {
  return ['vue@3.5.13/dist/vue.global.prod.js', 'vue-router@4.5.1/dist/vue-router.global.prod.js'].map((file) => readFileSync(cache + file, 'utf8')).join(';\n');
}

/** The files of the extension as they are shipped. */
export async function builtExtension(): Promise<Map<string, string>> {
  return new Map((await extension({})).map((one) => [one.fileName, one.type === 'chunk' ? one.code : String(one.source)]));
}

/** The names that the extension takes from the host's Vue. */
export async function namesFromVue(): Promise<string[]> {
  // Only before it is made small are they to be told from others.
  const chunk = (await extension({ minify: false })).find((one) => one.type === 'chunk');

  return [...new Set([...chunk!.code.matchAll(/\bvue\.(\w+)/g)].map(([, name]) => name!))].sort();
}

async function extension(options: BuildOptions): Promise<Rolldown.RolldownOutput['output']> {
  const configFile = fileURLToPath(new URL('../../vite.plugin.config.ts', import.meta.url));
  const made = (await build({ configFile, logLevel: 'silent', build: { ...options, write: false } })) as Rolldown.RolldownOutput[];

  return made[0]!.output;
}
