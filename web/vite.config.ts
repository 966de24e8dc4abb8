import vue from '@vitejs/plugin-vue';
import { defineConfig } from 'vite';

// The page: relative names, because it is served below prefixes that are not
// known when it is built.
export default defineConfig({
  root: 'src/app',
  base: './',
  plugins: [vue()],
  define: { __VUE_OPTIONS_API__: 'false', __VUE_PROD_DEVTOOLS__: 'false' },
  build: {
    outDir: '../../dist/app',
    emptyOutDir: true,
    target: 'es2022',
    modulePreload: { polyfill: false },
    // Fonts as files of their own: the page's policy allows no data: fonts.
    assetsInlineLimit: 0,
  },
});
