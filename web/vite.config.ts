import vue from '@vitejs/plugin-vue';
import { defineConfig } from 'vite';

// For work on the page beside a real manager: where its /v1 is, for example behind
// `kubectl proxy` http://127.0.0.1:8001/apis/api.freehold.net
const api = process.env['API'];
const proxy = api ? { '/v1': { target: api, changeOrigin: true, secure: false } } : undefined;

// The page: relative names, because it is served below prefixes that are not
// known when it is built.
export default defineConfig({
  root: 'src/app',
  base: './',
  plugins: [vue()],
  define: { __VUE_OPTIONS_API__: 'false', __VUE_PROD_DEVTOOLS__: 'false' },
  server: { proxy },
  preview: { proxy },
  build: {
    outDir: '../../dist/app',
    emptyOutDir: true,
    target: 'es2022',
    modulePreload: { polyfill: false },
    // Fonts as files of their own: the page's policy allows no data: fonts.
    assetsInlineLimit: 0,
  },
});
