import vue from '@vitejs/plugin-vue';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  plugins: [vue()],
  test: {
    include: ['test/{unit,contract}/**/*.test.ts'],
    sequence: { shuffle: true },
    coverage: {
      provider: 'v8',
      include: ['src/core/**/*.ts'],
      reporter: ['text'],
      thresholds: { lines: 100, functions: 100, statements: 100, branches: 100 },
    },
  },
});
