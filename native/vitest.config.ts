import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.{ts,js,mjs}'],
    // An emulated machine is 10 to 15 times slower than a real one.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // What one file loads into the kernel must not be counted by another.
    fileParallelism: false,
  },
});
