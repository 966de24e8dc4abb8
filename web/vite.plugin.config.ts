import vue from '@vitejs/plugin-vue';
import { defineConfig, type Plugin } from 'vite';
import about from './src/plugin/package.json' with { type: 'json' };

// The extension for Rancher and Harvester: one file, and the tree around it that
// Rancher fetches. The file runs beside the host's own code, so that it brings
// neither Vue, which is the host's, nor Rancher's components.
const id = `${about.name}-${about.version}`;
const global = 'FreeholdExtension';

// Rancher looks for the extension under a name with dots in it, which the usual
// ways to name a library take apart. And it loads no styles.
function extensionTree(): Plugin {
  return {
    name: 'freehold-extension-tree',
    enforce: 'post',
    generateBundle(_, bundle) {
      let css = '';
      for (const [name, made] of Object.entries(bundle)) {
        if (made.type !== 'asset' || !name.endsWith('.css')) continue;
        css += String(made.source).trim();
        delete bundle[name];
      }
      const chunks = Object.values(bundle).filter((made) => made.type === 'chunk');
      const [chunk] = chunks;
      if (!chunk || chunks.length > 1) return this.error(`the extension must be one file, and not ${chunks.map((one) => one.fileName).join(', ')}`);

      const style = `const s=document.createElement("style");s.dataset.extension=${JSON.stringify(id)};s.textContent=${JSON.stringify(css)};document.head.append(s);`;
      chunk.code = `(()=>{${style}${chunk.code.trim()}window[${JSON.stringify(id)}]=${global}})();\n`;

      const { annotations } = about.rancher;
      const description = { name: about.name, version: about.version, description: about.description, license: about.license, rancher: { annotations }, main: chunk.fileName.replace('plugin/', '') };
      this.emitFile({ type: 'asset', fileName: 'plugin/package.json', source: `${JSON.stringify(description, null, 2)}\n` });
      this.emitFile({ type: 'asset', fileName: 'files.txt', source: `${['plugin/package.json', chunk.fileName].sort().join('\n')}\n` });
    },
  };
}

export default defineConfig({
  plugins: [vue(), extensionTree()],
  define: { __VUE_OPTIONS_API__: 'false', __VUE_PROD_DEVTOOLS__: 'false', 'process.env.NODE_ENV': '"production"' },
  publicDir: false,
  build: {
    outDir: 'dist/plugin',
    emptyOutDir: true,
    target: 'es2022',
    cssCodeSplit: false,
    lib: { entry: 'src/plugin/index.ts', name: global, formats: ['iife'], fileName: () => `plugin/${id}.umd.min.js` },
    rolldownOptions: {
      external: ['vue'],
      output: { exports: 'named', globals: { vue: 'Vue' } },
    },
  },
});
